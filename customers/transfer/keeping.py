"""Files to import, kept where any process finds them."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, BinaryIO

from django.core.files.base import File
from django.core.files.storage import default_storage

from customers.transfer.mapping import guess_all
from customers.transfer.sources import make_readable
from customers.transfer.tables import CSVTable, form_of, open_table
from parlant_site.common.ids import new_id

LONGEST_NAME = 100


@dataclass(frozen=True)
class Kept:
    """A file that was kept: its name in the storage, and what an import is told of it."""

    source: str
    parameters: dict[str, Any]


def keep(file: BinaryIO, name: str, *, encoding: str = "", delimiter: str = "", form: str = "") -> Kept:
    """Keep a seekable file as readable text; CannotBeRead, and nothing kept, when it is no table.

    Takes as much memory for a gigabyte as for a kilobyte.
    """
    title = PurePath(name.replace("\\", "/")).name.replace("\0", "")[-LONGEST_NAME:] or "file"
    with tempfile.TemporaryFile(dir=_beside()) as readable:
        made = make_readable(file, readable, encoding=encoding)
        form = form or form_of(title, readable)
        table = open_table(readable, form, delimiter)
        readable.seek(0)
        source = default_storage.save(f"jobs/{new_id()}/source.{form}", File(readable))
    return Kept(
        source,
        {
            "name": title,
            "form": form,
            "encoding": made.encoding,
            "delimiter": table.delimiter if isinstance(table, CSVTable) else "",
            "columns": table.columns,
            "mapping": guess_all(table.columns),
            "lines": made.lines,
            "fingerprint": made.fingerprint,
        },
    )


def forget(kept: Kept) -> None:
    """Delete a file that is not needed after all."""
    default_storage.delete(kept.source)


def _beside() -> str:
    """Answer the storage's own folder: what is temporary may be too large for a folder in memory."""
    folder = Path(default_storage.path(""))
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return str(folder)
