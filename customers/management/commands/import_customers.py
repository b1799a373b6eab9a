"""`manage.py import_customers FILE`."""

import shutil
from pathlib import Path
from typing import Any

from django.core.files.storage import default_storage
from django.core.management.base import BaseCommand, CommandError, CommandParser

from customers.jobs.models import DataJob, State
from customers.jobs.starting import may_start, start
from customers.transfer.commands import acting_as, add_user_argument, follow, going_on
from customers.transfer.importing import EMPTY, NEW_TAGS, TAGS
from customers.transfer.keeping import Kept, forget, keep


class Command(BaseCommand):
    """The command."""

    help = (
        "Import customers from CSV or JSON lines. Rows that name an id change that customer or register her; others "
        "are new. Killed, it goes on where it was when it is run again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        parser.add_argument("file", type=Path, help="CSV with headings, or JSON lines (.jsonl)")
        parser.add_argument(
            "--map",
            action="append",
            default=[],
            metavar="COLUMN=FIELD",
            help="what a column says: id, name, tags, metadata.KEY, metadata (all as JSON), or nothing (COLUMN=)",
        )
        parser.add_argument("--dry-run", action="store_true", help="say what would be, and write nothing")
        parser.add_argument("--encoding", default="", help="default: by its mark, else UTF-8, else Windows-1252")
        parser.add_argument("--delimiter", default="", help="of CSV; default: what divides the first rows best")
        parser.add_argument("--format", choices=("csv", "jsonl"), default="", help="default: by the file's name")
        parser.add_argument("--empty", choices=EMPTY, default=EMPTY[0], help="empty cells keep or clear what is there")
        parser.add_argument("--tags", choices=TAGS, default=TAGS[0], help="add to the tags, or replace them")
        parser.add_argument("--new-tags", choices=NEW_TAGS, default=NEW_TAGS[0], help="refuse or create unknown tags")
        parser.add_argument("--rejects", type=Path, help="write the rows that could not be taken to this file")
        parser.add_argument("--again", action="store_true", help="import a file that was imported already")
        add_user_argument(parser)

    def handle(self, *args: Any, file: Path, user: str | None, **options: Any) -> None:
        """Import with a progress bar, and say what became of the rows."""
        delimiter = {"tab": "\t", "\\t": "\t"}.get(options["delimiter"], options["delimiter"])
        if len(delimiter) > 1:
            raise CommandError("--delimiter is one character, or tab")
        if options["rejects"] and not options["rejects"].absolute().parent.is_dir():
            raise CommandError(f"There is no folder {options['rejects'].absolute().parent} for the rejects.")
        with acting_as(user) as who:
            if who is not None and not may_start(who, "import"):
                raise CommandError(f"The user {user!r} may not import customers.")
            try:
                with file.open("rb") as opened:
                    kept = keep(
                        opened, file.name, encoding=options["encoding"], delimiter=delimiter, form=options["format"]
                    )
            except OSError as error:
                raise CommandError(f"{file} cannot be read: {error.strerror}") from None
            try:
                job = self._begin(kept, who, options)
            except Exception:
                forget(kept)
                raise
            job = follow(job, quiet=options["verbosity"] == 0)
        self._report(job, options["rejects"])

    def _begin(self, kept: Kept, who: Any, options: dict[str, Any]) -> DataJob:
        """Answer a new job, or the one that an earlier run of the command left unfinished."""
        parameters = {
            **kept.parameters,
            "mapping": {**kept.parameters["mapping"], **_mapping(options["map"])},
            "dry_run": options["dry_run"],
            **{name: options[name] for name in ("empty", "tags", "new_tags")},
        }
        same = DataJob.objects.filter(kind="import", parameters__fingerprint=parameters["fingerprint"])
        for job in same.unfinished().order_by("-creation_utc"):
            told = ("mapping", "dry_run", "empty", "tags", "new_tags")
            if all(job.parameters.get(name) == parameters[name] for name in told):
                forget(kept)
                going_on(job)
                return job
        earlier = same.filter(state=State.OK, parameters__dry_run=False).order_by("-finished_utc").first()
        names_customers = "id" in parameters["mapping"].values()
        if earlier and not (options["again"] or options["dry_run"] or names_customers):
            raise CommandError(
                f"This file was imported on {earlier.finished_utc:%Y-%m-%d} (job {earlier.pk}). Without a column of "
                "ids every row would be one more customer: write --again to import it once more."
            )
        return start("import", by=who, source=kept.source, parameters=parameters)

    def _report(self, job: DataJob, rejects: Path | None) -> None:
        numbers = {name: job.report.get(name, 0) for name in ("new", "changed", "same", "error")}
        would = "Would be: " if job.parameters["dry_run"] else ""
        said = "{new:,} new, {changed:,} changed, {same:,} the same, {error:,} rejected".format(**numbers)
        self.stdout.write(f"{would}{said}. Job {job.pk}.")
        if made := job.report.get("new_tags"):
            self.stdout.write(f"New tags: {', '.join(made)}")
        for each in job.problems.all()[:10]:
            self.stderr.write(f"Row {each.position}: {each.reason}")
        if not numbers["error"]:
            return
        if rejects:
            with default_storage.open(str(job.result.name)) as source, rejects.open("wb") as target:
                shutil.copyfileobj(source, target)
            self.stderr.write(f"{numbers['error']:,} rows, each with the reason, are in {rejects}")
        else:
            self.stderr.write("--rejects FILE writes those rows, each with the reason, to a file.")


def _mapping(given: list[str]) -> dict[str, str]:
    mapping = {}
    for pair in given:
        column, sign, field = pair.rpartition("=")
        if not sign or not column:
            raise CommandError(f"--map {pair}: write COLUMN=FIELD, such as 'Customer no.=id'")
        mapping[column] = field
    return mapping
