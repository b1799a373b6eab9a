"""Long polls and server-sent events: who has to wait waits here, outside Django.

The view validates, authenticates, reads, and, when there is nothing to answer yet, hands over what is waited for. Its
own answer is dropped, all of its objects are freed, and this ASGI application goes on with a coroutine that holds
neither a thread nor a database connection nor a request.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

from rest_framework.response import Response

from parlant_site.common.error_answers import answer_error
from parlant_site.common.errors import NotFound
from parlant_site.common.lanes import Application, Receive, Scope, Send, on_lane
from parlant_site.common.rendering import dumps
from parlant_site.common.signs_of_life import begin_signs_of_life
from sessions_app import feed
from sessions_app.events import Kind
from sessions_app.follow import follow, follow_event
from sessions_app.holding import HOLDING, Headers, Holding, Moderating, Waiting
from sessions_app.lines import Line, as_list
from sessions_app.moderation import Verdict, moderate

# Both official clients give up after 60 s by themselves: the answer has to be there before.
LONGEST = 58
TIMED_OUT = dumps({"detail": "Request timed out"})
# A comment keeps proxies from closing a quiet stream.
QUIET = b": nothing new\n\n"
# Some clients lose events that reach them in one piece.
BETWEEN_FRAMES = 0.003

PATH = re.compile(r"/sessions/([^/]+)/events(?:/[^/]+)?")
STREAM_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    # Neither a proxy nor a compressor may hold back what was sent.
    (b"x-accel-buffering", b"no"),
    (b"content-encoding", b"identity"),
]


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
            if not isinstance(waiting, Waiting) or holding.is_gone:
                return
            headers = holding.headers
            del holding
            subscription.revision = waiting.revision
            left = min(waiting.seconds, LONGEST) - (time.monotonic() - asked)
            disconnected = asyncio.ensure_future(receive())
            disconnected.add_done_callback(lambda _: subscription.interrupt())
            try:
                if waiting.is_stream:
                    await _stream(subscription, waiting, headers, scope, send)
                elif waiting.event_id is not None:
                    await _answer_event(subscription, waiting.event_id, left, headers, send)
                else:
                    await _answer_poll(subscription, waiting, left, headers, send)
            finally:
                disconnected.cancel()

    async def _post(self, session_id: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application; what moderation looks at is posted then, what makes the agent speak answered by it."""
        holding = Holding(receive, send)
        await self.application({**scope, HOLDING: holding}, holding.receive, holding.send)
        waiting = holding.waiting
        if isinstance(waiting, Moderating):
            status, body = await _moderated(waiting)  # also for a client that is gone meanwhile, as any other message
            await _send_json(status, body, holding.headers, send)
            return
        if waiting is None or holding.is_gone:
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


async def _moderated(waiting: Moderating) -> tuple[int, bytes]:
    verdict = await moderate(waiting.message, waiting.moderation)
    response = await on_lane(_posted, waiting.post, verdict)
    return response.status_code, dumps(response.data)


def _posted(post: Callable[[Verdict], Response], verdict: Verdict) -> Response:
    try:
        return post(verdict)
    except Exception as error:
        return answer_error(error, {"view": "a message after its moderation"})


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
    if not subscription.is_interrupted:
        await _send_json(status, body, headers, send)


async def _send_json(status: int, body: bytes, headers: Headers, send: Send) -> None:
    described = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": [*headers, *described]})
    await send({"type": "http.response.body", "body": body})


async def _stream(
    subscription: feed.Subscription, waiting: Waiting, headers: Headers, scope: Scope, send: Send
) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [*headers, *STREAM_HEADERS]})
    # Says at once that the stream is open: the headers alone may wait in a buffer.
    await send(_part(QUIET))
    quiet = await begin_signs_of_life(_part(QUIET), scope, send)
    try:
        async for frame in _frames(subscription, waiting, quiet):
            await send(_part(frame))
            if frame is not QUIET:
                await asyncio.sleep(BETWEEN_FRAMES)
            if subscription.is_interrupted:
                return
    except NotFound:
        pass  # deleted meanwhile: the stream ends
    await send({"type": "http.response.body", "body": b"", "more_body": False})


def _part(part: bytes) -> dict[str, Any]:
    return {"type": "http.response.body", "body": part, "more_body": True}


async def _frames(subscription: feed.Subscription, waiting: Waiting, quiet: float) -> AsyncIterator[bytes]:
    if waiting.event_id is not None:
        async for line in follow_event(subscription, waiting.event_id, seconds=waiting.seconds):
            yield _frame(line)
        return
    async for step in follow(
        subscription,
        offset=waiting.offset,
        wanted=waiting.wanted,
        seconds=waiting.seconds,
        quiet=quiet,
    ):
        if not step.lines:
            yield QUIET
        for line in step.lines:
            yield _frame(line)


def _frame(line: Line) -> bytes:
    return b"id: %d\ndata: %b\n\n" % (line.offset, line.body)
