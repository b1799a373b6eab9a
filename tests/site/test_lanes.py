"""Requests cost neither a thread nor a database connection, on a real Daphne process."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from django.db import connection

from parlant_site.common.lanes import Lanes, OnLanes, on_lane
from tests.processes import Server, open_files, threads_of

WARM_UP, REQUESTS, CLIENTS = 40, 200, 16


def database_connections_of(pid: int) -> int:
    """Answer how many connections to the test's database a process holds."""
    if connection.vendor == "sqlite":
        return open_files(pid).count(str(connection.settings_dict["NAME"]))
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
        return int(cursor.fetchone()[0])


def backends() -> set[int]:
    """Answer the processes that PostgreSQL runs for its clients: a new connection is a new one."""
    if connection.vendor == "sqlite":
        return set()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pid FROM pg_stat_activity WHERE datname = current_database()")
        return {row[0] for row in cursor.fetchall()}


def ask(server: Server, count: int) -> None:
    """Make requests that use the database, sixteen at a time, reading and writing."""
    with httpx.Client(base_url=server.url, timeout=30, limits=httpx.Limits(max_connections=CLIENTS)) as client:

        def one(number: int) -> int:
            if number % 4:
                return client.get("/customers").status_code
            return client.post("/customers", json={"name": f"Customer {number}"}).status_code

        with ThreadPoolExecutor(CLIENTS) as pool:
            assert set(pool.map(one, range(count))) == {200, 201}


def test_requests_start_no_thread_and_open_no_database_connection(server: Server) -> None:
    ask(server, WARM_UP)
    threads, connections, known = threads_of(server.pid), database_connections_of(server.pid), backends()

    for _ in range(4):
        ask(server, REQUESTS // 4)
        assert threads_of(server.pid) <= threads  # one that looked for changes while somebody waited may end
        assert database_connections_of(server.pid) <= connections
        assert backends() <= known


async def test_a_connection_rides_on_the_lane_with_the_least_to_do() -> None:
    lanes = Lanes(2, name="test")
    busy, idle = lanes.least_loaded(), None
    block = threading.Event()
    blocked = busy.submit(block.wait, 10)
    try:
        idle = lanes.least_loaded()
        assert idle is not busy
        idle.riders = 5
        assert lanes.least_loaded() is idle, "riders that wait are lighter than a call that runs"
    finally:
        block.set()
    await asyncio.wrap_future(blocked)
    assert lanes.least_loaded() is busy


async def test_who_waits_holds_no_lane() -> None:
    from asgiref.sync import sync_to_async

    lanes = Lanes(1, name="test")
    waiting, go_on = asyncio.Event(), asyncio.Event()
    threads = set()

    async def application(scope, receive, send):  # type: ignore[no-untyped-def]
        threads.add(await sync_to_async(threading.get_ident)())
        if scope["path"] == "/wait":
            waiting.set()
            await go_on.wait()
        threads.add(await sync_to_async(threading.get_ident)())

    on_lanes = OnLanes(application, choose=lambda scope: lanes)
    waiter = asyncio.create_task(on_lanes({"path": "/wait"}, None, None))  # type: ignore[arg-type]
    await waiting.wait()
    async with asyncio.timeout(5):
        await on_lanes({"path": "/quick"}, None, None)  # type: ignore[arg-type]
    go_on.set()
    await waiter
    assert len(threads) == 1


@pytest.mark.parametrize("left_over", [False, True])
async def test_what_a_request_left_running_reads_on_a_lane(database: None, left_over: bool) -> None:
    lanes = Lanes(1, name="test")
    ended = asyncio.Event()
    tasks = []

    async def later() -> str:
        if left_over:
            await ended.wait()
        return await on_lane(lambda: threading.current_thread().name)

    async def application(scope, receive, send):  # type: ignore[no-untyped-def]
        tasks.append(asyncio.create_task(later()))
        if not left_over:
            await tasks[0]

    await OnLanes(application, choose=lambda scope: lanes)({"path": "/"}, None, None)  # type: ignore[arg-type]
    ended.set()
    assert (await tasks[0]).startswith("lane-")
