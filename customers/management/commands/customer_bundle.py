"""`manage.py customer_bundle ID`."""

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from customers.privacy.bundle import write_bundle
from customers.transfer.commands import acting_as, add_user_argument


class Command(BaseCommand):
    """The command."""

    help = "Write everything that is kept about a customer as one JSON document: profile, conversations, audit and all."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        parser.add_argument("customer", metavar="ID", help="id of the customer, also of one who was deleted or merged")
        parser.add_argument("--output", metavar="FILE", type=Path, help="write to a file, which must not exist yet")
        add_user_argument(parser)

    def handle(self, *args: Any, customer: str, output: Path | None, user: str | None, **options: Any) -> None:
        """Write it, to standard output unless told otherwise."""
        with acting_as(user, "customers.export"):
            self._write(write_bundle(customer), output)

    def _write(self, pieces: Iterable[bytes], output: Path | None) -> None:
        if output is None:
            sink = getattr(self.stdout._out, "buffer", None) or sys.stdout.buffer
            for piece in pieces:
                sink.write(piece)
            sink.write(b"\n")
            sink.flush()
            return
        try:
            with output.open("xb") as file:
                output.chmod(0o600)
                file.writelines(pieces)
        except OSError as error:
            raise CommandError(f"{output} cannot be written: {error.strerror}") from None
        self.stderr.write(f"Wrote {output}, {output.stat().st_size:,} bytes.")
