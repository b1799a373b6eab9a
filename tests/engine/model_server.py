"""A small OpenAI-compatible server over real HTTP, which says what a test told it to."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Say:
    """One answer of the model."""

    text: str = ""
    # Calls of tools: name and arguments.
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    status: int = 200
    after: float = 0.0
    # Seconds between the words of a streamed answer.
    pace: float = 0.0
    # The streamed answer breaks off after so many words.
    breaks_after: int | None = None


@dataclass
class ModelServer:
    """What it will say, and what it was asked."""

    url: str
    says: list[Say] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    # The keys that it was sent; it repeats them when it complains, as some servers do.
    keys: list[str] = field(default_factory=list)
    # While it is closed, nobody gets an answer.
    gate: threading.Event = field(default_factory=threading.Event)


@contextmanager
def model_server() -> Iterator[ModelServer]:
    """Run the server until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.model = ModelServer(f"http://127.0.0.1:{server.server_port}/v1")  # type: ignore[attr-defined]
    server.model.gate.set()  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.model  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        server.server_close()


USAGE = {"prompt_tokens": 12, "completion_tokens": 7, "total_tokens": 19}
CHUNK = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "stub"}


class Handler(BaseHTTPRequestHandler):
    """Answers chat completions and moderations."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        """Answer."""
        model: ModelServer = self.server.model  # type: ignore[attr-defined]
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        model.asked.append(body)
        model.keys.append(self.headers.get("Authorization", "").removeprefix("Bearer "))
        model.gate.wait(30)
        if self.path.endswith("/moderations"):
            return self._json(200, moderation(body["input"]))
        say = model.says.pop(0) if len(model.says) > 1 else model.says[0]
        time.sleep(say.after)
        if say.status != 200:
            return self._json(
                say.status, {"error": {"message": f"secret inner text {model.keys[-1]}", "type": "server_error"}}
            )
        if body.get("stream"):
            return self._stream(say, has_usage=bool(body.get("stream_options", {}).get("include_usage")))
        return self._json(200, completion(say))

    def _json(self, status: int, answer: Any) -> None:
        text = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def _stream(self, say: Say, *, has_usage: bool) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        words = say.text.split(" ")
        for place, word in enumerate(words):
            if place == say.breaks_after:
                return
            self._frame({"content": word if place == 0 else f" {word}"})
            time.sleep(say.pace)
        if say.calls:
            self._frame({"tool_calls": [{"index": at, **one} for at, one in enumerate(calls(say))]})
        self._frame({}, "tool_calls" if say.calls else "stop")
        if has_usage:
            self._write({**CHUNK, "choices": [], "usage": USAGE})
        self.wfile.write(b"data: [DONE]\n\n")

    def _frame(self, delta: dict[str, Any], reason: str | None = None) -> None:
        choice = {"index": 0, "delta": {"role": "assistant", **delta}, "finish_reason": reason}
        self._write({**CHUNK, "choices": [choice]})

    def _write(self, chunk: dict[str, Any]) -> None:
        self.wfile.write(f"data: {json.dumps(chunk)}\n\n".encode())
        self.wfile.flush()


def calls(say: Say) -> list[dict[str, Any]]:
    """Answer the calls of tools as the API writes them."""
    return [
        {"id": f"call-{at}", "type": "function", "function": {"name": name, "arguments": json.dumps(arguments)}}
        for at, (name, arguments) in enumerate(say.calls)
    ]


def completion(say: Say) -> dict[str, Any]:
    """Answer a whole chat completion."""
    message: dict[str, Any] = {"role": "assistant", "content": say.text or None}
    if say.calls:
        message["tool_calls"] = calls(say)
    return {
        "id": "c1",
        "object": "chat.completion",
        "created": 1,
        "model": "stub",
        "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls" if say.calls else "stop"}],
        "usage": USAGE,
    }


CATEGORIES = [
    "harassment", "harassment/threatening", "hate", "hate/threatening", "illicit", "illicit/violent", "self-harm",
    "self-harm/instructions", "self-harm/intent", "sexual", "sexual/minors", "violence", "violence/graphic",
]  # fmt: skip


def moderation(text: str) -> dict[str, Any]:
    """Flag what says `hate`; find `rude` 30 % likely to be harassment."""
    flags = {name: name == "hate" and "hate" in text for name in CATEGORIES}
    scores = {name: 0.3 if name == "harassment" and "rude" in text else float(flags[name]) for name in CATEGORIES}
    kinds = {name: ["text"] for name in CATEGORIES}
    result = {
        "flagged": any(flags.values()),
        "categories": flags,
        "category_scores": scores,
        "category_applied_input_types": kinds,
    }
    return {"id": "m1", "model": "stub", "results": [result]}
