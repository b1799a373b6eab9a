"""Printing what a subcommand answers: a table, or JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from django.utils import timezone
from rich.console import Console, RenderableType
from rich.table import Table
from rich.text import Text

from parlant_site.common.errors import BadInput, Refusal


class WrongCommandLine(Refusal):
    """The arguments cannot be meant."""


class Output:
    """Where a subcommand prints. With `--json` there is one JSON document on standard output and nothing else."""

    def __init__(self, stdout: Any, *, is_json: bool) -> None:
        self.stdout = stdout
        self.is_json = is_json

    def table(self, headers: Sequence[str], rows: Iterable[Sequence[Any]], data: Any, *, empty: str) -> None:
        """Print rows under headers, a sentence when there are none; or the data as JSON."""
        if self.is_json:
            self.data(data)
            return
        table = Table(box=None)
        for header in headers:
            table.add_column(header, overflow="fold")
        for row in rows:
            # As texts: of a plain string the library would take [a-z] and :cat: for marks of its own.
            table.add_row(*(Text(shown(cell)) for cell in row))
        self.show(table) if table.row_count else self.say(empty)

    def show(self, renderable: RenderableType) -> None:
        """Print something for people."""
        with (console := Console(width=_width(self.stdout))).capture() as printed:
            console.print(renderable)
        self.stdout.write(printed.get().rstrip())

    def say(self, sentence: str) -> None:
        """Print a line."""
        self.stdout.write(sentence)

    def data(self, data: Any) -> None:
        """Print JSON."""
        self.stdout.write(json.dumps(data, ensure_ascii=False, indent=2, default=str))


def shown(cell: Any) -> str:
    """Answer how a table shows a value."""
    if cell is None:
        return "-"
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, int):
        return f"{cell:,}"
    if hasattr(cell, "tzinfo"):
        return f"{timezone.localtime(cell):%Y-%m-%d %H:%M:%S}"
    return str(cell)


def said(refusal: Refusal) -> str:
    """Answer why something was refused, a line for each thing that is wrong: where it is, and what to write."""
    if not isinstance(refusal, BadInput):
        return refusal.detail
    lines = []
    for problem in refusal.problems:
        loc = problem["loc"] if isinstance(problem["loc"], list) else [problem["loc"]]
        if [*map(type, loc[-2:])] == [int, int]:  # the place in a text, which the message names as well
            loc = loc[:-2]
        where = ".".join(map(str, loc))
        lines.append(f"{where}: {problem['msg']}" if where else str(problem["msg"]))
    return "\n".join(lines)


def _width(stdout: Any) -> int | None:
    """Answer None for the width of the terminal; into a file or a pipe lines are long, so that they can be searched."""
    return None if getattr(stdout, "isatty", lambda: False)() else 240
