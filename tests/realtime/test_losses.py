"""Wake-ups get lost, processes do not know of each other, Redis dies: events arrive all the same, once and in order."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from django.db import connection
from django.db.models import F

from parlant_site.common.lanes import on_lane
from sessions_app import feed
from sessions_app.events import Kind, Source
from sessions_app.lines import read_page
from sessions_app.models import Agent, Session
from sessions_app.safety_net import SafetyNet
from tests.processes import Server, free_port, start_server
from tests.realtime.sockets import Socket

EVENTS = 60


def open_session() -> Session:
    from customers.models import GUEST_ID, Customer

    return Session.open(agent=Agent.create(name="Iris"), customer=Customer.objects.get(pk=GUEST_ID))


def note(http: httpx.Client, session: str, number: int) -> None:
    body = {"kind": "custom", "source": "system", "data": {"n": number}}
    assert http.post(f"/sessions/{session}/events", json=body).status_code == 201


def polled(url: str, session: str, count: int) -> list[int]:
    """Answer the numbers that a client sees that polls in a loop."""
    seen: list[int] = []
    offset = 0
    with httpx.Client(base_url=url, timeout=30) as http:
        while len(seen) < count:
            answer = http.get(f"/sessions/{session}/events", params={"min_offset": offset, "wait_for_data": 20})
            assert answer.status_code == 200, f"{answer.text} after {seen}"
            seen += [event["data"]["n"] for event in answer.json()]
            offset = answer.json()[-1]["offset"] + 1
    return seen


def pushed(server: Server, session: str, count: int) -> list[int]:
    """Answer the numbers that come over a WebSocket."""
    with Socket(server, f"/ws/sessions/{session}") as watcher:
        return [watcher.receive(timeout=20)["data"]["n"] for _ in range(count)]


class Followers:
    """A polling client and a WebSocket, each on a thread of its own."""

    def __init__(self, server: Server, session: str, count: int) -> None:
        self.got: dict[str, list[int]] = {}
        self._threads = [
            threading.Thread(target=self._keep, args=("polled", lambda: polled(server.url, session, count))),
            threading.Thread(target=self._keep, args=("pushed", lambda: pushed(server, session, count))),
        ]
        for thread in self._threads:
            thread.start()

    def _keep(self, name: str, follow: Callable[[], list[int]]) -> None:
        self.got[name] = follow()

    def finish(self) -> dict[str, list[int]]:
        for thread in self._threads:
            thread.join(40)
        return self.got


@pytest.mark.parametrize("share", ["0.2", "1"])
def test_lost_wake_ups_lose_no_event(database: None, share: str) -> None:
    with start_server(PARLANT_DROP_WAKEUPS=share, PARLANT_POLL_INTERVAL="0.2") as server:
        session = open_session().pk
        followers = Followers(server, session, EVENTS)
        with httpx.Client(base_url=server.url) as http:
            for number in range(EVENTS):
                note(http, session, number)
        assert followers.finish() == {"polled": list(range(EVENTS)), "pushed": list(range(EVENTS))}


def test_processes_that_do_not_know_of_each_other_deliver_within_the_poll_interval(database: None) -> None:
    with start_server(PARLANT_POLL_INTERVAL="1") as one, start_server(PARLANT_POLL_INTERVAL="1") as other:
        session = open_session().pk
        with (
            httpx.Client(base_url=other.url) as http,
            Socket(one, f"/ws/sessions/{session}") as watcher,
            Socket(one, "/ws/sessions") as operator,
        ):
            assert operator.receive() == {"type": "ready"}
            note(http, session, 0)
            watcher.receive()
            delays = []
            for number in range(1, 6):
                begun = time.monotonic()
                note(http, session, number)
                assert watcher.receive(timeout=5)["data"] == {"n": number}
                delays.append(time.monotonic() - begun)
            while operator.receive(timeout=5)["next_offset"] != 6:
                pass
        assert sorted(delays)[2] < 1.5


def test_a_write_of_any_other_process_is_seen(server: Server) -> None:
    """A command, an import, an admin in another process: whatever appends, tells."""
    session = open_session()
    with Socket(server, f"/ws/sessions/{session.pk}") as watcher:
        for number in range(3):
            session.append_event(kind=Kind.CUSTOM, source=Source.SYSTEM, data={"n": number})
            assert watcher.receive(timeout=5)["data"] == {"n": number}


@contextlib.contextmanager
def redis_on(port: int) -> Iterator[None]:
    """Run a Redis of the test's own."""
    if not shutil.which("redis-server") and not os.environ.get("CI"):
        pytest.skip("there is no redis-server on this machine")
    with tempfile.TemporaryDirectory() as home:
        process = subprocess.Popen(
            ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", home],
            stdout=subprocess.DEVNULL,
        )
        try:
            deadline = time.monotonic() + 10
            while time.monotonic() < deadline:
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                    break
                time.sleep(0.02)
            yield
        finally:
            process.kill()
            process.wait()


def test_redis_wakes_other_processes_and_may_die_meanwhile(database: None) -> None:
    port = free_port()
    layer = {"PARLANT_CHANNEL_LAYER_URL": f"redis://127.0.0.1:{port}/0", "PARLANT_POLL_INTERVAL": "3"}
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(contextlib.ExitStack())
        first.enter_context(redis_on(port))
        one = stack.enter_context(start_server(**layer))
        other = stack.enter_context(start_server(**layer))
        session = open_session().pk
        followers = Followers(one, session, 3 * EVENTS)
        http = stack.enter_context(httpx.Client(base_url=other.url))
        watcher = stack.enter_context(Socket(one, f"/ws/sessions/{session}"))

        def delay(number: int) -> float:
            begun = time.monotonic()
            note(http, session, number)
            while watcher.receive(timeout=10)["data"]["n"] != number:
                pass
            return time.monotonic() - begun

        alive = [delay(number) for number in range(EVENTS)]
        # Far below the poll interval: it was Redis who told.
        assert sorted(alive)[EVENTS // 2] < 0.5

        first.close()
        for number in range(EVENTS, 2 * EVENTS):
            note(http, session, number)
        stack.enter_context(redis_on(port))
        for number in range(2 * EVENTS, 3 * EVENTS - 1):
            note(http, session, number)
            time.sleep(0.02)
        # Redis tells again, after a while: the connections were lost.
        delay(3 * EVENTS - 1)
        assert followers.finish() == {"polled": list(range(3 * EVENTS)), "pushed": list(range(3 * EVENTS))}
        log = one.log.read_text() + other.log.read_text()
        assert "does not take wake-ups" in log


async def test_the_net_wakes_those_who_watch_all_once_for_each_change(database: None) -> None:
    net = SafetyNet()
    first, second = await on_lane(open_session), await on_lane(open_session)
    with feed.watch_all():
        await on_lane(note_in, first)
        assert first.pk in await on_lane(net.stale)
        assert await on_lane(net.stale) == []
        await on_lane(note_in, second)
        assert await on_lane(net.stale) == [second.pk]


@pytest.fixture
def look() -> Iterator[Callable[[SafetyNet], Awaitable[None]]]:
    """Let a net look on a thread of its own, as it does: a connection is not told of its own commits."""
    with ThreadPoolExecutor(1) as thread:
        yield lambda net: asyncio.get_running_loop().run_in_executor(thread, net.look)
        thread.submit(lambda: connection.close()).result()


async def test_the_net_wakes_only_those_who_do_not_know_yet(
    database: None, look: Callable[[SafetyNet], Awaitable[None]]
) -> None:
    net = SafetyNet()
    session = await on_lane(open_session)
    with feed.watch(session.pk) as subscription:
        subscription.revision = (await on_lane(read_page, session.pk, 0)).revision
        await look(net)
        await asyncio.sleep(0)
        assert subscription.watch.version == 0
        await on_lane(Session.objects.filter(pk=session.pk).update, revision=F("revision") + 1)
        await look(net)
        assert await subscription.changed(until=asyncio.get_running_loop().time() + 5)


def note_in(session: Session) -> None:
    session.append_event(kind=Kind.CUSTOM, source=Source.SYSTEM, data={"n": 1})
