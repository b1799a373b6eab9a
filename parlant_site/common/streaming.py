"""JSON documents that are too large to hold: written piece by piece."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from parlant_site.common.rendering import dumps


def stream_json(value: Any) -> Iterator[bytes]:
    """Yield a JSON document in pieces; an iterator anywhere in it is written as an array, item by item."""
    if isinstance(value, Iterator):
        yield from _joined(b"[", (stream_json(item) for item in value), b"\n]")
    elif isinstance(value, dict) and any(_is_long(part) for part in value.values()):
        pairs = (_pair(key, part) for key, part in value.items())
        yield from _joined(b"{", pairs, b"\n}")
    else:
        yield dumps(value)


def _is_long(value: Any) -> bool:
    return isinstance(value, Iterator) or (isinstance(value, dict) and any(_is_long(part) for part in value.values()))


def _pair(key: str, value: Any) -> Iterator[bytes]:
    yield dumps(key) + b": "
    yield from stream_json(value)


def _joined(start: bytes, items: Iterator[Iterator[bytes]], end: bytes) -> Iterator[bytes]:
    yield start
    separator = b"\n"
    for item in items:
        yield separator
        separator = b",\n"
        yield from item
    yield end
