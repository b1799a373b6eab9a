"""Signs of life on quiet connections, thousands of them: bytes that are framed once, and a wheel instead of timers."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from parlant_site.serving.wire import hold

# Those whose time comes within the same part of a second share a timer and a turn of the loop.
TICK = 0.25


class Quiet(Protocol):
    """What a connection's protocol knows about signs of life."""

    transport: Any

    def takes_signs(self) -> bool:
        """Answer whether a sign of life may be sent now."""


class Sign:
    """What is sent over a connection whenever nothing else was for some seconds."""

    __slots__ = ("data", "protocol", "seconds", "sent_at", "slot")

    def __init__(self, protocol: Quiet, data: bytes, seconds: float, now: float) -> None:
        self.protocol = protocol
        self.data = data
        self.seconds = seconds
        # When something was sent; on the loop's clock.
        self.sent_at = now
        self.slot = 0

    def send(self) -> None:
        """Send it, unless the client has yet to read what came before: then it would say nothing new."""
        transport = self.protocol.transport
        if not self.protocol.takes_signs() or transport.dataBuffer:
            return
        held = hold(transport)
        transport.write(self.data)
        if held:
            held.release()


class Wheel:
    """All signs of life by the time when they are due: until then a connection costs nothing."""

    def __init__(self) -> None:
        self._slots: dict[int, set[Sign]] = {}

    def put(self, sign: Sign) -> None:
        """Send the sign when its connection has been quiet for as long as it says."""
        sign.slot = int((sign.sent_at + sign.seconds) / TICK) + 1
        slot = self._slots.get(sign.slot)
        if slot is None:
            slot = self._slots[sign.slot] = set()
            asyncio.get_running_loop().call_at(sign.slot * TICK, self._turn, sign.slot)
        slot.add(sign)

    def take(self, sign: Sign) -> None:
        """Send the sign no more."""
        if slot := self._slots.get(sign.slot):
            slot.discard(sign)
        sign.slot = -1

    def _turn(self, number: int) -> None:
        now = asyncio.get_running_loop().time()
        due = self._slots.pop(number)
        # What was sent meanwhile moves the time only now, when one looks at it.
        quiet = [sign for sign in due if sign.sent_at + sign.seconds <= now]
        for sign in quiet:
            sign.sent_at = now
        for sign in due:
            self.put(sign)
        for sign in quiet:
            sign.send()
