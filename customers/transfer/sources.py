"""Files that people bring, made readable: as UTF-8 without a byte order mark, whatever they were written in.

A file that is no table is refused with a sentence. The result can be read from any byte at which a line begins.
"""

from __future__ import annotations

import codecs
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from parlant_site.common.errors import Refusal

BLOCK = 1 << 20
LOOKED_AT = 1 << 16

# What files begin with that people take for tables, and what to do with them.
_OTHERS = (
    (b"PK\x03\x04", "This is a workbook or a zip archive. Save the sheet as CSV, or unpack the file, and take that."),
    (b"\xd0\xcf\x11\xe0", "This is an old Excel workbook. Save the sheet as CSV and take that."),
    (b"\x1f\x8b", "The file is compressed. Unpack it first."),
    (b"%PDF", "This is a PDF, not a table."),
    (b"SQLite format 3\0", "This is a SQLite database, not a table."),
)
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


class CannotBeRead(Refusal):
    """The file cannot be read."""


@dataclass(frozen=True)
class Made:
    """What was made of a file: its encoding, how many lines it has, and a fingerprint of its text."""

    encoding: str
    lines: int
    fingerprint: str


def make_readable(source: BinaryIO, target: BinaryIO, *, encoding: str = "") -> Made:
    """Copy a seekable file as UTF-8, and answer what it was; CannotBeRead says why not.

    Without an encoding it is what the byte order mark says, else UTF-8, else Windows-1252.
    """
    start = source.read(LOOKED_AT)
    _refuse_others(start)
    marked, skipped = _marked(start)
    if encoding:
        known = _known(encoding)
        tried = [marked if marked and marked.startswith(known.removesuffix("-le")) else known]
    elif marked:
        tried = [marked]
    else:
        tried = ["utf-8", "windows-1252"]
    for number, name in enumerate(tried):
        source.seek(skipped if _known(name) == marked else 0)
        target.seek(0)
        target.truncate()
        try:
            return _copy(source, target, name)
        except UnicodeError:
            if number == len(tried) - 1:
                break
    if encoding or marked:
        raise CannotBeRead(f"The file is not text in {tried[0]}: choose another encoding.")
    raise CannotBeRead("The file is neither UTF-8 nor Windows-1252: say which encoding it has.")


def _copy(source: BinaryIO, target: BinaryIO, encoding: str) -> Made:
    decoder = codecs.getincrementaldecoder(encoding)()
    digest, lines, returns, last = hashlib.sha256(), 0, None, ""
    for block in _blocks(source):
        text = decoder.decode(block, final=not block)
        if "\0" in text:
            raise CannotBeRead("The file has NUL characters: it is no text, or its encoding is another one.")
        if returns is None and text:
            # Files of old Macintoshes end their lines with a carriage return alone.
            returns = "\r" in text and "\n" not in text
        if returns:
            text = text.replace("\r", "\n")
        if not text:
            continue
        encoded = text.encode()
        target.write(encoded)
        digest.update(encoded)
        lines += encoded.count(b"\n")
        last = text[-1]
    if not last:
        raise CannotBeRead("The file is empty.")
    return Made(encoding, lines + (last != "\n"), digest.hexdigest())


def _blocks(source: BinaryIO) -> Iterator[bytes]:
    while block := source.read(BLOCK):
        yield block
    yield b""


def _refuse_others(start: bytes) -> None:
    if not start.strip():
        raise CannotBeRead("The file is empty.")
    for beginning, sentence in _OTHERS:
        if start.startswith(beginning):
            raise CannotBeRead(sentence)


def _marked(start: bytes) -> tuple[str, int]:
    for mark, name in _MARKS:
        if start.startswith(mark):
            return name, len(mark)
    # Without a mark, every second byte of Western text in UTF-16 is NUL.
    if len(start) >= 4 and not any(start[1:200:2]) and all(start[0:200:2]):
        return "utf-16-le", 0
    if len(start) >= 4 and not any(start[0:200:2]) and all(start[1:200:2]):
        return "utf-16-be", 0
    return "", 0


def _known(encoding: str) -> str:
    try:
        "".encode(encoding)
        name = codecs.lookup(encoding).name
    except LookupError:
        raise CannotBeRead(f"There is no encoding {encoding!r}. Known are utf-8, windows-1252, utf-16...") from None
    return {"utf-8-sig": "utf-8", "utf-16": "utf-16-le", "cp1252": "windows-1252"}.get(name, name)
