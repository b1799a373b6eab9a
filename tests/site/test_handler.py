"""Requests as Django sees them behind our handler."""

from __future__ import annotations

import asyncio
from threading import current_thread
from typing import Any

import httpx
import pytest
from django.conf import settings
from django.core import signals
from django.http import HttpResponse, StreamingHttpResponse

from parlant_site.handler import Handler
from tests.processes import Server

pytestmark = pytest.mark.one_database


class Wire:
    """A server's side of one request: what was sent, and a client that may go away."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.is_gone = asyncio.Event()
        self._body = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive(self) -> dict[str, Any]:
        if self._body:
            return self._body.pop()
        await self.is_gone.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        self.sent.append(message)

    async def ask(self, handler: Handler, path: str = "/tags") -> None:
        scope = {"type": "http", "method": "GET", "path": path, "headers": [(b"host", b"127.0.0.1")]}
        await handler(scope, self.receive, self.send)


def handler_of(view: Any) -> Handler:
    handler = Handler()
    handler._middleware_chain = view
    return handler


async def test_a_request_is_one_call_on_one_thread() -> None:
    threads = []

    def note(**_: object) -> None:
        threads.append(current_thread())

    def view(_: object) -> HttpResponse:
        note()
        return HttpResponse("fine")

    signals.request_started.connect(note)
    signals.request_finished.connect(note)
    try:
        wire = Wire()
        await wire.ask(handler_of(view))
    finally:
        signals.request_started.disconnect(note)
        signals.request_finished.disconnect(note)
    assert len(threads) == 3
    assert len(set(threads)) == 1
    assert b"".join(message.get("body", b"") for message in wire.sent) == b"fine"


async def test_a_stream_ends_with_its_reader_and_is_closed() -> None:
    wire = Wire()

    async def parts() -> Any:
        yield b"first"
        wire.is_gone.set()
        await asyncio.Event().wait()

    response = StreamingHttpResponse(parts())
    await asyncio.wait_for(wire.ask(handler_of(lambda _: response)), 5)
    assert wire.sent[1]["body"] == b"first"
    assert response.closed


async def test_a_stream_is_sent_whole() -> None:
    async def parts() -> Any:
        for number in range(3):
            yield b"%d" % number

    wire = Wire()
    await asyncio.wait_for(wire.ask(handler_of(lambda _: StreamingHttpResponse(parts()))), 5)
    assert b"".join(message.get("body", b"") for message in wire.sent) == b"012"


def test_the_api_knows_no_cookies(server: Server, http: httpx.Client) -> None:
    answer = http.get("/tags", headers={"Cookie": f"{settings.SESSION_COOKIE_NAME}=x", "Accept-Language": "de"})
    assert answer.status_code == 200
    assert "cookie" not in answer.headers.get("vary", "").lower()
    assert "set-cookie" not in answer.headers


def test_pages_have_sessions_and_refuse_what_bears_no_csrf_token(server: Server) -> None:
    with httpx.Client(base_url=server.url) as browser:
        page = browser.get("/admin/login/")
        assert "csrftoken" in browser.cookies
        assert "cookie" in page.headers["vary"].lower()
        assert browser.post("/admin/login/", data={"username": "x", "password": "y"}).status_code == 403
