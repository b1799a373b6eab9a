"""Who waits for what: wakes those who wait for a session when its events change.

A wake-up carries no data and may be lost or doubled: who is woken reads the database again, by offset. So the feed
knows no model, and a process that dies between a commit and its wake-up loses nothing (see safety_net.py).

Waiting costs a future on the event loop. Publishing is allowed from any thread and any process (see bridge.py).
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from threading import Lock
from types import TracebackType
from typing import Any, TypeVar

from django.conf import settings

T = TypeVar("T")
Tap = Callable[[str], None]

_lock = Lock()
_hubs: dict[asyncio.AbstractEventLoop, Hub] = {}
_publishing: list[Tap] = []
_watching: list[Callable[[], None]] = []


def publish(session_id: str) -> None:
    """Say that the events of a session changed: whoever waits for it looks again. Callable from any thread."""
    if settings.PARLANT_DROP_WAKEUPS and random.random() < settings.PARLANT_DROP_WAKEUPS:
        return
    wake((session_id,))
    for tap in _publishing:
        tap(session_id)


def wake(session_ids: Iterable[str]) -> None:
    """Wake who waits for the sessions in this process, on whatever event loop."""
    for hub in tuple(_hubs.values()):
        hub.wake(session_ids)


def watch(session_id: str) -> Subscription:
    """Begin to watch a session on the running event loop. First watch, then read, then wait: then nothing is missed."""
    return _hub().subscribe(session_id)


def watch_all() -> Changes:
    """Begin to collect which sessions change, on the running event loop."""
    return _hub().collect()


async def release() -> None:
    """End all waiting on the running event loop, for good: the process was told to end."""
    _hub().release()


def on_publish(tap: Tap) -> None:
    """Have `tap(session_id)` called for what this process publishes, on the publishing thread."""
    _publishing.append(tap)


def on_watch(begin: Callable[[], None]) -> None:
    """Have `begin()` called whenever somebody begins to watch; it returns at once."""
    _watching.append(begin)


def oldest_revisions() -> dict[str, int]:
    """Answer each watched session with the lowest revision that one of its watchers has read; from any thread."""
    oldest: dict[str, int] = {}
    for hub in tuple(_hubs.values()):
        for session_id, watched in tuple(hub.watches.items()):
            for subscription in tuple(watched.subscriptions):
                revision = subscription.revision
                if revision is not None and revision < oldest.get(session_id, revision + 1):
                    oldest[session_id] = revision
    return oldest


def is_watched() -> bool:
    """Answer whether anybody watches. Callable from any thread."""
    return any(hub.watches or hub.collecting for hub in tuple(_hubs.values()))


def watches_all() -> bool:
    """Answer whether anybody collects the changes of all sessions. Callable from any thread."""
    return any(hub.collecting for hub in tuple(_hubs.values()))


def _hub() -> Hub:
    loop = asyncio.get_running_loop()
    with _lock:
        hub = _hubs.get(loop)
        if hub is None:
            for other in [other for other in _hubs if other.is_closed()]:
                del _hubs[other]
            hub = _hubs[loop] = Hub(loop)
    for begin in _watching:
        begin()
    return hub


class Hub:
    """The watched sessions of one event loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.watches: dict[str, Watch] = {}
        self.collecting: set[Changes] = set()
        self.is_released = False
        self.reads = SharedReads()
        self._changed: set[str] = set()
        self._lock = Lock()

    def subscribe(self, session_id: str) -> Subscription:
        """Begin to watch a session."""
        watched = self.watches.get(session_id)
        if watched is None:
            watched = self.watches[session_id] = Watch(self, session_id)
        return Subscription(watched)

    def collect(self) -> Changes:
        """Begin to collect which sessions change."""
        return Changes(self)

    def wake(self, session_ids: Iterable[str]) -> None:
        """Wake who waits for the sessions; from any thread."""
        wanted = session_ids if self.collecting else [one for one in session_ids if one in self.watches]
        with self._lock:
            is_scheduled = bool(self._changed)
            self._changed.update(wanted)
            if is_scheduled or not self._changed:
                return
        # A closed loop has no waiters.
        with suppress(RuntimeError):
            self.loop.call_soon_threadsafe(self._wake_now)

    def _wake_now(self) -> None:
        with self._lock:
            changed, self._changed = self._changed, set()
        for session_id in changed:
            if watched := self.watches.get(session_id):
                watched.wake()
        self.reads.expire()
        for changes in self.collecting:
            changes.add(changed)

    def release(self) -> None:
        """End all waiting for good."""
        self.is_released = True
        for watched in tuple(self.watches.values()):
            watched.wake()
        for changes in self.collecting:
            changes.add(())


class SharedReads:
    """Reads of the database that several waiters need at once: each is made once, and dropped when it is old."""

    __slots__ = ("_running",)

    def __init__(self) -> None:
        self._running: dict[object, asyncio.Task[Any]] | None = None

    def expire(self) -> None:
        """Share no more what is being read right now: it may not show what just changed."""
        self._running = None

    async def read_once(self, key: object, read: Callable[[], Awaitable[T]]) -> T:
        """Answer what `read()` answers; all who ask for the same key meanwhile share it, however many they are.

        The read goes on when the one who began it is cancelled.
        """
        if self._running is None:
            self._running = {}
        running = self._running
        task = running.get(key)
        if task is None:
            task = running[key] = asyncio.ensure_future(read())
            task.add_done_callback(lambda done: _forget(running, key, done))
        result: T = await asyncio.shield(task)
        return result


def _forget(running: dict[object, asyncio.Task[Any]], key: object, done: asyncio.Task[Any]) -> None:
    running.pop(key, None)
    if not done.cancelled():
        done.exception()  # its readers may all be gone: then nobody else asks for it


class Watch(SharedReads):
    """One session that is watched, and the reads that its watchers share."""

    __slots__ = ("hub", "session_id", "subscriptions", "version")

    def __init__(self, hub: Hub, session_id: str) -> None:
        super().__init__()
        self.hub = hub
        self.session_id = session_id
        self.version = 0
        self.subscriptions: set[Subscription] = set()

    def wake(self) -> None:
        """Wake every watcher; what is being read right now may already be old."""
        self.version += 1
        self.expire()
        for subscription in self.subscriptions:
            subscription.wake()


class Subscription:
    """One watcher of a session. A context manager: watching ends with the block."""

    __slots__ = ("_future", "is_interrupted", "revision", "seen", "watch")

    def __init__(self, watched: Watch) -> None:
        self.watch = watched
        self.seen = watched.version
        # Up to which revision of the session the watcher has read; None: not yet.
        self.revision: int | None = None
        self.is_interrupted = False
        self._future: asyncio.Future[None] | None = None
        watched.subscriptions.add(self)

    def __enter__(self) -> Subscription:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    @property
    def session_id(self) -> str:
        """The session's id."""
        return self.watch.session_id

    @property
    def is_over(self) -> bool:
        """Whether waiting has no use any more: the watcher is gone, or the process ends."""
        return self.is_interrupted or self.watch.hub.is_released

    def mark(self) -> None:
        """Say that what happened up to now is about to be read."""
        self.seen = self.watch.version

    async def changed(self, *, until: float) -> bool:
        """Wait for a change since the last mark; False when none came until then (loop's clock) or it is over."""
        if self.seen != self.watch.version or self.is_over:
            return not self.is_over
        loop = self.watch.hub.loop
        future = self._future = loop.create_future()
        timer = loop.call_at(until, self.wake) if until < math.inf else None
        try:
            await future
        finally:
            self._future = None
            if timer is not None:
                timer.cancel()
        return self.seen != self.watch.version and not self.is_over

    def wake(self) -> None:
        """End the waiting; on the loop's thread."""
        if self._future is not None and not self._future.done():
            self._future.set_result(None)

    def interrupt(self) -> None:
        """Say that nobody waits any more; on the loop's thread."""
        self.is_interrupted = True
        self.wake()

    def close(self) -> None:
        """Watch no longer."""
        watched = self.watch
        watched.subscriptions.discard(self)
        if not watched.subscriptions and watched.hub.watches.get(watched.session_id) is watched:
            del watched.hub.watches[watched.session_id]


class Changes:
    """Collects which sessions changed since it was last asked. A context manager."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self._changed: set[str] = set()
        self._event = asyncio.Event()
        hub.collecting.add(self)

    def __enter__(self) -> Changes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.hub.collecting.discard(self)

    @property
    def is_over(self) -> bool:
        """Whether the process ends."""
        return self.hub.is_released

    def add(self, session_ids: Iterable[str]) -> None:
        """Note changes; on the loop's thread."""
        self._changed.update(session_ids)
        self._event.set()

    async def read_once(self, key: object, read: Callable[[], Awaitable[T]]) -> T:
        """Read what others who collect need at the same time only once."""
        return await self.hub.reads.read_once(key, read)

    async def next(self) -> set[str]:
        """Wait for changes and answer the ids of the sessions; nothing when it is over."""
        if not self.is_over:
            await self._event.wait()
        self._event.clear()
        changed, self._changed = self._changed, set()
        return changed
