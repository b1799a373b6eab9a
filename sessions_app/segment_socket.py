"""`/ws/segments`: who enters and leaves segments, as it happens."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import parse_qsl

from django.conf import settings

from parlant_site.common.errors import NotFound
from parlant_site.common.lanes import on_lane
from parlant_site.common.rendering import dumps
from sessions_app.consumers import HEARTBEAT, UNUSABLE, Pushing, Refused
from sessions_app.segment_states import Moved, State, States, Watch, chosen, read_moves

FORBIDDEN = 403
AT_ONCE = 500  # events per reading, and customers per frame


class FollowSegments(Pushing):
    """`/ws/segments?segment=ID&min_offset=N&segment=ID...`: what becomes of these segments, or of all."""

    needs = ("/segments", "name=")

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        # Up to which offset the client was told, and which size; a segment that is made meanwhile is told from its
        # first event on.
        self.told: dict[str, int] = {}
        self.sizes: dict[str, int] = {}
        self.sees_customers = False

    async def check(self) -> None:
        """Raise Refused unless the caller may see segments; find out, as often, whether she may see who is in them."""
        before = self._check_at
        await super().check()
        if self._check_at != before:
            answer = await self.caller.call("GET", "/segments", query="name=&customer_id=")
            if not answer.is_fine and answer.status != FORBIDDEN:
                raise Refused.by(answer)
            self.sees_customers = answer.is_fine

    async def frames(self) -> AsyncIterator[bytes]:
        """Yield `ready`, then for each segment that changes its moves and its count."""
        wanted = wanted_offsets(self.scope)
        await self.check()
        known: States | None = None
        async for states in Watch.here().follow(quiet=settings.PARLANT_HEARTBEAT_SECONDS):
            await self.check()
            if states is None:
                yield HEARTBEAT
                continue
            current = chosen(states, wanted)
            if known is None:
                _refuse_unknown(wanted, current)
                self.told = {key: _begin(wanted.get(key), state) for key, state in current.items()}
                self.sizes = {key: state.size for key, state in current.items()}
                yield _ready(current)
            for key in gone(known or {}, current):
                self.told.pop(key, None)
                self.sizes.pop(key, None)
                yield dumps({"type": "segment_deleted", "segment_id": key})
            for key, state in current.items():
                async for frame in self.news(key, state):
                    yield frame
            known = current

    async def news(self, segment_id: str, state: State) -> AsyncIterator[bytes]:
        """Yield what the client was not told yet of a segment: its moves up to a state, and the count of that state.

        Of moves that came since, the next state tells: else their count would never come. Who may not see customers is
        told the count alone.
        """
        told, size = self.told.setdefault(segment_id, 0), self.sizes.setdefault(segment_id, 0)
        if told >= state.next_offset and size == state.size:
            return
        while told < state.next_offset and self.sees_customers:
            moves = await on_lane(read_moves, segment_id, told, min(AT_ONCE, state.next_offset - told))
            if not moves:  # the segment was just deleted
                return
            for move in moves:
                yield _moved(segment_id, move)
            self.told[segment_id] = told = moves[-1].following
        self.told[segment_id], self.sizes[segment_id] = max(told, state.next_offset), state.size
        yield dumps({"type": "count", **_shown(segment_id, state)})


def wanted_offsets(scope: Mapping[str, Any]) -> dict[str, int | None]:
    """Answer from which offset on which segments are wanted, None: from now on. A min_offset belongs to the segment
    before it."""
    found: dict[str, int | None] = {}
    last: str | None = None
    for name, value in parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True):
        if name == "segment":
            last = value
            found[value] = None
        elif name == "min_offset":
            if last is None or not (value.isascii() and value.isdigit() and len(value) <= 18):
                raise Refused(UNUSABLE, "min_offset is a whole number from 0 on, after the segment that it is for")
            found[last] = int(value)
    return found


def gone(before: States, now: States) -> list[str]:
    """Answer the segments that were deleted, also those of which others have the ids since: offsets never go back."""
    return [key for key, state in before.items() if key not in now or now[key].next_offset < state.next_offset]


def _begin(offset: int | None, state: State) -> int:
    return state.next_offset if offset is None else offset


def _refuse_unknown(offsets: Mapping[str, object], current: States) -> None:
    for key in offsets:
        if key not in current:
            raise NotFound("Segment", key)


def _ready(states: States) -> bytes:
    return dumps({"type": "ready", "segments": [_shown(key, state) for key, state in states.items()]})


def _shown(segment_id: str, state: State) -> dict[str, Any]:
    return {
        "segment_id": segment_id,
        "size": state.size,
        "next_offset": state.next_offset,
        "changed_utc": state.changed_utc,
    }


def _moved(segment_id: str, move: Moved) -> bytes:
    return dumps(
        {
            "type": move.move,
            "segment_id": segment_id,
            "offset": move.offset,
            "customer_ids": move.customer_ids,
            "cause": move.cause,
            "rule_version": move.rule_version,
            "at": move.at,
        }
    )
