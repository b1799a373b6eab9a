"""Reading rows of a readable file, each with its place, so that another process can go on there."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any, Protocol

from customers.transfer.mapping import METADATA
from customers.transfer.sources import CannotBeRead
from customers.transfer.spreadsheets import meant
from parlant_site.common.json import UnusableJSON, parse

LONGEST = 1 << 20  # bytes of a row
MOST_COLUMNS = 2000
DELIMITERS = ",;\t|"
SAMPLED = 50

csv.field_size_limit(LONGEST)


@dataclass(frozen=True)
class Row:
    """A row: its number from 1, its cells by column, or why it cannot be read; `end` is where the next one begins."""

    number: int
    cells: dict[str, Any]
    end: int
    problem: str = ""
    given: Any = None  # as it stands in the file: what a file of rejects repeats


class Table(Protocol):
    """A file of rows."""

    columns: list[str]
    start: int

    def rows(self, file: IO[bytes], offset: int, number: int) -> Iterator[Row]:
        """Yield the rows from a place on; `number` rows come before it."""


class CSVTable:
    """Rows of cells under a line of headings."""

    def __init__(self, file: IO[bytes], delimiter: str = "") -> None:
        file.seek(0)
        first = file.readline(LONGEST)
        self.start, said = 0, ""
        if first.lower().startswith(b"sep=") and len(first.strip()) == 5:  # Excel's own hint
            said = first.decode()[4]
            self.start = file.tell()
        self.delimiter = delimiter or said or _delimiter(file, self.start)
        heading = next(_records(file, self.start, self.delimiter), None)
        if heading is None or heading[2]:
            raise CannotBeRead("The first row cannot be read as headings: " + (heading[2] if heading else "no row"))
        self.columns, self.start = [_heading(name) for name in heading[0]], heading[1]
        self._check_columns()

    def _check_columns(self) -> None:
        while self.columns and not self.columns[-1]:  # spreadsheets write empty columns at the end
            self.columns.pop()
        if len(self.columns) > MOST_COLUMNS:
            raise CannotBeRead(f"The file has {len(self.columns):,} columns; at most {MOST_COLUMNS:,} can be read.")
        places: dict[str, int] = {}
        for place, name in enumerate(self.columns, start=1):
            if not name:
                raise CannotBeRead(f"Column {place} has no heading. The first row must name every column.")
            if name in places:
                raise CannotBeRead(f"The heading {name!r} is there twice, in columns {places[name]} and {place}.")
            places[name] = place
        if not self.columns:
            raise CannotBeRead("The first row names no column.")

    def rows(self, file: IO[bytes], offset: int, number: int) -> Iterator[Row]:
        """Yield the rows from a place on; blank lines are counted, and left out."""
        width = len(self.columns)
        for values, end, problem in _records(file, offset, self.delimiter):
            number += 1
            if problem:
                yield Row(number, {}, end, problem, values)
            elif not any(values):
                continue
            elif (len(values) > width and any(values[width:])) or len(values) < width:
                problem = f"The row has {len(values)} cells, the headings are {width}"
                yield Row(number, {}, end, problem, values)
            else:
                yield Row(number, dict(zip(self.columns, map(meant, values), strict=False)), end, "", values)


class JSONLinesTable:
    """An object a line; the keys of `metadata` are columns such as metadata.plan."""

    def __init__(self, file: IO[bytes]) -> None:
        self.start = 0
        file.seek(0)
        if file.read(1024).lstrip()[:1] == b"[":
            raise CannotBeRead("This is a JSON array. Write one object a line (JSON lines): jq -c '.[]' does.")
        found: dict[str, None] = {}
        first = None
        for place, row in enumerate(self.rows(file, 0, 0)):
            first = row if first is None else first
            found |= dict.fromkeys(row.cells)
            if place >= SAMPLED:
                break
        if first is None or (not found and first.problem):
            raise CannotBeRead(f"This is no JSON lines: {first.problem if first else 'there is no line'}.")
        self.columns = list(found)

    def rows(self, file: IO[bytes], offset: int, number: int) -> Iterator[Row]:
        """Yield the objects from a place on; blank lines are counted, and left out."""
        file.seek(offset)
        end = offset
        while line := file.readline(LONGEST + 1):
            end += len(line)
            number += 1
            while len(line) > LONGEST and not line.endswith(b"\n"):
                rest = file.readline(LONGEST)
                end += len(rest)
                if not rest or rest.endswith(b"\n"):
                    break
            text = line.strip()
            if not text:
                continue
            if len(line) > LONGEST:
                yield Row(
                    number, {}, end, f"The line is longer than {LONGEST:,} bytes", text[:200].decode(errors="replace")
                )
                continue
            try:
                value = parse(text)
            except UnusableJSON as error:
                yield Row(number, {}, end, str(error), text.decode(errors="replace"))
                continue
            if not isinstance(value, dict):
                yield Row(number, {}, end, "The line is no object", value)
                continue
            cells = {name: part for name, part in value.items() if name != "metadata"}
            metadata = value.get("metadata", {})
            if not isinstance(metadata, dict):
                yield Row(number, {}, end, "metadata: should be an object", value)
                continue
            cells |= {f"metadata.{key}": part for key, part in metadata.items()}
            yield Row(number, cells, end, "", value)


def open_table(file: IO[bytes], form: str, delimiter: str = "") -> Table:
    """Answer the table of a file: `form` is "csv" or "jsonl"."""
    return JSONLinesTable(file) if form == "jsonl" else CSVTable(file, delimiter)


def form_of(name: str, file: IO[bytes]) -> str:
    """Answer what a file is, by its name or how it begins: "csv" or "jsonl"."""
    if name.lower().endswith((".jsonl", ".ndjson", ".json")):
        return "jsonl"
    file.seek(0)
    return "jsonl" if file.read(1024).lstrip()[:1] in (b"{", b"[") else "csv"


def _records(file: IO[bytes], offset: int, delimiter: str) -> Iterator[tuple[list[str], int, str]]:
    """Yield (values, where the next record begins, why it cannot be read) from a place on."""
    position = offset

    def lines() -> Iterator[str]:
        nonlocal position
        while line := file.readline(LONGEST + 1):
            position += len(line)
            if position - begin > LONGEST:
                raise csv.Error(f"the row is longer than {LONGEST:,} bytes, or a quote is never closed")
            yield line.decode()

    while True:
        file.seek(position)
        begin = position
        reader = csv.reader(lines(), delimiter=delimiter, strict=True)
        try:
            for values in reader:
                yield values, position, ""
                begin = position
            return
        except csv.Error as error:
            # The line alone is given up; what an open quote swallowed is read again.
            file.seek(begin)
            line = file.readline(LONGEST)
            position = begin + len(line)
            while line and not line.endswith(b"\n") and (line := file.readline(LONGEST)):
                position += len(line)
            text = _sentence(error)
            file.seek(begin)
            yield [file.readline(200).decode(errors="replace").strip()], position, text


def _heading(text: str) -> str:
    """Answer the name of a column: exactly where it names a metadata key, as exports do, else without blanks around."""
    name = meant(text)
    return name if name.startswith(METADATA) else name.strip()


def _sentence(error: csv.Error) -> str:
    if "unexpected end of data" in str(error):
        return "A quote is opened and never closed"
    if "expected after" in str(error):
        return "After a closing quote comes neither the end of the cell nor that of the row"
    text = str(error)
    return text[:1].upper() + text[1:]


def _delimiter(file: IO[bytes], start: int) -> str:
    """Answer the sign that divides the first rows into most columns, most evenly."""
    best, best_score = ",", (-1.0, 0)
    for sign in DELIMITERS:
        widths = []
        for values, _end, problem in _records(file, start, sign):
            if problem:
                break
            if any(values):
                widths.append(len(values))
            if len(widths) >= SAMPLED:
                break
        if not widths or widths[0] < 2:
            continue
        even = sum(width == widths[0] for width in widths) / len(widths)
        if (even, widths[0]) > best_score:
            best, best_score = sign, (even, widths[0])
    return best
