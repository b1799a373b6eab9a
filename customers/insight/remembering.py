"""Answers that are asked for again and again while somebody edits a rule, kept for some seconds in this process."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Any, TypeVar

MOST = 500
T = TypeVar("T")

_kept: OrderedDict[Hashable, tuple[float, Any]] = OrderedDict()
_lock = Lock()


def kept(key: Hashable, seconds: float, make: Callable[[], T]) -> T:
    """Answer what was made under this key within the last seconds, or make it."""
    with _lock:
        found = _kept.get(key)
    if found and found[0] > time.monotonic():
        answer: T = found[1]
        return answer
    made = make()
    keep(key, seconds, made)
    return made


def keep(key: Hashable, seconds: float, made: object) -> None:
    """Keep something for some seconds."""
    with _lock:
        _kept[key] = (time.monotonic() + seconds, made)
        _kept.move_to_end(key)
        while len(_kept) > MOST:
            _kept.popitem(last=False)


def forget() -> None:
    """Forget everything."""
    with _lock:
        _kept.clear()
