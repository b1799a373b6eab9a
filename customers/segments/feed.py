"""Tells this process that the members of a segment changed.

Only a hint, after the commit: who hears it reads the segment's events again, by offset. Who may miss it, because
another process wrote, looks at `Segment.next_offset` now and then.
"""

from __future__ import annotations

from collections.abc import Callable

Listener = Callable[[str], None]

_listeners: list[Listener] = []


def publish(segment_id: str) -> None:
    """Say, after the commit, that members of a segment changed. Callable from any thread."""
    for listener in tuple(_listeners):
        listener(segment_id)


def listen(listener: Listener) -> Callable[[], None]:
    """Have `listener(segment_id)` called on the publishing thread, soon to return; answer how to end that."""
    _listeners.append(listener)
    return lambda: _listeners.remove(listener)
