"""HTTP requests as they arrive: a body that is too large is refused when that becomes known, not when it was read.

Daphne reads the whole body and queues it in memory before the application runs. Here a request whose announced or
received length goes beyond what its path may take is handed to the application at once, without its body; the
application answers 413 by the length alone (common/bodies.py), as it answers everything else.
"""

from collections.abc import Mapping
from typing import Any

from daphne.http_protocol import HTTPFactory, WebRequest
from twisted.internet import reactor as twisted_reactor
from twisted.web.http import toChunk

from parlant_site.common.bodies import largest_body

reactor: Any = twisted_reactor
# How long a client that was refused may go on sending before the connection is cut: one that is cut while it sends may
# never see the answer.
LINGER = 5.0


class Request(WebRequest):
    """A request whose body has a limit."""

    received = 0
    is_refused = False

    def gotLength(self, length: int | None) -> None:  # noqa: N802
        """Refuse a body that announces to be too large."""
        super().gotLength(0 if self._is_too_large(length or 0) else length)
        if self._is_too_large(length or 0):
            # Or else the channel would ask for the body: "100 Continue".
            self.requestHeaders.removeHeader(b"Expect")
            self._refuse()

    def handleContentChunk(self, data: bytes) -> None:  # noqa: N802
        """Keep a part of the body, until there is too much of it."""
        if self.is_refused:
            return
        self.received += len(data)
        if self._is_too_large(self.received):
            self.requestHeaders.setRawHeaders(b"Content-Length", [str(self.received).encode()])
            self.content.seek(0)
            self.content.truncate()
            self._refuse()
        else:
            super().handleContentChunk(data)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:  # noqa: N802
        """Run the application, unless it already answers the refused request."""
        if not self.is_refused:
            # Twisted looks at what is before this place: of a form it would make objects in memory, many times as large
            # as an upload, and let everybody wait meanwhile. Django reads forms itself, piece by piece.
            self.content.seek(0)
            super().requestReceived(command, path, version)

    def framed(self, message: Mapping[str, Any]) -> bytes:
        """Answer the bytes of a part of a body that is being sent."""
        part: bytes = message["body"]
        return b"".join(toChunk(part)) if self.chunked else part

    def takes_signs(self) -> bool:
        """Answer whether the answer goes on."""
        return not self.finished and not self._disconnected

    def _is_too_large(self, length: int) -> bool:
        return length > largest_body(self.channel._path.split(b"?", 1)[0].decode("latin-1"))

    def _refuse(self) -> None:
        channel = self.channel
        # The rest of the body is read and thrown away; after the answer the connection ends.
        channel.persistent = False
        channel.dataReceived = channel.rawDataReceived = lambda data: None
        channel.loseConnection = lambda: _close_gently(channel)
        # Said, too: a client that keeps its connections would else send its next request into the closing one.
        self.responseHeaders.setRawHeaders(b"Connection", [b"close"])
        super().requestReceived(channel._command, channel._path, channel._version)
        self.is_refused = True


def _close_gently(channel: Any) -> None:
    channel._networkProducer.unregisterProducer()
    channel.transport.loseWriteConnection()
    reactor.callLater(LINGER, channel.transport.abortConnection)


class Connections(HTTPFactory):
    """What builds the protocol of each connection."""

    def buildProtocol(self, addr: Any) -> Any:  # noqa: N802
        """Answer the protocol of a new connection."""
        protocol = super().buildProtocol(addr)
        protocol.requestFactory = Request
        return protocol
