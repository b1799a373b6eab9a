"""Daphne's Server for a product: it starts and stops background work, ends without dropping anybody, reaps at once."""

# Before anything else that imports Twisted: it installs the asyncio reactor.
from daphne.server import Server as DaphneServer  # isort: skip

import asyncio
import gc
import logging
import os
import socket
import threading
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Any

from twisted.internet import reactor as twisted_reactor
from twisted.internet.defer import Deferred

from parlant_site.common import lifecycle
from parlant_site.common.signs_of_life import EXTENSION
from parlant_site.serving.connections import Door, Inbox
from parlant_site.serving.quiet import Sign, Wheel
from parlant_site.serving.requests import Connections
from parlant_site.serving.sockets import CLOSE_SECONDS, Socket, until_read
from parlant_site.serving.wire import hold

reactor: Any = twisted_reactor
logger = logging.getLogger(__name__)

# Daphne's own 50 makes a thousand clients that connect at once wait for seconds.
BACKLOG = 4096
EXTENSIONS: dict[str, dict[str, Any]] = {EXTENSION: {}}
# What a SIGTERM grants: to the requests that are being answered, and then, whatever happens, to the process.
GRACE = 3.0
LAST_MOMENT = 4.7


class Server(DaphneServer):
    """One process that serves an ASGI application until SIGINT or SIGTERM.

    It listens on `sockets`, which are bound already (so that a taken port is known early), or on Daphne's endpoints.
    """

    def __init__(
        self,
        application: Any,
        *,
        sockets: Sequence[socket.socket] = (),
        endpoints: Sequence[str] = (),
        roles: Collection[lifecycle.Role] = ("web", "agents"),
        ready: Callable[[], None] = lambda: None,
        **options: Any,
    ) -> None:
        super().__init__(application, endpoints=endpoints or ["sockets"], ready_callable=self._begin, **options)
        self.endpoints = list(endpoints)
        self.sockets = sockets
        self.roles = roles
        self.ready = ready
        self.ports: list[Any] = []
        self.requests = 0
        self.wheel = Wheel()
        self.failure: BaseException | None = None

    def _begin(self) -> None:
        self.ws_factory.protocol = Socket
        self.ws_factory.setProtocolOptions(closeHandshakeTimeout=CLOSE_SECONDS)
        reactor.callWhenRunning(lambda: asyncio.ensure_future(self._start()))

    async def _start(self) -> None:
        try:
            await lifecycle.start(roles=self.roles)
            connections = Connections(self)
            for bound in self.sockets:
                bound.listen(BACKLOG)
                bound.setblocking(False)
                door = Door._fromListeningDescriptor(reactor, bound.fileno(), bound.family, connections)
                door.requests = lambda: self.requests
                door.startListening()
                self.ports.append(door)
                bound.close()
            _calm_the_garbage_collector()
            self.ready()
        except Exception as error:
            self.failure = error
            self.stop()

    async def handle_reply(self, protocol: Any, message: Any) -> None:
        """Send what the application says, no faster than the client reads: or else it would queue up in memory."""
        details = self.connections.get(protocol, {})
        if message["type"] == EXTENSION:
            self._begin_signs(protocol, details, message)
            return
        held = hold(protocol.transport)
        try:
            await super().handle_reply(protocol, message)
        finally:
            if held:
                held.release()
        if sign := details.get("sign"):
            sign.sent_at = asyncio.get_running_loop().time()
        await until_read(protocol)

    def _begin_signs(self, protocol: Any, details: dict[str, Any], message: Any) -> None:
        if details and "disconnected" not in details:
            now = asyncio.get_running_loop().time()
            details["sign"] = Sign(protocol, protocol.framed(message["message"]), message["seconds"], now)
            self.wheel.put(details["sign"])

    # Reaping: the parent looks once a second at all applications for those that are done; under load they pile up.

    def create_application(self, protocol: Any, scope: Any) -> Any:
        """Start the application for a connection; answer its queue of messages."""
        details = self.connections.get(protocol)
        if details is None:
            return None
        self.requests += 1
        inbox = Inbox()
        scope.setdefault("asgi", {"version": "3.0"})
        scope.setdefault("extensions", EXTENSIONS)
        application = self.application(scope, inbox.get, partial(self.handle_reply, protocol))
        details["application_instance"] = asyncio.ensure_future(application)
        details["application_instance"].add_done_callback(partial(self._reap, protocol))
        return inbox

    def protocol_disconnected(self, protocol: Any) -> None:
        """Note that a connection is gone; forget it when its application is gone too."""
        if protocol in self.connections:
            super().protocol_disconnected(protocol)
            if sign := self.connections[protocol].pop("sign", None):
                self.wheel.take(sign)
            self._forget_if_over(protocol)
            if protocol in self.connections:
                reactor.callLater(self.application_close_timeout, self._cut_off, protocol)

    def _cut_off(self, protocol: Any) -> None:
        application = self.connections.get(protocol, {}).get("application_instance")
        if application and not application.done():
            logger.warning("%r goes on although its client has long been gone: it is cut off", protocol)
            application.cancel()

    def application_checker(self) -> None:
        """Do nothing: whatever ends says so itself."""

    def timeout_checker(self) -> None:
        """Do nothing: no answer and no socket is too old, and the wheel gives quiet ones a sign of life."""

    def _reap(self, protocol: Any, application: "asyncio.Future[None]") -> None:
        details = self.connections.get(protocol)
        error = None if application.cancelled() else application.exception()
        if error:
            logger.error("Exception inside application: %s", error, exc_info=error)
        if details is None or details.pop("application_instance", None) is None:
            return
        if error and not details.get("disconnected"):
            protocol.handle_exception(error)
        self._forget_if_over(protocol)

    def _forget_if_over(self, protocol: Any) -> None:
        details = self.connections.get(protocol)
        if details and details.get("disconnected") and "application_instance" not in details:
            del self.connections[protocol]

    # Stopping: the parent cancels every application, so whoever waits is cut off without an answer.

    def kill_all_applications(self) -> "Deferred[None]":
        """Let everybody finish: the reactor ends when the deferred fires."""
        # A synchronous view that does not return would keep its thread, and with it the process, for ever.
        watchdog = threading.Timer(LAST_MOMENT, _leave)
        watchdog.daemon = True
        watchdog.start()
        return Deferred.fromFuture(asyncio.ensure_future(self._drain()))

    async def _drain(self) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + GRACE
        for port in self.ports:
            port.stopListening()
        await lifecycle.stop(grace=GRACE)
        while (running := self._running()) and loop.time() < deadline:
            await asyncio.wait(running, timeout=deadline - loop.time())
        if running := self._running():
            logger.warning("%d requests were not finished within %s s and are cut off", len(running), GRACE)
            for application in running:
                application.cancel()
            await asyncio.wait(running, timeout=0.5)
        await self._flush()

    def _running(self) -> "list[asyncio.Future[None]]":
        found = (details.get("application_instance") for details in self.connections.values())
        return [application for application in found if application and not application.done()]

    async def _flush(self) -> None:
        """Close what is still connected, after what was written to it has been sent."""
        for reader in reactor.getReaders():
            if hasattr(reader, "loseConnection") and reader not in self.ports:
                reader.loseConnection()
        for _ in range(50):
            if not reactor.getWriters():
                return
            await asyncio.sleep(0.01)


def _calm_the_garbage_collector() -> None:
    """Keep the collector from stopping everybody for 200 ms in the middle of a wake-up.

    What the process is made of never becomes garbage: it need not be looked at again and again. A request leaves 150
    objects that only the collector finds: looked at ten requests at a time they cost a millisecond, a hundred at a time
    ten. Thousands of waiters are many objects that stay: they are looked at rarely.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(2_000, 10, 100)


def _leave() -> None:
    logger.error("A request did not end; the process ends without it")
    logging.shutdown()
    os._exit(1)
