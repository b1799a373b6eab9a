"""Real processes that tests talk to."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import httpx
from django.db import connection

ROOT = Path(__file__).resolve().parent.parent


@dataclass
class Server:
    """A running server process."""

    url: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def pid(self) -> int:
        """The process's number."""
        return self.process.pid


def free_port() -> int:
    """Answer a port on 127.0.0.1 that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def threads_of(pid: int) -> int:
    """Answer how many threads a process has."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("Threads:")).split()[1])


def database_url() -> str:
    """Answer the PARLANT_DATABASE_URL of the test database."""
    if connection.vendor == "sqlite":
        return f"sqlite:///{connection.settings_dict['NAME']}"
    parts = connection.settings_dict
    login = quote(parts["USER"]) + (f":{quote(parts['PASSWORD'])}" if parts["PASSWORD"] else "")
    return f"postgres://{login}@{parts['HOST']}:{parts['PORT']}/{parts['NAME']}"


@contextlib.contextmanager
def start_server(*arguments: str, **environment: str) -> Iterator[Server]:
    """Run a server on the test database until the block ends, then stop it with SIGTERM."""
    port = free_port()
    log = Path(tempfile.mkstemp(prefix="parlant-server-", suffix=".log")[1])
    command = [sys.executable, "-m", "daphne", "-b", "127.0.0.1", "-p", str(port), "parlant_site.asgi:application"]
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("PARLANT_", "DJANGO_SETTINGS"))
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, *arguments],
            cwd=ROOT,
            env={
                **inherited,
                "DJANGO_SETTINGS_MODULE": "parlant_site.settings",
                "PARLANT_HOME": os.environ["PARLANT_HOME"],
                "PARLANT_DATABASE_URL": database_url(),
                "PARLANT_LOG_LEVEL": "WARNING",
                **environment,
            },
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    server = Server(f"http://127.0.0.1:{port}", process, log)
    try:
        _wait_until_it_answers(server)
        yield server
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        log.unlink(missing_ok=True)


def _wait_until_it_answers(server: Server, limit: float = 60) -> None:
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        if server.process.poll() is not None:
            raise RuntimeError(f"the server ended at once:\n{server.log.read_text()}")
        with contextlib.suppress(httpx.TransportError):
            httpx.get(f"{server.url}/healthz", timeout=5)
            return
        time.sleep(0.05)
    raise TimeoutError(f"the server did not answer within {limit} s:\n{server.log.read_text()}")
