"""Agents in numbers: `python bench/agents.py [--database URL]` prints a table.

Starts `manage.py serve`, agents included, on an empty database (a temporary SQLite file unless told otherwise) and
talks with its canned responder from this process: on a machine with two cores both share them. Where other work runs
beside it, `chrt -f 10 python bench/agents.py` (as root) lets server and clients go first.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.crowd import Caller, Waiter, gather
from bench.realtime import ms, row, serving

# PostgreSQL writes JSON with spaces, SQLite without.
READY = b'"ready"'
FAILED = b'"error"'


async def one_reply(url: str, idle: int, rounds: int) -> list[float]:
    """From a customer's message being sent to the `ready` of its reply on a WebSocket, one conversation at a time."""
    caller = await Caller(url).open()
    waiting = await gather(url, [Waiter("ws", session) for session in await caller.new_sessions(idle)])
    (session,) = await caller.new_sessions(1)
    (listener,) = await gather(url, [Waiter("ws", session)])
    await asyncio.sleep(1)
    posted, times = [], []
    for _ in range(rounds):
        listener.received = b""
        arrival = asyncio.ensure_future(listener.arrival(READY))
        begun = time.perf_counter()
        await caller.say(session, "Hello")
        posted.append(time.perf_counter() - begun)
        times.append(await arrival - begun)
        if FAILED in listener.received:
            raise RuntimeError(f"the agent failed: {listener.received[-500:]!r}")
    row(f"message -> ready, {idle} idle sessions", ms(posted, 0.5), ms(times, 0.5), ms(times, 0.99))
    for one in [*waiting, listener]:
        one.transport.close()
    caller.close()
    return times


async def many_at_once(url: str, count: int) -> None:
    """Customers of so many sessions who write at the same moment."""
    callers = [await Caller(url).open() for _ in range(20)]
    sessions = await callers[0].new_sessions(count)
    listeners = await gather(url, [Waiter("ws", session) for session in sessions])
    arrivals = [asyncio.ensure_future(one.arrival(READY, limit=60)) for one in listeners]
    begun = time.perf_counter()

    async def say(caller: Caller, mine: list[str]) -> None:
        for session in mine:
            await caller.say(session, "Hello")

    shares = [sessions[number :: len(callers)] for number in range(len(callers))]
    await asyncio.gather(*(say(caller, mine) for caller, mine in zip(callers, shares, strict=True)))
    times = [at - begun for at in await asyncio.gather(*arrivals)]
    failed = sum(FAILED in one.received or one.received.count(b'"kind":"message"') != 2 for one in listeners)
    row(f"{count} sessions at once, {failed} failed", f"all {max(times):.2f} s", ms(times, 0.5), ms(times, 0.99))
    if failed:
        raise RuntimeError(f"{failed} sessions were not answered as they should be")
    for one in listeners:
        one.transport.close()
    for caller in callers:
        caller.close()


async def main(database: str, rounds: int) -> None:
    """Measure, each part on a fresh server."""
    row("", "POST itself p50", "p50", "p99")
    medians = []
    for _ in range(3):
        with serving(database, agents=True) as (url, _pid):
            medians.append(statistics.median(await one_reply(url, 100, rounds)))
    row("median of the medians", "", f"{statistics.median(medians) * 1000:.2f} ms")
    with serving(database, agents=True) as (url, _pid):
        await many_at_once(url, 200)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", default="", help="PARLANT_DATABASE_URL of an empty database (default: SQLite)")
    parser.add_argument("--rounds", type=int, default=100, help="messages per measurement")
    given = parser.parse_args()
    asyncio.run(main(given.database, given.rounds))
