"""How waiting ends when the server is told to end, and when a client does not read."""

from __future__ import annotations

import asyncio
import signal
import socket
import time
from urllib.parse import urlsplit

import pytest

from bench.crowd import Caller, Waiter, gather, resident_kib, settled
from sessions_app.consumers import PATIENCE_SECONDS
from sessions_app.events import Kind, Source
from sessions_app.models import Session
from tests.processes import start_server
from tests.realtime.sockets import Socket


@pytest.mark.one_database
async def test_the_end_of_the_server_is_told_to_everybody_who_waits(database: None) -> None:
    with start_server() as server:
        caller = await Caller(server.url).open()
        sessions = await caller.new_sessions(10)
        waiters = [Waiter(kind, session) for kind in ("poll", "sse", "ws") for session in sessions * 3]
        await gather(server.url, waiters)
        operator = Waiter("ws", "")
        await gather(server.url, [operator])
        await settled(server.pid)
        begun = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        await asyncio.to_thread(server.process.wait, 10)
        assert time.monotonic() - begun < 5
        for waiter in waiters:
            async with asyncio.timeout(5):
                while not waiter.is_closed:
                    await asyncio.sleep(0.01)
            if waiter.kind == "poll":
                assert waiter.received.startswith(b"HTTP/1.1 504"), waiter.received
                assert waiter.received.endswith(b'{"detail":"Request timed out"}')
            elif waiter.kind == "sse":
                assert waiter.received.endswith(b"0\r\n\r\n"), waiter.received  # the stream ends, it is not cut
            else:
                assert b"\x03\xf4The server restarts" in waiter.received, waiter.received  # 1012


@pytest.mark.one_database
def test_a_socket_that_is_not_read_is_closed_and_fills_no_memory(database: None) -> None:
    with start_server() as server:
        from tests.realtime.test_losses import open_session

        session = open_session()
        text = "x" * 500_000
        # More than the kernel takes, so that the server's patience begins as soon as somebody connects.
        fill(session, text, 16)
        small = socket.socket()
        small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        small.connect((urlsplit(server.url).hostname, urlsplit(server.url).port))
        before = resident_kib(server.pid)
        with Socket(server, f"/ws/sessions/{session.pk}", max_queue=1, sock=small) as slow:
            begun = time.monotonic()
            fill(session, text, 14)
            # When it has waited long enough, it waits 5 s for the client to confirm.
            time.sleep(max(0.0, begun + PATIENCE_SECONDS + 2.5 - time.monotonic()))
            # 15 MB were written; what is not sent stays in the database.
            assert resident_kib(server.pid) - before < 40_000
            assert slow.close_code()[0] == 4408
        # From where it stopped it can go on.
        with Socket(server, f"/ws/sessions/{session.pk}?min_offset=29") as again:
            assert again.receive()["offset"] == 29


def fill(session: Session, text: str, count: int) -> None:
    for _ in range(count):
        session.append_event(kind=Kind.CUSTOM, source=Source.SYSTEM, data=text)


@pytest.mark.one_database
def test_a_stream_that_is_not_read_fills_no_memory(database: None) -> None:
    with start_server() as server:
        from tests.realtime.test_losses import open_session

        session = open_session()
        where = urlsplit(server.url)
        with socket.create_connection((where.hostname, where.port)) as lazy:
            lazy.sendall(f"GET /sessions/{session.pk}/events?sse=true HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
            assert lazy.recv(9) == b"HTTP/1.1 "
            before = resident_kib(server.pid)
            fill(session, "x" * 500_000, 40)
            time.sleep(1)
            assert resident_kib(server.pid) - before < 60_000
