"""Files that a job writes piece by piece, and that whoever goes on after a crash cuts back to what is certain."""

from __future__ import annotations

import os
from pathlib import Path

from django.core.files.storage import default_storage


def append_to(name: str, length: int, content: bytes) -> int:
    """Write after the first `length` bytes of a file of the storage, and answer how long it is then.

    What a process wrote whose transaction did not come to an end is cut off.
    """
    path = Path(default_storage.path(name))
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "r+b") as file:
        file.truncate(length)
        file.seek(length)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return length + len(content)
