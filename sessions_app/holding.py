"""What a view leaves behind when its request goes on waiting outside Django."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from parlant_site.common.lanes import Receive, Send
from sessions_app.events import Moderation
from sessions_app.lines import EVERYTHING, Wanted
from sessions_app.moderation import Verdict

HOLDING = "parlant.holding"
# Headers of the view's own answer that do not fit the one that comes instead.
REPLACED = {b"content-length", b"content-type", b"cache-control"}

Headers = tuple[tuple[bytes, bytes], ...]


@lru_cache(maxsize=256)
def _shared(headers: Headers) -> Headers:
    """Answer the same object for the same headers: thousands wait with them in hand."""
    return headers


@dataclass(frozen=True, slots=True)
class Waiting:
    """What a request waits for: events from an offset on, or the completion of one event.

    `revision` is that of the session when the view read it, before it found nothing; None: it has not read any events.
    """

    seconds: float
    offset: int = 0
    wanted: Wanted = EVERYTHING
    event_id: str | None = None
    is_stream: bool = False
    revision: int | None = None


@dataclass(frozen=True, slots=True)
class Moderating:
    """A message that is posted when moderation has answered. `post(verdict)` is called on a lane."""

    message: str
    moderation: Moderation
    post: Callable[[Verdict], Response]


def hand_over(request: Request, waiting: Waiting | Moderating) -> bool:
    """Have the request go on waiting outside Django, whatever the view answers now; False when nobody can."""
    holding: Holding | None = getattr(request._request, "scope", {}).get(HOLDING)
    if holding is None:
        return False
    holding.waiting = waiting
    return True


class Holding:
    """Passes on what Django sends, unless the view handed over: then only the headers are kept."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self.is_gone = False
        self.waiting: Waiting | Moderating | None = None
        self.headers: Headers = ()

    async def receive(self) -> Mapping[str, Any]:
        """Pass on a message; note that the client is gone, which is told only once."""
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self.is_gone = True
        return message

    async def send(self, message: Mapping[str, Any]) -> None:
        """Pass on or drop a message."""
        if self.waiting is None:
            await self._send(message)
        elif message["type"] == "http.response.start":
            kept = tuple((name, value) for name, value in message["headers"] if name.lower() not in REPLACED)
            self.headers = _shared(kept)
