"""Lanes: the few permanent threads on which everything synchronous runs, each with its kept database connection.

Django's own way under ASGI is a new thread for every request that waits and a new database connection for every
request. On lanes a request costs neither. Three rules follow:

* Waiting never happens on a lane: what waits is a coroutine, and it reads the database by `await on_lane(function)`.
* What a request starts and leaves running (a task, a callback of another thread) calls the database by `on_lane` too.
  The request's own lane is taken from it when the request ends: plain `sync_to_async` raises then.
* A function on a lane is short. Whatever may take long belongs to the operators' lanes or to a process of its own.
"""

from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Lock
from typing import Any, ParamSpec, TypeVar

from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.conf import settings
from django.db import close_old_connections

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
Application = Callable[[Any, Any, Any], Awaitable[None]]

P = ParamSpec("P")
R = TypeVar("R")


class Lane(ThreadPoolExecutor):
    """One thread, which knows how many calls are queued or running on it and how many connections ride on it."""

    def __init__(self, name: str) -> None:
        super().__init__(max_workers=1, thread_name_prefix=name)
        self._lock = Lock()
        self.calls = 0
        self.riders = 0

    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> "Future[R]":
        """Queue a call."""
        with self._lock:
            self.calls += 1
        try:
            future = super().submit(fn, *args, **kwargs)
        except BaseException:
            self._done(None)
            raise
        future.add_done_callback(self._done)
        return future

    def _done(self, _future: object) -> None:
        with self._lock:
            self.calls -= 1


class Lanes:
    """So many lanes, of which each newcomer gets the one with the least to do. Their threads start when first used."""

    def __init__(self, count: int, *, name: str) -> None:
        self._lanes = [Lane(f"{name}-{number}") for number in range(count)]

    def __len__(self) -> int:
        return len(self._lanes)

    def calls(self) -> int:
        """Answer how many calls are queued or running."""
        return sum(lane.calls for lane in self._lanes)

    def least_loaded(self) -> Lane:
        """Answer the lane with the fewest calls, and of those the one with the fewest riders."""
        return min(self._lanes, key=lambda lane: (lane.calls, lane.riders))


class OnLanes:
    """An ASGI application whose synchronous parts run on one lane per connection."""

    def __init__(self, application: Application, *, choose: Callable[[Scope], Lanes]) -> None:
        self.application = application
        self.choose = choose

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application for one connection."""
        lane = self.choose(scope).least_loaded()
        lane.riders += 1
        try:
            async with ThreadSensitiveContext(executor=lane):
                await self.application(scope, receive, send)
        finally:
            lane.riders -= 1


async def on_lane(function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """Call a synchronous function on the lane that has the least to do, and answer what it answers.

    For what is no request: what waits, background work, WebSocket consumers. A pooled database connection goes back to
    the pool afterwards, as at the end of a request.
    """
    async with ThreadSensitiveContext(executor=API_LANES.least_loaded()):
        return await sync_to_async(_with_tidy_connections)(function, *args, **kwargs)


def _with_tidy_connections(function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    close_old_connections()
    try:
        return function(*args, **kwargs)
    finally:
        close_old_connections()


def lanes_for(scope: Scope) -> Lanes:
    """Answer the lanes of a connection: operators' pages, which may count or export long, have two of their own."""
    return OPERATORS_LANES if scope.get("path", "").startswith("/admin/") else API_LANES


API_LANES = Lanes(settings.PARLANT_LANES, name="lane")
OPERATORS_LANES = Lanes(2, name="operators-lane")
