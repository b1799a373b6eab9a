"""`manage.py runserver`: Daphne's development server, with the background work of `serve`."""

from typing import Any

from daphne.management.commands.runserver import Command as DaphneCommand

from parlant_site.serving.server import Server


class Command(DaphneCommand):
    """The command. It reloads when code changes; it neither prepares the database nor creates an operator."""

    server_cls = Server

    def get_application(self, options: dict[str, Any]) -> Any:
        """Answer the application; it serves static files by itself."""
        return super().get_application({**options, "use_static_handler": False})
