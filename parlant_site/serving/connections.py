"""How connections come in, and what waits for their applications: with little memory, however many come at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from twisted.internet import reactor as twisted_reactor
from twisted.internet.tcp import Port

from parlant_site.common.lanes import API_LANES
from parlant_site.serving.wire import Wire

reactor: Any = twisted_reactor
# So many connections are let in at once. The next ones follow when these have asked for something and no more calls
# than this wait for each lane,
AT_ONCE = 8
CALLS_PER_LANE = 2
LOOK_SECONDS = 0.005
# or after this time: who connects without asking, or works the lanes hard, does not keep the others out.
LONGEST_PAUSE = 0.1


class Door(Port):
    """A listening port that lets connections in as fast as their requests are looked at.

    A thousand clients that come back at once, after a restart, would else be a thousand requests in memory at the same
    time, and what was taken for them is never given back. They wait in the kernel, which costs nothing.
    """

    transport = Wire
    # How many requests there have been.
    requests: Callable[[], int]

    def doRead(self) -> None:  # noqa: N802
        """Let some in."""
        before = self.sessionno
        self.numberAccepts = min(self.numberAccepts, AT_ONCE)
        super().doRead()
        newcomers = self.sessionno - before
        if newcomers >= AT_ONCE or _is_busy():
            self.stopReading()
            self._look_later(self.requests() + newcomers, reactor.seconds() + LONGEST_PAUSE)

    def _look_later(self, requests: int, deadline: float) -> None:
        reactor.callLater(LOOK_SECONDS, self._look, requests, deadline)

    def _look(self, requests: int, deadline: float) -> None:
        if not self.connected or self.disconnecting:
            return
        if reactor.seconds() < deadline and (self.requests() < requests or _is_busy()):
            self._look_later(requests, deadline)
        else:
            self.startReading()


def _is_busy() -> bool:
    return API_LANES.calls() > CALLS_PER_LANE * len(API_LANES)


class Inbox:
    """What a connection's application has yet to receive, one receiver at a time: a tenth of an asyncio.Queue."""

    __slots__ = ("_arrival", "_messages")

    def __init__(self) -> None:
        self._messages: list[Mapping[str, Any]] = []
        self._arrival: asyncio.Future[None] | None = None

    def put_nowait(self, message: Mapping[str, Any]) -> None:
        """Add a message."""
        self._messages.append(message)
        if self._arrival is not None and not self._arrival.done():
            self._arrival.set_result(None)

    async def get(self) -> Mapping[str, Any]:
        """Wait for the next message and answer it."""
        while not self._messages:
            self._arrival = asyncio.get_running_loop().create_future()
            try:
                await self._arrival
            finally:
                self._arrival = None
        return self._messages.pop(0)
