"""The transport of a connection: what the application says in one message leaves in one call of the system, at once."""

from __future__ import annotations

from typing import Any

from twisted.internet.tcp import Server as TCPServer


class Wire(TCPServer):
    """A connection that tries to send by itself before it asks the reactor to say when it may.

    Twisted collects what is written, registers with the event loop, is told a turn later that the socket takes
    something, sends, and takes the registration back: three calls of the system and a turn of the loop per message.
    """

    # Between `hold` and `release`: what is written is collected.
    is_held = False
    has_more = False

    def hold(self) -> None:
        """Collect what is written from now on; what is still on its way keeps its order."""
        self.is_held = not self.is_behind()

    def release(self) -> None:
        """Send what was collected; what the socket does not take now follows as Twisted does it."""
        self.is_held = False
        if not self.has_more:
            return
        self.has_more = False
        if not self.connected:
            return
        is_ending = self.disconnecting or self._writeDisconnecting
        # Errors and endings are the reactor's: it meets the same error again, and tells the protocol later.
        if is_ending or self.doWrite() is not None or self.is_behind():
            super().startWriting()

    def startWriting(self) -> None:  # noqa: N802
        """Ask the reactor to say when the socket takes something; not while what is written is collected."""
        if self.is_held:
            self.has_more = True
        else:
            super().startWriting()

    def is_behind(self) -> bool:
        """Answer whether the client has yet to take what was written before."""
        return bool(self.dataBuffer or self._tempDataBuffer)


def hold(transport: Any) -> Wire | None:
    """Hold a transport if it can be held; release the answer."""
    if not isinstance(transport, Wire):
        return None
    transport.hold()
    return transport
