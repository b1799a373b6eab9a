"""`manage.py export_customers`."""

import os
import shutil
import sys
from pathlib import Path
from typing import Any

from django.core.files.storage import default_storage
from django.core.management.base import BaseCommand, CommandError, CommandParser

from customers.jobs.models import DataJob
from customers.jobs.starting import start
from customers.selection import Selection
from customers.transfer.commands import acting_as, add_user_argument, follow, going_on
from customers.transfer.exporting import FORMATS
from parlant_site.common.json import JSONValue


class Command(BaseCommand):
    """The command."""

    help = (
        "Export customers as CSV or JSON lines, as import_customers reads them. Killed, it goes on where it was when "
        "it is run again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        parser.add_argument("--segment", help="id or name of a segment: only its members")
        parser.add_argument("--search", help="only those with these words in id, name or metadata")
        parser.add_argument("--tag", action="append", default=[], help="only those who bear this tag (id or name)")
        parser.add_argument("--format", choices=FORMATS, default="csv")
        parser.add_argument("--mark", action="store_true", help="begin CSV with a byte order mark, for spreadsheets")
        parser.add_argument("--output", type=Path, help="write to this file; default: standard output")
        add_user_argument(parser)

    def handle(self, *args: Any, user: str | None, output: Path | None, **options: Any) -> None:
        """Export with a progress bar."""
        if output and not output.absolute().parent.is_dir():
            raise CommandError(f"There is no folder {output.absolute().parent}.")
        with acting_as(user) as who:
            job = follow(self._begin(who, options), quiet=options["verbosity"] == 0)
        self._hand_over(job, output)

    def _begin(self, who: Any, options: dict[str, Any]) -> DataJob:
        query = _query(options)
        parameters = {"form": options["format"], "mark": options["mark"]}
        begun = DataJob.objects.unfinished().filter(kind="export", channel="command", actor=who)
        for job in begun.order_by("-creation_utc"):
            if job.parameters == parameters and (job.selection or {}).get("query") == query:
                going_on(job)
                return job
        return start("export", by=who, selection=Selection.matching(query), parameters=parameters)

    def _hand_over(self, job: DataJob, output: Path | None) -> None:
        with default_storage.open(str(job.result.name)) as source:
            if output is None:
                shutil.copyfileobj(source, sys.stdout.buffer)
                sys.stdout.buffer.flush()
            else:
                partial = output.with_name(f"{output.name}.partial")
                with partial.open("wb") as target:
                    shutil.copyfileobj(source, target)
                os.replace(partial, output)
        self.stderr.write(f"Exported {job.done:,} customers. Job {job.pk}.")


def _query(options: dict[str, Any]) -> dict[str, JSONValue]:
    from tags.models import Tag

    query: dict[str, JSONValue] = {}
    if options["search"]:
        query["search"] = options["search"]
    if options["tag"]:
        tags = [Tag.objects.filter(name=word).first() or Tag.objects.filter(pk=word).first() for word in options["tag"]]
        if None in tags:
            raise CommandError(f"There is no tag {options['tag'][tags.index(None)]!r}.")
        query["tags"] = {"all": [tag.pk for tag in tags if tag]}
    if options["segment"]:
        query["segment"] = _segment(options["segment"])
    return query


def _segment(word: str) -> str:
    from customers.segments.models import Segment

    found = Segment.objects.filter(pk=word).first() or Segment.objects.filter(name=word).first()
    if found is None:
        raise CommandError(f"There is no segment {word!r}.")
    return str(found.pk)
