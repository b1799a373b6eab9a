"""Many who wait on one process: what they cost, and that everybody is served."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.db import connection

from bench.crowd import Caller, Waiter, gather, percentile, resident_kib, settled, threads
from customers.models import GUEST_ID, Customer
from parlant_site.asgi import application
from parlant_site.common.lanes import on_lane
from sessions_app import feed, lines
from sessions_app import follow as following
from sessions_app.events import Kind, Source
from sessions_app.holding import HOLDING, Waiting
from sessions_app.longpoll import HoldPolls
from sessions_app.models import Agent, Session
from tests.processes import Server, open_files, start_server

POLLS, STREAMS, SOCKETS = 1000, 200, 200
# The lanes, each with its connection, and the safety net with its own; the event loop; what reads static files; what
# psycopg's pool keeps its connections with.
MOST_CONNECTIONS = settings.PARLANT_LANES + 1
MOST_THREADS = settings.PARLANT_LANES + (3 if connection.vendor == "sqlite" else 7)


def backends() -> set[int]:
    """Answer the processes in which PostgreSQL serves the connections to the test database."""
    if connection.vendor == "sqlite":
        return set()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pid FROM pg_stat_activity WHERE datname = current_database()")
        return {row[0] for row in cursor.fetchall()}


async def database_connections(server: Server, others: set[int]) -> int:
    """Answer how many connections a server has to the test database, on which there are the `others` besides."""
    if connection.vendor == "sqlite":
        return sum(name.endswith(".sqlite3") for name in open_files(server.pid))
    return len(await on_lane(backends) - others)


def sockets_of(pid: int) -> int:
    """Answer how many sockets a process has open."""
    return sum(name.startswith("socket:") for name in open_files(pid))


@pytest.mark.timeout(180)
async def test_a_crowd_costs_neither_threads_nor_connections_and_misses_nothing(database: None) -> None:
    others = await on_lane(backends)
    with start_server() as server:
        caller = await Caller(server.url).open()
        sessions = await caller.new_sessions(100)
        for waiter in await gather(server.url, [Waiter("poll", sessions[0]) for _ in range(50)]):
            waiter.transport.close()
        await settled(server.pid)
        before = resident_kib(server.pid)

        waiters = [Waiter("poll", sessions[number % 100]) for number in range(POLLS)]
        waiters += [Waiter("sse", sessions[number % 100]) for number in range(STREAMS)]
        waiters += [Waiter("ws", sessions[number % 100]) for number in range(SOCKETS)]
        await gather(server.url, waiters)
        await settled(server.pid)
        assert threads(server.pid) <= MOST_THREADS
        assert await database_connections(server, others) <= MOST_CONNECTIONS
        # Loose: what one waiter costs is measured in bench/realtime.py.
        assert resident_kib(server.pid) - before < len(waiters) * 60

        async def timed(*call: object) -> float:
            begun = time.perf_counter()
            await caller.call(*call)  # type: ignore[arg-type]
            return time.perf_counter() - begun

        (elsewhere,) = await caller.new_sessions(1)
        note = {"kind": "custom", "source": "system", "data": {"n": 1}}
        appends = [await timed("POST", f"/sessions/{elsewhere}/events", note) for _ in range(300)]
        reads = [await timed("GET", "/tags") for _ in range(300)]
        assert percentile(appends, 0.99) < 0.25
        assert percentile(reads, 0.99) < 0.25

        arrivals = [asyncio.ensure_future(waiter.arrival(b"everybody")) for waiter in waiters]
        for session in sessions:
            await caller.say(session, "Hello everybody")
        await asyncio.gather(*arrivals)
        assert threads(server.pid) <= MOST_THREADS
        assert await database_connections(server, others) <= MOST_CONNECTIONS

        for waiter in waiters:
            waiter.transport.close()
        caller.close()


async def test_one_read_serves_all_who_wait_for_a_session(database: None, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = []

    def counted(session_id: str, offset: int) -> lines.Page:
        reads.append(offset)
        return lines.read_page(session_id, offset)

    monkeypatch.setattr(following, "read_page", counted)
    session = await on_lane(open_session)
    got: list[bytes] = []

    async def wait() -> None:
        with feed.watch(session.pk) as subscription:
            async for step in following.follow(subscription, seconds=20, is_read=True):
                got.append(step.lines[0].body)
                return

    waiting = [asyncio.ensure_future(wait()) for _ in range(1000)]
    await asyncio.sleep(0)
    await on_lane(session.append_event, kind=Kind.CUSTOM, source=Source.SYSTEM, data={"n": 1})
    await asyncio.gather(*waiting)
    assert reads == [0]
    assert len(got) == 1000
    assert len({id(body) for body in got}) == 1  # encoded once


def open_session() -> Session:
    return Session.open(agent=Agent.create(name="Iris"), customer=Customer.objects.get(pk=GUEST_ID))


@pytest.mark.one_database
async def test_who_goes_away_is_forgotten_within_a_second(server: Server) -> None:
    caller = await Caller(server.url).open()
    (session,) = await caller.new_sessions(1)
    waiters = [Waiter(kind, session) for kind in ("poll", "sse", "ws") for _ in range(50)]
    before = sockets_of(server.pid)
    await gather(server.url, waiters)
    await settled(server.pid)
    assert sockets_of(server.pid) == before + 150
    for waiter in waiters:
        waiter.transport.abort()
    deadline = time.monotonic() + 1
    while sockets_of(server.pid) > before and time.monotonic() < deadline:
        await asyncio.sleep(0.02)
    assert sockets_of(server.pid) == before
    caller.close()


@pytest.mark.parametrize("query", [b"wait_for_data=50", b"wait_for_data=50&sse=true"])
async def test_nothing_waits_for_a_client_that_is_gone(database: None, query: bytes) -> None:
    session = await on_lane(open_session)
    is_gone = asyncio.Event()
    messages = iter([{"type": "http.request", "body": b"", "more_body": False}])

    async def receive() -> dict[str, object]:
        for message in messages:
            return message
        await is_gone.wait()
        return {"type": "http.disconnect"}

    async def send(_: object) -> None:
        pass

    scope = {
        "type": "http",
        "method": "GET",
        "path": f"/sessions/{session.pk}/events",
        "query_string": query,
        "headers": [(b"host", b"127.0.0.1")],
        "client": ["127.0.0.1", 1],
    }
    waiting = asyncio.ensure_future(application(scope, receive, send))
    async with asyncio.timeout(10):
        while session.pk not in feed.oldest_revisions():
            await asyncio.sleep(0.01)
    is_gone.set()
    await asyncio.wait_for(waiting, 1)
    assert not feed.is_watched()


async def test_a_client_that_goes_while_its_request_is_looked_at_is_not_waited_for() -> None:
    """Django takes the message that tells of it, and it is told only once."""
    messages = [{"type": "http.request", "body": b"", "more_body": False}, {"type": "http.disconnect"}]

    async def receive() -> dict[str, object]:
        return messages.pop(0) if messages else await asyncio.Future()

    async def send(_: object) -> None:
        pass

    async def django(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await receive()
        scope[HOLDING].waiting = Waiting(50)

    scope = {"type": "http", "method": "GET", "path": "/sessions/s/events"}
    await asyncio.wait_for(HoldPolls(django)(scope, receive, send), 1)


async def test_nothing_waits_for_a_socket_that_is_gone(database: None) -> None:
    session = await on_lane(open_session)
    socket = WebsocketCommunicator(application, f"/ws/sessions/{session.pk}", headers=[(b"host", b"127.0.0.1")])
    await socket.connect()
    async with asyncio.timeout(10):
        while session.pk not in feed.oldest_revisions():
            await asyncio.sleep(0.01)
    await socket.disconnect(timeout=1)
    assert not feed.is_watched()


async def test_a_watch_ends_with_its_watcher(database: None) -> None:
    watching = asyncio.ensure_future(watch_for_ever("somewhere"))
    await asyncio.sleep(0)
    assert feed.is_watched()
    watching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await watching
    assert not feed.is_watched()


async def watch_for_ever(session_id: str) -> None:
    with feed.watch(session_id) as subscription:
        await subscription.changed(until=asyncio.get_running_loop().time() + 60)
