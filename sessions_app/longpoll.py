"""Long polls and server-sent events: who has to wait waits here, outside Django.

The view validates, authenticates, reads, and, when there is nothing to answer yet, hands over what is waited for. Its
own answer is dropped, all of its objects are freed, and this ASGI application goes on with a coroutine that holds
neither a thread nor a database connection nor a request.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from rest_framework.request import Request

from parlant_site.common.errors import NotFound
from parlant_site.common.lanes import Application, Receive, Scope, Send
from parlant_site.common.rendering import dumps
from sessions_app import feed
from sessions_app.events import Kind
from sessions_app.follow import follow, follow_event
from sessions_app.lines import EVERYTHING, Line, Wanted, as_list

# Both official clients give up after 60 s by themselves: the answer has to be there before.
LONGEST = 58
TIMED_OUT = dumps({"detail": "Request timed out"})
# A comment keeps proxies from closing a quiet stream.
QUIET_SECONDS = 45
QUIET = b": nothing new\n\n"
# Some clients lose events that reach them in one piece.
BETWEEN_FRAMES = 0.003

HOLDING = "parlant.holding"
PATH = re.compile(r"/sessions/([^/]+)/events(?:/[^/]+)?")
STREAM_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    # Neither a proxy nor a compressor may hold back what was sent.
    (b"x-accel-buffering", b"no"),
    (b"content-encoding", b"identity"),
]
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


def hand_over(request: Request, waiting: Waiting) -> bool:
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
        self.waiting: Waiting | None = None
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


class HoldPolls:
    """An ASGI application that lets the reads of events of another one wait."""

    def __init__(self, application: Application) -> None:
        self.application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application, and then, if it handed over, wait and answer."""
        match = PATH.fullmatch(scope["path"]) if scope["method"] in ("GET", "POST") else None
        if match is not None and scope["method"] == "POST":
            await self._post(match[1], scope, receive, send)
            return
        if match is None:
            await self.application(scope, receive, send)
            return
        asked = time.monotonic()
        # The watch begins before the view reads: what comes in between is not missed.
        with feed.watch(match[1]) as subscription:
            holding = Holding(receive, send)
            # In a task of its own, which takes everything that the request left in its context along when it ends.
            await asyncio.create_task(
                _run(self.application, {**scope, HOLDING: holding}, holding.receive, holding.send)
            )
            waiting = holding.waiting
            if waiting is None or holding.is_gone:
                return
            headers = holding.headers
            del holding
            subscription.revision = waiting.revision
            left = min(waiting.seconds, LONGEST) - (time.monotonic() - asked)
            disconnected = asyncio.ensure_future(receive())
            disconnected.add_done_callback(lambda _: subscription.interrupt())
            try:
                if waiting.is_stream:
                    await _stream(subscription, waiting, headers, send)
                elif waiting.event_id is not None:
                    await _answer_event(subscription, waiting.event_id, left, headers, send)
                else:
                    await _answer_poll(subscription, waiting, left, headers, send)
            finally:
                disconnected.cancel()

    async def _post(self, session_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application, and if what was posted makes the agent speak, answer with what it says."""
        holding = Holding(receive, send)
        await self.application({**scope, HOLDING: holding}, holding.receive, holding.send)
        if (waiting := holding.waiting) is None or holding.is_gone:
            return
        # Nothing is missed between: following begins with a read from the posted event on.
        with feed.watch(session_id) as subscription:
            disconnected = asyncio.ensure_future(receive())
            disconnected.add_done_callback(lambda _: subscription.interrupt())
            try:
                await _answer_posted(subscription, waiting, min(waiting.seconds, LONGEST), holding.headers, send)
            finally:
                disconnected.cancel()


async def _run(application: Application, scope: Scope, receive: Receive, send: Send) -> None:
    await application(scope, receive, send)


async def _answer_poll(
    subscription: feed.Subscription, waiting: Waiting, left: float, headers: Headers, send: Send
) -> None:
    status, body = 504, TIMED_OUT
    try:
        async for step in follow(
            subscription, offset=waiting.offset, wanted=waiting.wanted, seconds=left, is_read=True
        ):
            status, body = 200, as_list(step.lines)
            break
    except NotFound as gone:
        status, body = gone.status, dumps({"detail": gone.detail})
    await _answer(subscription, status, body, headers, send)


async def _answer_posted(
    subscription: feed.Subscription, waiting: Waiting, left: float, headers: Headers, send: Send
) -> None:
    status, body = 504, TIMED_OUT
    try:
        async for step in follow(subscription, offset=waiting.offset, wanted=waiting.wanted, seconds=left):
            said = next((line for line in step.lines if line.kind == Kind.MESSAGE), None)
            ended = next((line for line in step.lines if line.kind == Kind.STATUS and b'"ready"' in line.body), None)
            if said or ended:
                # The agent could not say it: then its last status is the answer, and the timeline tells why.
                status, body = 201, (said or ended or step.lines[-1]).body
                break
    except NotFound as gone:
        status, body = gone.status, dumps({"detail": gone.detail})
    await _answer(subscription, status, body, headers, send)


async def _answer_event(
    subscription: feed.Subscription, event_id: str, left: float, headers: Headers, send: Send
) -> None:
    status, body = 504, TIMED_OUT
    try:
        # What did not get complete in time is answered as it is.
        async with asyncio.timeout(left):
            async for line in follow_event(subscription, event_id, seconds=left):
                status, body = 200, line.body
    except TimeoutError:
        pass
    except NotFound as gone:
        status, body = gone.status, dumps({"detail": gone.detail})
    await _answer(subscription, status, body, headers, send)


async def _answer(subscription: feed.Subscription, status: int, body: bytes, headers: Headers, send: Send) -> None:
    if subscription.is_interrupted:
        return
    described = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": [*headers, *described]})
    await send({"type": "http.response.body", "body": body})


async def _stream(subscription: feed.Subscription, waiting: Waiting, headers: Headers, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [*headers, *STREAM_HEADERS]})
    # Says at once that the stream is open: the headers alone may wait in a buffer.
    await _send_part(QUIET, send)
    try:
        async for frame in _frames(subscription, waiting):
            await _send_part(frame, send)
            if frame is not QUIET:
                await asyncio.sleep(BETWEEN_FRAMES)
            if subscription.is_interrupted:
                return
    except NotFound:
        pass  # deleted meanwhile: the stream ends
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _send_part(part: bytes, send: Send) -> None:
    await send({"type": "http.response.body", "body": part, "more_body": True})


async def _frames(subscription: feed.Subscription, waiting: Waiting) -> AsyncIterator[bytes]:
    if waiting.event_id is not None:
        async for line in follow_event(subscription, waiting.event_id, seconds=waiting.seconds):
            yield _frame(line)
        return
    async for step in follow(
        subscription,
        offset=waiting.offset,
        wanted=waiting.wanted,
        seconds=waiting.seconds,
        quiet=QUIET_SECONDS,
    ):
        if not step.lines:
            yield QUIET
        for line in step.lines:
            yield _frame(line)


def _frame(line: Line) -> bytes:
    return b"id: %d\ndata: %b\n\n" % (line.offset, line.body)
