"""WebSockets at the wire: closed with any code and with a reason, and no faster than the client reads."""

import asyncio
from collections.abc import Mapping
from typing import Any

from daphne.ws_protocol import WebSocketProtocol

# How long a client may take to confirm that the socket is closed.
CLOSE_SECONDS = 5
# How often it is looked whether a client that reads slowly has read on.
LOOK_SECONDS = 0.02


class _Anybody:
    """Stands for whoever produces what a socket sends: the transport notes by itself when it asks for a pause."""

    def pauseProducing(self) -> None:  # noqa: N802
        """See until_read."""

    resumeProducing = stopProducing = pauseProducing  # noqa: N815


ANYBODY = _Anybody()


class Socket(WebSocketProtocol):
    """A WebSocket whose closing tells the reason; Daphne drops it, and refuses 1012 (the service restarts)."""

    def onOpen(self) -> None:  # noqa: N802
        """Forget the handshake: a third of what an idle socket would keep in memory."""
        super().onOpen()
        # The HTTP channel that the socket came from, with its request.
        self.transport.unregisterProducer()
        self.transport.registerProducer(ANYBODY, True)
        self.http_headers: dict[str, str] = {}
        self.http_request_params: dict[str, list[str]] = {}
        self.http_request_data = self.http_response_data = b""

    def handle_reply(self, message: Mapping[str, Any]) -> None:
        """Do what the application says."""
        if message["type"] == "websocket.close" and self.state == self.STATE_OPEN:
            self.sendCloseFrame(code=message.get("code") or 1000, reasonUtf8=(message.get("reason") or "").encode())
        else:
            super().handle_reply(message)

    def sendData(self, data: bytes, sync: bool = False, chopsize: int | None = None) -> None:  # noqa: N802
        """Send a frame; Autobahn words a log entry for each, which takes longer than sending it."""
        if sync or chopsize or self.send_queue:
            super().sendData(data, sync, chopsize)
        else:
            self.transport.write(data)

    def framed(self, message: Mapping[str, Any]) -> bytes:
        """Answer the frame of a text that is to be sent."""
        return bytes(self.factory.prepareMessage(message["text"].encode()).payloadHybi)

    def takes_signs(self) -> bool:
        """Answer whether the socket is open."""
        return bool(self.state == self.STATE_OPEN)


async def until_read(protocol: Any) -> None:
    """Wait while a connection has more to send than its buffer should hold (64 KiB)."""
    # The transport itself notes when it asks who produces to pause.
    while getattr(protocol.transport, "producerPaused", False) and protocol.transport.connected:
        await asyncio.sleep(LOOK_SECONDS)
