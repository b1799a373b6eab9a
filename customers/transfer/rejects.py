"""The rows that an import could not take, as a file of the same shape with the reason beside each: mended, it is
imported again."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Any

from customers.transfer.growing import append_to
from customers.transfer.spreadsheets import shown
from customers.transfer.tables import Row
from parlant_site.common.rendering import dumps

REASON = "problem"


class Rejects:
    """A file of rejects, in the file storage."""

    def __init__(self, name: str, form: str, delimiter: str, columns: list[str]) -> None:
        self.name, self.form, self.delimiter, self.columns = name, form, delimiter, columns

    def append(self, rejected: Iterable[tuple[Row, str]], length: int) -> int:
        """Write rows after the first `length` bytes of the file, and answer how long it is then."""
        if self.form == "jsonl":
            return append_to(self.name, length, b"".join(self._line(row, reason) for row, reason in rejected))
        text = io.StringIO()
        writer = csv.writer(text, delimiter=self.delimiter)
        if not length:
            text.write("\ufeff")
            writer.writerow([*map(shown, self.columns), REASON])
        for row, reason in rejected:
            cells = [row.cells[name] for name in self.columns] if row.cells else list(row.given or [])
            cells = (cells + [""] * len(self.columns))[: max(len(self.columns), len(cells))]
            writer.writerow([*map(shown, map(str, cells)), reason])
        return append_to(self.name, length, text.getvalue().encode())

    @staticmethod
    def _line(row: Row, reason: str) -> bytes:
        given: Any = row.given if isinstance(row.given, dict) else {"line": row.given}
        return dumps({**given, REASON: reason}) + b"\n"
