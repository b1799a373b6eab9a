"""How far every segment is, looked at once for all in this process who follow segments.

A change in this process is told by customers.segments.feed. Others may keep memberships current in processes of their
own, so the database is asked every half second as well, while somebody follows: one small statement.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar

from django.db import DatabaseError

from customers.models import MembershipEvent, Segment
from customers.segments import feed
from parlant_site.common.lanes import on_lane

logger = logging.getLogger(__name__)

LOOK_EVERY = 0.5  # seconds


@dataclass(frozen=True)
class State:
    """How far a segment is."""

    next_offset: int
    size: int
    changed_utc: datetime | None


States = dict[str, State]


def read_states() -> States:
    """Answer the state of every segment, by id."""
    rows: Any = Segment.objects.order_by().values_list("pk", "next_offset", "size", "changed_utc")
    return {key: State(*state) for key, *state in rows}


@dataclass(frozen=True)
class Moved:
    """Customers who did the same for the same reason at the same instant: event `offset` is that of the first."""

    offset: int
    move: str
    cause: str
    rule_version: int
    at: datetime
    customer_ids: list[str]

    @property
    def following(self) -> int:
        """The offset after the last of them."""
        return self.offset + len(self.customer_ids)


def read_moves(segment_id: str, offset: int, limit: int) -> list[Moved]:
    """Answer the events of a segment from an offset on, at most so many, those that are alike together."""
    events = MembershipEvent.objects.filter(segment_id=segment_id).since(offset)
    rows: Any = events.values_list("offset", "customer_ref", "move", "cause", "rule_version", "at")
    found: list[Moved] = []
    for number, customer_id, *alike in rows[:limit]:
        last = found[-1] if found else None
        if last and [last.move, last.cause, last.rule_version, last.at] == alike:
            last.customer_ids.append(customer_id)
        else:
            move, cause, rule_version, at = alike
            found.append(Moved(number, move, cause, rule_version, at, [customer_id]))
    return found


class Watch:
    """Looks while somebody follows; one per event loop."""

    _one: ClassVar[Watch | None] = None

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.states: States = {}
        self.is_over = False
        self._followers: set[asyncio.Event] = set()
        self._nudge = asyncio.Event()
        self._reading = asyncio.Lock()
        self._looking: asyncio.Task[None] | None = None
        self._end_listening: Callable[[], None] = lambda: None

    @classmethod
    def here(cls) -> Watch:
        """Answer the watch of the running loop."""
        if cls._one is None or cls._one.loop is not asyncio.get_running_loop():
            cls._one = cls()
        return cls._one

    async def follow(self, *, quiet: float) -> AsyncIterator[States | None]:
        """Yield the states, now and whenever they changed, None after quiet seconds; end when the process ends."""
        changed = asyncio.Event()
        self._begin(changed)
        try:
            await self._read()
            changed.clear()
            yield self.states
            while not self.is_over:
                try:
                    async with asyncio.timeout(quiet):
                        await changed.wait()
                except TimeoutError:
                    yield None
                    continue
                changed.clear()
                if not self.is_over:
                    yield self.states
        finally:
            self._end(changed)

    def release(self) -> None:
        """End all following for good."""
        self.is_over = True
        for changed in self._followers:
            changed.set()

    def _begin(self, changed: asyncio.Event) -> None:
        self._followers.add(changed)
        if self._looking is None:
            self.states = {}
            self._end_listening = feed.listen(self._nudged)
            self._looking = self.loop.create_task(self._look())

    def _end(self, changed: asyncio.Event) -> None:
        self._followers.discard(changed)
        if not self._followers and self._looking is not None:
            self._end_listening()
            self._looking.cancel()
            self._looking = None

    def _nudged(self, segment_id: str) -> None:
        with suppress(RuntimeError):  # the loop has just been closed
            self.loop.call_soon_threadsafe(self._nudge.set)

    async def _look(self) -> None:
        while True:
            try:
                await self._read()
            except DatabaseError:
                logger.warning("Segments cannot be looked at", exc_info=True)
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY):
                    await self._nudge.wait()
            self._nudge.clear()

    async def _read(self) -> None:
        """Read the states, one reading after the other: an older one never comes after a newer one."""
        async with self._reading:
            states = await on_lane(read_states)
            if states != self.states:
                self.states = states
                for changed in self._followers:
                    changed.set()


async def release() -> None:
    """End all following in this process."""
    if Watch._one is not None:
        Watch._one.release()


def chosen(states: States, wanted: Iterable[str]) -> States:
    """Answer the states of some segments, of all when none is wanted."""
    keys = set(wanted)
    return {key: state for key, state in states.items() if not keys or key in keys}
