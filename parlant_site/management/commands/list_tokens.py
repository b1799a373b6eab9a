"""`manage.py list_tokens`."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone
from knox.models import AuthToken
from rich.console import Console
from rich.table import Table


class Command(BaseCommand):
    """The command."""

    help = "List the API tokens by key, with their users and expiry."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        parser.add_argument("--user", help="only tokens of this user")

    def handle(self, *args: Any, user: str | None, **options: Any) -> None:
        """Print a table, the newest token first."""
        tokens = AuthToken.objects.select_related("user").order_by("-created")
        table = Table("Key", "User", "Created", "Expires", box=None)
        for token in tokens.filter(user__username=user) if user else tokens:
            expiry = f"{token.expiry:%Y-%m-%d %H:%M}" if token.expiry else "never"
            if token.expiry and token.expiry <= timezone.now():
                expiry = "expired"
            elif not token.user.is_active:
                expiry += ", user is not active"
            table.add_row(token.token_key, token.user.get_username(), f"{token.created:%Y-%m-%d %H:%M}", expiry)
        if table.row_count:
            with (console := Console()).capture() as printed:
                console.print(table)
            self.stdout.write(printed.get().rstrip())
        else:
            self.stdout.write("There are no tokens.")
