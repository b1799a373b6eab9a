"""How connections come in: not more at a time than are looked at."""

from __future__ import annotations

import asyncio
import socket
import time

import httpx
import pytest

from bench.crowd import Caller, Waiter, at_once, settled
from parlant_site.serving.connections import AT_ONCE, Inbox
from tests.processes import Server

pytestmark = pytest.mark.one_database


async def test_an_inbox_gives_what_came_in_its_order_and_waits_for_what_comes() -> None:
    inbox = Inbox()
    inbox.put_nowait({"n": 1})
    inbox.put_nowait({"n": 2})
    assert [await inbox.get(), await inbox.get()] == [{"n": 1}, {"n": 2}]
    waiting = asyncio.ensure_future(inbox.get())
    await asyncio.sleep(0)
    inbox.put_nowait({"n": 3})
    assert await asyncio.wait_for(waiting, 1) == {"n": 3}


async def test_an_inbox_loses_nothing_when_its_reader_is_cancelled() -> None:
    inbox = Inbox()
    waiting = asyncio.ensure_future(inbox.get())
    await asyncio.sleep(0)
    inbox.put_nowait({"n": 1})
    waiting.cancel()
    await asyncio.wait([waiting])
    assert await asyncio.wait_for(inbox.get(), 1) == {"n": 1}


async def test_all_who_come_at_once_are_let_in(server: Server) -> None:
    caller = await Caller(server.url).open()
    (session,) = await caller.new_sessions(1)
    waiters = await at_once(server.url, [Waiter(kind, session) for kind in ("poll", "sse", "ws") for _ in range(100)])
    await settled(server.pid)
    arrivals = [asyncio.ensure_future(waiter.arrival(b"everybody")) for waiter in waiters]
    await caller.say(session, "Hello everybody")
    await asyncio.gather(*arrivals)
    for waiter in waiters:
        waiter.transport.close()
    caller.close()


def test_who_connects_and_asks_nothing_keeps_nobody_out(server: Server, http: httpx.Client) -> None:
    silent = [socket.create_connection(("127.0.0.1", http.base_url.port)) for _ in range(10 * AT_ONCE)]
    try:
        begun = time.monotonic()
        assert httpx.get(f"{server.url}/healthz").status_code == 200
        assert time.monotonic() - begun < 5
    finally:
        for one in silent:
            one.close()
