"""WebSockets of tests: every frame that is received is checked against the documented schema."""

from __future__ import annotations

import json
from typing import Any

import jsonschema
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from tests.processes import ROOT, Server

SCHEMA = json.loads((ROOT / "docs" / "websocket.schema.json").read_text())


def definition(name: str) -> Any:
    """Answer a validator for one of the schema's definitions."""
    return jsonschema.Draft202012Validator({**SCHEMA, "$ref": f"#/$defs/{name}"})


class Socket:
    """An open WebSocket."""

    def __init__(self, server: Server, path: str, **options: Any) -> None:
        self._opening = connect(server.url.replace("http", "ws") + path, open_timeout=10, max_size=2**24, **options)
        self.connection: ClientConnection = self._opening.__enter__()
        shapes = {"/ws/sessions/": "from_server", "/ws/segments": "from_server_about_segments"}
        named = (name for prefix, name in shapes.items() if path.startswith(prefix))
        self._schema = definition(next(named, "from_server_to_operators"))

    def __enter__(self) -> Socket:
        return self

    def __exit__(self, *error: Any) -> None:
        self._opening.__exit__(*error)

    def receive(self, timeout: float = 10) -> Any:
        """Answer the next frame."""
        frame = json.loads(self.connection.recv(timeout=timeout))
        self._schema.validate(frame)
        return frame

    def receive_nothing(self, seconds: float) -> None:
        """See to it that no frame comes."""
        try:
            frame = self.connection.recv(timeout=seconds)
        except TimeoutError:
            return
        raise AssertionError(f"unexpected frame: {frame!r}")

    def send(self, frame: Any) -> None:
        """Send a frame that follows the schema."""
        definition("from_client").validate(frame)
        self.connection.send(json.dumps(frame))

    def send_anything(self, text: str | bytes) -> None:
        """Send a frame that need not follow the schema."""
        self.connection.send(text)

    def close_code(self, timeout: float = 10) -> tuple[int, str]:
        """Wait for the server to close, whatever frames come before, and answer the code and the reason."""
        with pytest.raises(ConnectionClosed) as closed:
            self._receive_to_the_end(timeout)
        assert closed.value.rcvd is not None, closed.value
        return closed.value.rcvd.code, closed.value.rcvd.reason

    def _receive_to_the_end(self, timeout: float) -> None:
        while True:
            self.connection.recv(timeout=timeout)
