"""The one waiting loop: long polls, server-sent events, WebSockets and the SDK all follow a session through it."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from typing import NamedTuple

from parlant_site.common.lanes import on_lane
from sessions_app.feed import Subscription
from sessions_app.lines import EVERYTHING, Line, Page, Wanted, read_event, read_page

FOREVER = math.inf


class Step(NamedTuple):
    """What came: new events in order, and events of before that changed since. Both empty: it was quiet for a while."""

    lines: list[Line] = []
    changed: list[Line] = []


async def follow(
    subscription: Subscription,
    *,
    offset: int = 0,
    wanted: Wanted = EVERYTHING,
    seconds: float = FOREVER,
    quiet: float = FOREVER,
    changes: bool = False,
    is_read: bool = False,
) -> AsyncIterator[Step]:
    """Yield the session's wanted events from an offset on, as they come; none is lost or doubled, whatever is woken.

    Ends when nothing wanted came for `seconds`, or when the subscription is over. Yields an empty step after each
    `quiet` seconds in which nothing came. With `changes`, messages that were still growing when they were yielded are
    yielded again each time they change, until they are complete. `is_read` says that the caller has read up to the
    offset since the subscription began. NotFound when the session does not exist or goes away.
    """
    clock = asyncio.get_running_loop().time
    deadline = clock() + seconds
    growing: dict[str, bytes] = {}
    while True:
        if not is_read:
            # First the mark, then the read: what comes in between is seen by either.
            subscription.mark()
            page = await _read_page(subscription, offset)
            changed = await _changed_since(subscription, growing)
            if page.lines:
                offset = page.lines[-1].offset + 1
            lines = [line for line in page.lines if line in wanted]
            if changes:
                growing |= {line.id: line.body for line in lines if line.is_growing}
            if lines or changed:
                yield Step(lines, changed)
                deadline = clock() + seconds
            if page.is_full:
                continue
            subscription.revision = page.revision
        is_read = False
        while not await subscription.changed(until=min(deadline, clock() + quiet)):
            if subscription.is_over or clock() >= deadline:
                return
            yield Step()


async def follow_event(subscription: Subscription, event_id: str, *, seconds: float) -> AsyncIterator[Line]:
    """Yield an event, and again each time it changes, until it is complete or did not change for `seconds`.

    NotFound when there is no such event in the session.
    """
    clock = asyncio.get_running_loop().time
    deadline = clock() + seconds
    before = b""
    while True:
        subscription.mark()
        line, revision = await _read_event(subscription, event_id)
        if line.body != before:
            before = line.body
            deadline = clock() + seconds
            yield line
        if not line.is_growing:
            return
        subscription.revision = revision
        if not await subscription.changed(until=deadline):
            return


async def _changed_since(subscription: Subscription, growing: dict[str, bytes]) -> list[Line]:
    """Answer which of the growing messages changed, and forget those that are complete."""
    changed = []
    for event_id, before in tuple(growing.items()):
        line, _ = await _read_event(subscription, event_id)
        if line.body != before:
            changed.append(line)
            growing[event_id] = line.body
        if not line.is_growing:
            del growing[event_id]
    return changed


async def _read_page(subscription: Subscription, offset: int) -> Page:
    return await subscription.watch.read_once(offset, lambda: on_lane(read_page, subscription.session_id, offset))


async def _read_event(subscription: Subscription, event_id: str) -> tuple[Line, int]:
    return await subscription.watch.read_once(event_id, lambda: on_lane(read_event, subscription.session_id, event_id))
