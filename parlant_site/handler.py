"""Django's ASGI handler, with everything synchronous about a request in one call on its lane."""

from __future__ import annotations

import asyncio
from contextlib import closing
from typing import IO, Any

from asgiref.sync import sync_to_async
from django.core import signals
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.http import FileResponse, HttpResponseBase
from django.urls import set_script_prefix

from parlant_site.common.lanes import Receive, Scope, Send


class Handler(ASGIHandler):
    """Goes to the lane once per request.

    Django's own handler runs the middleware in the event loop, and goes to a thread and back twice for each of them,
    once for the view, once before and once after it: some fifteen hand-overs, each of which waits for its turn.
    """

    def load_middleware(self, is_async: bool = False) -> None:
        """Load the chain as for WSGI, whatever is asked for: all of it is synchronous here."""
        super().load_middleware(is_async=False)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        try:
            body = await self.read_body(receive)
        except RequestAborted:
            return
        with closing(body):
            response = await sync_to_async(self._respond)(scope, body)
            if response.closed:
                await self.send_response(response, send)
                return
            try:
                await self._stream(response, receive, send)
            finally:
                await sync_to_async(response.close)()

    def _respond(self, scope: Scope, body: IO[bytes]) -> HttpResponseBase:
        """Answer what middleware and view answer: on the lane, with the signals around a request.

        What is no stream is in memory as a whole: the request is over then, before its answer is sent.
        """
        set_script_prefix(get_script_prefix(scope))
        signals.request_started.send(sender=self.__class__, scope=scope)
        request, refusal = self.create_request(scope, body)
        response: Any = self.get_response(request) if request is not None else refusal
        response._handler_class = self.__class__
        if isinstance(response, FileResponse):
            response.block_size = self.chunk_size
        if not response.streaming:
            response.close()
        return response

    async def _stream(self, response: HttpResponseBase, receive: Receive, send: Send) -> None:
        """Send a stream, until its end or until nobody is there any more."""
        sending = asyncio.ensure_future(self.send_response(response, send))
        gone = asyncio.ensure_future(receive())
        gone.add_done_callback(lambda _: sending.cancel())
        try:
            await sending
        except asyncio.CancelledError:
            if not gone.done():
                sending.cancel()
                raise
        finally:
            gone.cancel()
