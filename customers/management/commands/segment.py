"""`manage.py segment`: segments on the command line."""

import sys
from argparse import ArgumentTypeError
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from customers.segments.backtesting import LONGEST
from customers.segments.commands import asking, counting, files, indexing
from customers.segments.commands.output import Output, WrongCommandLine, said
from parlant_site.common.errors import Refusal


def whole(least: int, most: int = sys.maxsize) -> Callable[[str], int]:
    """Answer a reader of whole numbers within bounds."""

    def read(text: str) -> int:
        number = int(text) if text.isascii() and text.isdigit() else -1
        if not least <= number <= most:
            upper = "" if most == sys.maxsize else f" to {most}"
            raise ArgumentTypeError(f"write a whole number from {least}{upper}{'' if upper else ' on'}")
        return number

    return read


class Command(BaseCommand):
    """The command."""

    help = (
        "Look at segments and count them. A segment is named by its name or id. Exit codes: 0 done, 1 refused or "
        "failed, 2 a wrong command line, 3 not a member (explain) or drift (reconcile)."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the subcommands and their arguments."""
        self.subcommands = parser.add_subparsers(dest="subcommand", required=True, metavar="SUBCOMMAND")
        self._add("list", asking.list_)
        self._add("show", asking.show).add_argument("segment")
        preview = self._add("preview", asking.preview_)
        preview.add_argument("rule", help='such as "tag:VIP and metadata.mrr > 500"')
        preview.add_argument("--time-zone", default="", help="where its days begin (default: as the settings say)")
        backtest = self._add("backtest", asking.backtest_)
        backtest.add_argument("rule", help='such as "tag:VIP and metadata.mrr > 500"')
        backtest.add_argument(
            "--days", type=whole(1, LONGEST), default=LONGEST, help=f"how far back (default and most: {LONGEST})"
        )
        backtest.add_argument("--time-zone", default="", help="where its days begin (default: as the settings say)")
        explain = self._add("explain", asking.explain_)
        explain.add_argument("segment")
        explain.add_argument("customer", help="id of the customer")
        members = self._add("members", asking.members)
        members.add_argument("segment")
        members.add_argument("--at", help="as of an instant, or the end of a day")
        members.add_argument("--limit", type=whole(0), default=100, help="how many (default 100; 0: all)")
        for name, function in (("refresh", counting.refresh_), ("reconcile", counting.reconcile)):
            counted = self._add(name, function)
            counted.add_argument("segments", nargs="*", metavar="segment")
            counted.add_argument("--all", action="store_true", help="every segment")
        self._add("overlap", asking.overlap_).add_argument("segments", nargs="+", metavar="segment")
        keys = self._add("keys", asking.keys)
        keys.add_argument("--personal", action="append", default=[], metavar="KEY", help="mark KEY as personal data")
        keys.add_argument("--not-personal", action="append", default=[], metavar="KEY", help="take the mark off KEY")
        index = self._add("index", indexing.index)
        index.add_argument("action", choices=["list", "add", "remove", "advise"])
        index.add_argument("field", nargs="?", help="such as metadata.mrr")
        index.add_argument("kind", nargs="?", help="what its values are: number or date")
        export = self._add("export", files.export, has_json=False)
        export.add_argument("segments", nargs="*", metavar="segment")
        export.add_argument("--output", metavar="FILE", type=Path, help="default: standard output")
        imported = self._add("import", files.import_)
        imported.add_argument("file", help="a YAML file, - for standard input")
        imported.add_argument("--dry-run", action="store_true", help="show what would change, and change nothing")
        imported.add_argument(
            "--delete-others", action="store_true", help="delete segments that the file does not name"
        )

    def _add(self, name: str, function: Callable[..., Any], *, has_json: bool = True) -> CommandParser:
        said = (function.__doc__ or "").strip()
        parser: CommandParser = self.subcommands.add_parser(name, help=said.split(".")[0], description=said)
        parser.set_defaults(function=function)
        if has_json:
            parser.add_argument("--json", action="store_true", help="print JSON")
        return parser

    def handle(self, *args: Any, function: Callable[..., int | None], **options: Any) -> None:
        """Call the subcommand and end with its exit code."""
        out = Output(self.stdout, is_json=options.pop("json", False))
        try:
            code = function(out, **options)
        except Refusal as refusal:
            raise CommandError(said(refusal), returncode=2 if isinstance(refusal, WrongCommandLine) else 1) from None
        if code:
            sys.exit(code)
