"""manage.py seed_demo: a believable business to look at."""

from argparse import ArgumentParser
from datetime import UTC, datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from parlant_site.demo.seeding import Written, seed
from parlant_site.demo.segments import write_segments
from sessions_app.counting_days import count_all

MOST = 5_000_000


class Command(BaseCommand):
    """Write the demo's customers, tags, agents, sessions and events; running it again only adds what is missing."""

    help = "Fill the database with Lanternstay, an invented business: customers, tags, agents and conversations."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Declare the arguments."""
        parser.add_argument("--customers", type=int, default=500, help="how many customers (default 500)")
        parser.add_argument("--as-of", help="the instant from which times count back, ISO 8601 (default now)")

    def handle(self, *args: Any, customers: int, as_of: str | None, **options: Any) -> None:
        """Seed with a progress bar, and say what was written."""
        if not 1 <= customers <= MOST:
            raise CommandError(f"--customers must be between 1 and {MOST:,}")
        total = Written(0)
        console = Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=console, disable=options["verbosity"] == 0) as progress:
            task = progress.add_task("Customers", total=customers)
            for step in seed(customers, anchor=_anchor(as_of)):
                total = Written(*(a + b for a, b in zip(total, step, strict=True)))
                progress.advance(task, step.looked_at)
        if total.customers:
            write_segments(_anchor(as_of))
            count_all()
        else:
            self.stdout.write(f"The demo is there already, with {customers:,} customers: nothing was written.")
            return
        self.stdout.write(
            f"Wrote {total.customers:,} customers, {total.sessions:,} sessions and {total.events:,} events."
        )


def _anchor(text: str | None) -> datetime:
    if text is None:
        return timezone.now()
    try:
        anchor = parse_datetime(text)
    except ValueError:
        anchor = None
    if anchor is None:
        raise CommandError(f"--as-of {text!r} is not a date and time such as 2026-05-01T12:00:00Z")
    return anchor if anchor.tzinfo else anchor.replace(tzinfo=UTC)
