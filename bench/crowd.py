"""Many clients that wait, cheap enough to sit beside the server that they load: for bench/realtime.py and the tests."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

Kind = Literal["poll", "sse", "ws"]


class Waiter(asyncio.Protocol):
    """One client: a long poll, a stream or a WebSocket on a session. Notes what it received, and when."""

    def __init__(self, kind: Kind, session: str, *, offset: int = 0, seconds: int = 55) -> None:
        self.kind = kind
        self.session = session
        self.offset = offset
        self.seconds = seconds
        self.received = b""
        self.is_closed = False
        self._wanted: tuple[bytes, asyncio.Future[float]] | None = None

    def connection_made(self, transport: Any) -> None:
        """Ask."""
        self.transport = transport
        self.ask()

    def ask(self) -> None:
        """Send the request (again, on the same connection, for a poll)."""
        self.received = b""
        if self.kind == "ws":
            key = base64.b64encode(os.urandom(16)).decode()
            request = (
                f"GET /ws/sessions/{self.session}?min_offset={self.offset} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                f"Sec-WebSocket-Key: {key}\r\n\r\n"
            )
        else:
            request = (
                f"GET /sessions/{self.session}/events?min_offset={self.offset}&wait_for_data={self.seconds}"
                f"&sse={'true' if self.kind == 'sse' else 'false'} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
            )
        self.transport.write(request.encode())

    def data_received(self, data: bytes) -> None:
        """Keep what came; tell whoever waits for it."""
        self.received += data
        if self._wanted and self._wanted[0] in self.received and not self._wanted[1].done():
            self._wanted[1].set_result(time.perf_counter())

    def connection_lost(self, error: Exception | None) -> None:
        """Note the end."""
        self.is_closed = True
        if self._wanted and not self._wanted[1].done():
            self._wanted[1].set_exception(ConnectionError(f"closed after {self.received[-300:]!r}"))

    async def arrival(self, text: bytes, *, limit: float = 20) -> float:
        """Wait until a text was received and answer when (time.perf_counter)."""
        if text in self.received:
            return time.perf_counter()
        if self.is_closed:
            raise ConnectionError(f"closed after {self.received[-300:]!r}")
        self._wanted = (text, asyncio.get_running_loop().create_future())
        return await asyncio.wait_for(self._wanted[1], limit)


class Caller:
    """A client that makes one request after the other on a kept connection."""

    def __init__(self, url: str) -> None:
        self.host, self.port = urlsplit(url).hostname, urlsplit(url).port

    async def open(self) -> Caller:
        """Connect."""
        self.reader, self.writer = await asyncio.open_connection(self.host, self.port)
        return self

    def close(self) -> None:
        """Hang up."""
        self.writer.close()

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        """Answer what is answered; RuntimeError for a refusal."""
        payload = b"" if body is None else json.dumps(body).encode()
        self.writer.write(
            f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(payload)}\r\n\r\n".encode() + payload
        )
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = next(
            int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")
        )
        answer = await self.reader.readexactly(length)
        if int(head.split(b" ", 2)[1]) >= 400:
            raise RuntimeError(f"{method} {path}: {head!r} {answer[:300]!r}")
        return json.loads(answer) if answer else None

    async def new_sessions(self, count: int) -> list[str]:
        """Make sessions of the guest with one agent and answer their ids."""
        agent = (await self.call("POST", "/agents", {"name": "Iris"}))["id"]
        return [(await self.call("POST", "/sessions", {"agent_id": agent}))["id"] for _ in range(count)]

    async def say(self, session: str, text: str) -> Any:
        """Post a customer's message."""
        body = {"kind": "message", "source": "customer", "message": text}
        return await self.call("POST", f"/sessions/{session}/events", body)


async def gather(url: str, waiters: Iterable[Waiter], *, each_second: float = 1000) -> list[Waiter]:
    """Connect the waiters, so many each second."""
    where = urlsplit(url)
    connected = []
    for waiter in waiters:
        await asyncio.get_running_loop().create_connection(lambda one=waiter: one, where.hostname, where.port)
        connected.append(waiter)
        await asyncio.sleep(1 / each_second)
    return connected


async def at_once(url: str, waiters: Iterable[Waiter]) -> list[Waiter]:
    """Connect the waiters all together, as after a restart."""
    where = urlsplit(url)
    loop = asyncio.get_running_loop()
    connected = list(waiters)
    await asyncio.gather(
        *(loop.create_connection(lambda one=one: one, where.hostname, where.port) for one in connected)
    )
    return connected


async def settled(pid: int, *, limit: float = 60, share: float = 0.08) -> None:
    """Wait until the server does next to nothing: then everybody waits."""
    deadline = time.monotonic() + limit
    quiet = 0
    while time.monotonic() < deadline:
        # More than once: on a busy machine a process may be kept waiting for its turn.
        quiet = quiet + 1 if await cpu_share(pid, 0.25) < share else 0
        if quiet == 3:
            return
    raise TimeoutError(f"the server was still busy after {limit} s")


async def cpu_share(pid: int, seconds: float) -> float:
    """Answer which part of a core a process used for some seconds."""
    before, begun = _cpu_seconds(pid), time.monotonic()
    await asyncio.sleep(seconds)
    return (_cpu_seconds(pid) - before) / (time.monotonic() - begun)


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _status(pid: int, name: str) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(f"{name}:")).split()[1])


def resident_kib(pid: int) -> int:
    """Answer the memory of a process."""
    return _status(pid, "VmRSS")


def threads(pid: int) -> int:
    """Answer how many threads a process has."""
    return _status(pid, "Threads")


def open_files(pid: int) -> int:
    """Answer how many descriptors a process holds: connections, for the most part."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def percentile(values: Iterable[float], share: float) -> float:
    """Answer the value below which that share of the values lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


async def every(count: int, action: Callable[[int], Any]) -> list[Any]:
    """Answer the results of an asynchronous action for 0, 1, 2 ... one after the other."""
    return [await action(number) for number in range(count)]
