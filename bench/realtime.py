"""Live delivery in numbers: `python bench/realtime.py [--database URL] [--most 10000]` prints a table.

Starts `manage.py serve` on an empty database (a temporary SQLite file unless told otherwise) and loads it with clients
from this process: on a machine with two cores both share them.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from bench.crowd import (  # noqa: E402
    Caller,
    Kind,
    Waiter,
    at_once,
    cpu_share,
    gather,
    open_files,
    percentile,
    resident_kib,
    settled,
    threads,
)

ROUNDS = 300
# As long as it takes until each quiet waiter has had a sign of life; a long poll has none, and would end meanwhile.
QUIET_SECONDS = {"poll": 15, "sse": 45, "ws": 45}
NAMES = {"poll": "long poll", "sse": "SSE", "ws": "WebSocket"}


@contextlib.contextmanager
def serving(database: str, *, agents: bool = False) -> Iterator[tuple[str, int]]:
    """Run a server, with agents that reply or without; answer its URL and process id."""
    with tempfile.TemporaryDirectory() as home:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PARLANT_")}
        environment |= {"PARLANT_HOME": home, "PARLANT_LOG_LEVEL": "WARNING", "PARLANT_OPERATOR_PASSWORD": "bench"}
        if database:
            environment["PARLANT_DATABASE_URL"] = database
        process = subprocess.Popen(
            [sys.executable, "manage.py", "serve", "--port", "0", *([] if agents else ["--no-agents"])],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout
        try:
            for line in process.stdout:
                if found := re.search(r"REST +(http://\S+)", line):
                    yield found[1], process.pid
                    break
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)


def row(what: str, *figures: str) -> None:
    """Print a line of the table."""
    print(f"{what:<58}" + "".join(f"{figure:>16}" for figure in figures), flush=True)


def ms(values: list[float], share: float) -> str:
    """Answer a percentile as text."""
    return f"{percentile(values, share) * 1000:.2f} ms"


async def wake_up(url: str, kind: Kind, others: int) -> None:
    """From POST sent to the event received, while others wait for sessions of their own."""
    caller = await Caller(url).open()
    idle = await gather(url, [Waiter(kind, session) for session in await caller.new_sessions(others)])
    (session,) = await caller.new_sessions(1)
    await asyncio.sleep(1)
    own, whole = [], []
    stream = None
    if kind != "poll":
        (stream,) = await gather(url, [Waiter(kind, session)])
    poller = await Caller(url).open()
    for number in range(ROUNDS):
        text = f"round {number}."
        if stream is None:
            polling = asyncio.ensure_future(
                poller.call("GET", f"/sessions/{session}/events?min_offset={number}&wait_for_data=50")
            )
            polling.add_done_callback(lambda done: setattr(done, "at", None))
            arrival: Any = asyncio.ensure_future(_when(polling))
        else:
            arrival = asyncio.ensure_future(stream.arrival(text.encode()))
        await asyncio.sleep(0.02)
        begun = time.perf_counter()
        await caller.say(session, text)
        own.append(time.perf_counter() - begun)
        whole.append(await arrival - begun)
    row(
        f"POST -> {NAMES[kind]}, {others} idle others",
        ms(own, 0.5),
        ms(whole, 0.5),
        ms(whole, 0.99),
    )
    for waiter in [*idle, *([stream] if stream else [])]:
        waiter.transport.close()
    caller.close()
    poller.close()


async def _when(answer: asyncio.Future[Any]) -> float:
    await answer
    return time.perf_counter()


async def memory(url: str, pid: int, kind: Kind, count: int) -> None:
    """What one more waiter costs in resident memory, when all come at once to a server that has had some before."""
    caller = await Caller(url).open()
    sessions = await caller.new_sessions(count)
    warm = await gather(url, [Waiter(kind, session) for session in sessions[:100]], each_second=200)
    await settled(pid)
    before, threads_before = resident_kib(pid), threads(pid)
    waiters = await at_once(url, [Waiter(kind, one) for one in sessions])
    await settled(pid)
    each = (resident_kib(pid) - before) / len(waiters)
    more = threads(pid) - threads_before
    row(f"memory of one of {len(waiters)} {NAMES[kind]}s", f"{each:.1f} KiB", f"{more:+} threads")
    for waiter in [*warm, *waiters]:
        waiter.transport.close()
    caller.close()


async def fan_out(url: str, pid: int, kind: Kind, count: int) -> None:
    """One event to many who wait for the same session."""
    caller = await Caller(url).open()
    (session,) = await caller.new_sessions(1)
    waiters = await gather(url, [Waiter(kind, session) for _ in range(count)])
    await settled(pid)
    times: list[float] = []
    for number in range(3):
        text = f"round {number}."
        arrivals = [asyncio.ensure_future(waiter.arrival(text.encode())) for waiter in waiters]
        await asyncio.sleep(0.1)
        begun = time.perf_counter()
        await caller.say(session, text)
        times += [at - begun for at in await asyncio.gather(*arrivals)]
        if kind == "poll":
            for waiter in waiters:
                waiter.offset = number + 1
                waiter.ask()
        await settled(pid)
    row(f"one event to {count} {NAMES[kind]}s of one session", "", ms(times, 0.5), ms(times, 0.99))
    for waiter in waiters:
        waiter.transport.close()
    caller.close()
    await settled(pid)


async def idle_cpu(url: str, pid: int, kind: Kind, count: int) -> None:
    """What many waiters cost while nothing happens."""
    caller = await Caller(url).open()
    sessions = await caller.new_sessions(min(count, 1000))
    waiters = await gather(url, [Waiter(kind, sessions[n % len(sessions)], seconds=600) for n in range(count)])
    await settled(pid)
    share = await cpu_share(pid, QUIET_SECONDS[kind])
    if open_files(pid) < count:
        sys.exit(f"Only {open_files(pid)} of {count} are still connected.")
    row(f"idle CPU of {count} {NAMES[kind]}s", f"{share * 100:.1f} %", f"{threads(pid)} threads")
    for waiter in waiters:
        waiter.transport.close()
    caller.close()


async def main(database: str, most: int, only: str) -> None:
    """Measure, each part on a fresh server."""
    row("", "POST itself p50", "p50", "p99")
    for kind in get_args(Kind):
        if only in ("", "wake"):
            with serving(database) as (url, _):
                for others in (1, 100, 200, 1000):
                    await wake_up(url, kind, others)
        if only in ("", "fan"):
            with serving(database) as (url, pid):
                await fan_out(url, pid, kind, 1000)
        if only in ("", "memory"):
            with serving(database) as (url, pid):
                await memory(url, pid, kind, 1000)
        if only in ("", "idle"):
            with serving(database) as (url, pid):
                await idle_cpu(url, pid, kind, most)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", default="", help="PARLANT_DATABASE_URL of an empty database (default: SQLite)")
    parser.add_argument("--most", type=int, default=10_000, help="waiters while idle CPU is measured")
    parser.add_argument("--only", default="", choices=["", "wake", "fan", "memory", "idle"], help="one part")
    given = parser.parse_args()
    asyncio.run(main(given.database, given.most, given.only))
