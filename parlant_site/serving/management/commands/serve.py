"""`manage.py serve`: from nothing to a running site."""

from __future__ import annotations

import ipaddress
import socket
from importlib import import_module
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.management import call_command, get_commands
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection

from parlant_site.databases import described
from parlant_site.serving.preparation import FirstOperator, first_agent, prepare

if TYPE_CHECKING:
    from sessions_app.models import Agent


class Command(BaseCommand):
    """The command."""

    help = (
        "Prepare the database where that is needed, then serve REST, WebSocket and the admin until Ctrl+C or SIGTERM."
    )
    # The tables that checks may ask for are made here.
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
        parser.add_argument("--port", default=8800, type=int, help="port, 0 for a free one (default: 8800)")
        parser.add_argument("--demo", action="store_true", help="fill an empty database with a believable business")
        parser.add_argument("--no-agents", action="store_true", help="serve, but leave replying to other processes")

    def handle(self, *args: Any, **options: Any) -> None:
        """Prepare and serve."""
        _refuse_to_be_open_to_the_network(options["host"])
        bound = _bind(options["host"], options["port"])
        operator = prepare()
        self.check()
        if options["demo"]:
            self._fill_with_a_demo()
        # On the first start alone: an agent that was deleted stays deleted.
        agent = first_agent() if operator else None
        connection.close()

        # Imported late: the application and the reactor are not needed for a refusal.
        from parlant_site.serving.server import Server

        with_agents = settings.PARLANT_AGENTS and not options["no_agents"]
        server = Server(
            import_module("parlant_site.asgi").application,
            sockets=[bound],
            roles={"web", "agents"} if with_agents else {"web"},
            ready=lambda: self._say_where(*bound_address, operator=operator, agent=agent, with_agents=with_agents),
        )
        bound_address = bound.getsockname()[:2]
        server.run()
        if server.failure:
            raise CommandError(f"The server could not start: {server.failure}") from server.failure

    def _fill_with_a_demo(self) -> None:
        from customers.models import Customer

        if Customer.objects.exclude(pk="guest").exists():
            self.stdout.write("The database has customers already: no demo data was added.")
        elif "seed_demo" in get_commands():
            call_command("seed_demo")

    def _say_where(
        self, host: str, port: int, *, operator: FirstOperator | None, agent: Agent | None, with_agents: bool
    ) -> None:
        where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        say = self.stdout.write
        say(f"Parlant Site, {settings.PARLANT_POLICY} mode, on {described(connection.settings_dict)}")
        say(f"  REST       http://{where}")
        say(f"  Docs       http://{where}/docs")
        say(f"  Admin      http://{where}/admin/")
        say(f"  WebSocket  ws://{where}/ws/sessions")
        if not with_agents:
            say("Agents reply in other processes only.")
        if operator:
            password = f"password {operator.password} (shown only now)" if operator.password else "the password you set"
            say(self.style.SUCCESS(f"First operator: {operator.name}, {password}"))
        if agent:
            say(f"First agent: {agent.name}, id {agent.pk}")
        if settings.PARLANT_POLICY == "development":
            say(
                self.style.WARNING(
                    "Development mode is open to everybody: no token is asked for. It listens on this machine only."
                )
            )
        say("Ctrl+C stops the server.")
        self.stdout.flush()


def _refuse_to_be_open_to_the_network(host: str) -> None:
    if settings.PARLANT_POLICY != "development" or host == "localhost":
        return
    try:
        is_local = ipaddress.ip_address(host).is_loopback
    except ValueError:
        is_local = False
    if not is_local:
        raise CommandError(
            f"Development mode is open to everybody, so it listens on 127.0.0.1 only, not on {host}."
            " To serve the network, set PARLANT_ENV=production, PARLANT_SECRET_KEY and PARLANT_ALLOWED_HOSTS"
            " (docs/settings.md)."
        )


def _bind(host: str, port: int) -> socket.socket:
    """Take the port before anything else is done."""
    if not 0 <= port <= 65535:
        raise CommandError(f"{port} is not a port. Write --port with a number from 0 to 65535.")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        bound = socket.socket(family, kind, protocol)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        bound.bind(address)
    except socket.gaierror:
        raise CommandError(f"{host} is not an address of this machine. Write --host 127.0.0.1, or 0.0.0.0.") from None
    except OSError as error:
        raise CommandError(
            f"{host}:{port} cannot be listened on: {error.strerror}. Write another --port, or --port 0 for a free one."
        ) from None
    return bound
