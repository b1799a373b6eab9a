"""WebSockets. docs/websocket.md says what travels in which direction; docs/websocket.schema.json how it looks.

Channels would pass every message by way of a channel layer and a thread, and costs a channel per client: here one task
per client follows its session (follow.py) and sends by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any, ClassVar
from urllib.parse import parse_qs

import orjson
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings

from parlant_site.common.errors import NotFound
from parlant_site.common.json import JSONValue, UnusableJSON, parse
from parlant_site.common.lanes import Receive, on_lane
from parlant_site.common.rendering import dumps
from parlant_site.common.signs_of_life import begin_signs_of_life
from sessions_app import feed
from sessions_app.callers import Answer, Caller, chosen_subprotocol
from sessions_app.follow import follow
from sessions_app.overview import read_overview

SERVER_ENDS = 1012
NOT_ALLOWED = 4403
UNKNOWN = 4404
TOO_SLOW = 4408
UNUSABLE = 4422
TOO_MANY = 4429
CLOSE_CODES = {401: NOT_ALLOWED, 403: NOT_ALLOWED, 404: UNKNOWN, 422: UNUSABLE, 429: TOO_MANY}
LONGEST_REASON = 120  # bytes; the protocol allows 123

HEARTBEAT = dumps({"type": "heartbeat"})
# How long a client may leave its buffer full (see serving/: the server stops sending at 64 KiB) before it is given up.
PATIENCE_SECONDS = 10
# No session has so many events: a list from here on asks for nothing but whether one may list.
BEYOND = 2**62


class Refused(Exception):
    """The socket is closed with a code and a reason."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason

    @classmethod
    def by(cls, answer: Answer) -> Refused:
        """Answer the refusal that corresponds to one of the REST API."""
        reason = answer.detail if isinstance(answer.detail, str) else dumps(answer.detail).decode()
        return cls(CLOSE_CODES.get(answer.status, 1011), reason)


class Pushing(AsyncWebsocketConsumer):
    """A WebSocket over which frames are pushed while what the client writes is taken."""

    async def __call__(self, scope: Any, receive: Receive, send: Any) -> None:
        """Serve one connection until either side ends it."""
        self.scope = scope
        self.base_send = self.write = send
        await receive()
        # Accepted first, or else the client would never learn the code with which it is closed.
        await self.accept(chosen_subprotocol(scope.get("subprotocols", [])))
        self.caller = Caller(scope)
        serving = asyncio.current_task()
        assert serving is not None

        def stop_serving(_: object) -> None:
            serving.cancel()

        taking = asyncio.ensure_future(self._take_all(receive))
        taking.add_done_callback(stop_serving)
        try:
            await self._push()
        except asyncio.CancelledError:
            if not taking.done():
                raise
        finally:
            taking.remove_done_callback(stop_serving)
            taking.cancel()

    # A path of the REST API, and its query, that the caller must be allowed to read; and when to ask that again.
    needs: ClassVar[tuple[str, str]] = ("", "")
    _check_at = 0.0

    def frames(self) -> AsyncIterator[bytes]:
        """Yield what is to be sent; Refused closes, the end means that the process ends."""
        raise NotImplementedError

    async def check(self) -> None:
        """Raise Refused unless the caller may read what it `needs`; asked again once in a heartbeat.

        For the right may be taken away, and where much happens no quiet moment comes.
        """
        now = asyncio.get_running_loop().time()
        if now < self._check_at:
            return
        path, query = self.needs
        answer = await self.caller.call("GET", path, query=query)
        if not answer.is_fine:
            raise Refused.by(answer)
        self._check_at = now + settings.PARLANT_HEARTBEAT_SECONDS

    async def take(self, message: Any) -> None:
        """Take what the client sent."""
        if isinstance(text := message.get("text"), str) and is_ping(text):
            await self.push(HEARTBEAT)

    async def push(self, frame: bytes) -> None:
        """Send a frame; Refused when the client does not read."""
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self.write(_frame(frame))
        except TimeoutError:
            raise Refused(TOO_SLOW, "You read too slowly. Reconnect from the last offset that you have") from None

    async def _take_all(self, receive: Receive) -> None:
        """Take what the client sends until it is gone."""
        try:
            while (message := await receive())["type"] != "websocket.disconnect":
                await self.take(message)
        except Refused as refused:
            await self._end(refused.code, refused.reason)

    async def _push(self) -> None:
        try:
            if not self.caller.is_welcome():
                raise Refused(NOT_ALLOWED, "Pages of this origin may not connect")
            async for frame in self.frames():
                await self.push(frame)
            await self._end(SERVER_ENDS, "The server restarts. Reconnect")
        except NotFound as gone:
            await self._end(UNKNOWN, gone.detail)
        except Refused as refused:
            await self._end(refused.code, refused.reason)

    async def _end(self, code: int, reason: str) -> None:
        short = reason.encode()[:LONGEST_REASON].decode(errors="ignore")
        await self.write({"type": "websocket.close", "code": code, "reason": short})


class FollowSession(Pushing):
    """`/ws/sessions/{id}?min_offset=N`: the session's events as they come; the client may post events too."""

    @property
    def path(self) -> str:
        """The REST path of the session's events."""
        return f"/sessions/{self.scope['url_route']['kwargs']['session_id']}/events"

    async def frames(self) -> AsyncIterator[bytes]:
        """Yield the events from min_offset on, and again those that change while they are written."""
        offset = _min_offset(self.scope)
        answer = await self.caller.call("GET", self.path, query=f"min_offset={BEYOND}&wait_for_data=0")
        if not answer.is_fine:
            raise Refused.by(answer)
        quiet = await begin_signs_of_life(_frame(HEARTBEAT), self.scope, self.write)
        with feed.watch(self.scope["url_route"]["kwargs"]["session_id"]) as subscription:
            async for step in follow(subscription, offset=offset, quiet=quiet, changes=True):
                for line in (*step.changed, *step.lines):
                    yield line.body
                if not step.changed and not step.lines:
                    yield HEARTBEAT

    async def take(self, message: Any) -> None:
        """Post what the client sent, by the rules of the REST API; or answer a ping."""
        text = message.get("text")
        if text is None:
            await self._refuse(None, Answer(422, {"detail": "Frames are JSON texts"}))
            return
        try:
            frame = parse(text.encode())
        except (UnusableJSON, UnicodeEncodeError) as error:
            await self._refuse(None, Answer(422, {"detail": str(error)}))
            return
        if not isinstance(frame, dict):
            await self._refuse(None, Answer(422, {"detail": "Frames are JSON objects"}))
        elif frame.get("type") == "ping":
            await self.push(HEARTBEAT)
        else:
            await self._post(frame)

    async def _post(self, frame: dict[str, JSONValue]) -> None:
        ref = frame.pop("ref", None)
        answer = await self.caller.call("POST", self.path, body=dumps(frame))
        if answer.is_fine:
            await self.push(dumps({"type": "posted", "ref": ref, "event": answer.body}))
        else:
            await self._refuse(ref, answer)

    async def _refuse(self, ref: JSONValue, answer: Answer) -> None:
        await self.push(dumps({"type": "refused", "ref": ref, "status": answer.status, "detail": answer.detail}))


class FollowAllSessions(Pushing):
    """`/ws/sessions`, for operators: what changes about any session they may see."""

    needs = ("/sessions", "limit=1")

    async def frames(self) -> AsyncIterator[bytes]:
        """Yield an overview of each session that changed, the newest state of it only."""
        with feed.watch_all() as changes:
            await self.check()
            yield dumps({"type": "ready"})
            while not changes.is_over:
                try:
                    async with asyncio.timeout(settings.PARLANT_HEARTBEAT_SECONDS):
                        changed = frozenset(await changes.next())
                except TimeoutError:
                    await self.check()
                    yield HEARTBEAT
                    continue
                await self.check()
                for frame in await changes.read_once(changed, lambda: on_lane(read_overview, changed)):  # noqa: B023
                    yield frame


class Nowhere(Pushing):
    """Any other path."""

    async def frames(self) -> AsyncIterator[bytes]:
        """Refuse."""
        raise Refused(UNKNOWN, "There is nothing at this path")
        yield b""


def _frame(text: bytes) -> dict[str, Any]:
    return {"type": "websocket.send", "text": text.decode()}


def is_ping(text: str) -> bool:
    """Answer whether a frame asks for a sign of life."""
    try:
        frame = orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return isinstance(frame, dict) and frame.get("type") == "ping"


def _min_offset(scope: Mapping[str, Any]) -> int:
    text = parse_qs(scope["query_string"].decode("latin-1")).get("min_offset", ["0"])[0]
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise Refused(UNUSABLE, "min_offset is a whole number from 0 on")
    return int(text)
