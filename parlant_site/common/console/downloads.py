"""Sending a document as a file, however long it is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from os import SEEK_END
from tempfile import TemporaryFile
from typing import IO

from django.http import StreamingHttpResponse
from django.utils.http import content_disposition_header

SENT_AT_ONCE = 1 << 16


def download(pieces: Iterable[bytes], *, name: str, content_type: str) -> StreamingHttpResponse:
    """Answer a file of these pieces.

    They are written to a temporary file first: what fails, fails before anything was sent, and who reads slowly holds
    neither a thread nor a connection to the database.
    """
    file = TemporaryFile()  # noqa: SIM115 - closed when it was sent, or when nobody wants it any more
    file.writelines(pieces)
    return download_file(file, name=name, content_type=content_type)


def download_file(file: IO[bytes], *, name: str, content_type: str) -> StreamingHttpResponse:
    """Answer an open file, whole; it is closed when it was sent."""
    length = file.seek(0, SEEK_END)
    file.seek(0)
    headers = {
        "Content-Length": str(length),
        "Content-Disposition": content_disposition_header(True, name) or "attachment",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-store",
    }
    return StreamingHttpResponse(_blocks(file), content_type=content_type, headers=headers)


async def _blocks(file: IO[bytes]) -> AsyncIterator[bytes]:
    with file:
        while block := file.read(SENT_AT_ONCE):
            yield block
