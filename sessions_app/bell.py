"""Tells this process that a session wants a reply, or that a reply in progress has lost its ground.

Only a hint: what has to be done stands on the session's row (replying.py), and the runner looks there by itself now and
then. A bell that nobody hears, in a process that only serves, costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

Listener = Callable[[str], None]

_listeners: list[Listener] = []


def ring(session_id: str) -> None:
    """Say, after the commit, that the agent of a session has something to do or to stop. Callable from any thread."""
    for listener in tuple(_listeners):
        listener(session_id)


def ring_all(session_ids: Iterable[str]) -> None:
    """Say that something happened to the sessions in another process: perhaps their agents have something to do."""
    for session_id in session_ids:
        ring(session_id)


def listen(listener: Listener) -> Callable[[], None]:
    """Have `listener(session_id)` called on the ringing thread; answer how to end that."""
    _listeners.append(listener)
    return lambda: _listeners.remove(listener)
