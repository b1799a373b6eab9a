"""Real processes that tests talk to."""

from __future__ import annotations

import contextlib
import os
import re
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


def open_files(pid: int) -> list[str]:
    """Answer what a process has open."""
    found = []
    for path in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed meanwhile
            found.append(str(path.readlink()))
    return found


def database_url() -> str:
    """Answer the PARLANT_DATABASE_URL of the test database."""
    if connection.vendor == "sqlite":
        return f"sqlite:///{connection.settings_dict['NAME']}"
    parts = connection.settings_dict
    login = quote(parts["USER"]) + (f":{quote(parts['PASSWORD'])}" if parts["PASSWORD"] else "")
    return f"postgres://{login}@{parts['HOST']}:{parts['PORT']}/{parts['NAME']}"


def clean_environment(**variables: str) -> dict[str, str]:
    """Answer an environment that knows of Parlant Site only what `variables` say."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PARLANT_", "DJANGO_"))}
    return {**inherited, **variables}


def manage(*arguments: str, limit: float = 60, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a `manage.py` command to its end; of PARLANT_ variables it knows only the given ones."""
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=clean_environment(**variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=limit,
    )


@contextlib.contextmanager
def start_server(*arguments: str, agents: bool = False, **variables: str) -> Iterator[Server]:
    """Run `manage.py serve`, without agents unless told otherwise, on the test database until the block ends."""
    on_the_test_database = {
        "PARLANT_HOME": os.environ["PARLANT_HOME"],
        "PARLANT_DATABASE_URL": database_url(),
        "PARLANT_LOG_LEVEL": "WARNING",
    }
    with serve(*([] if agents else ["--no-agents"]), *arguments, **{**on_the_test_database, **variables}) as server:
        yield server


@contextlib.contextmanager
def serve(*arguments: str, **variables: str) -> Iterator[Server]:
    """Run `manage.py serve` on a free port until the block ends, then stop it with SIGTERM; a test may end it before.

    Of PARLANT_ variables the server knows only the given ones.
    """
    log = Path(tempfile.mkstemp(prefix="parlant-server-", suffix=".log")[1])
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "serve", "--port", "0", *arguments],
            cwd=ROOT,
            env=clean_environment(**variables),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield Server(_printed_url(process, log), process, log)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        log.unlink(missing_ok=True)


def _printed_url(process: subprocess.Popen[bytes], log: Path, limit: float = 60) -> str:
    """Wait until the server says where it listens: it answers from then on."""
    deadline = time.monotonic() + limit
    while time.monotonic() < deadline:
        if found := re.search(r"REST +(http://\S+)\n", log.read_text()):
            return found[1]
        if process.poll() is not None:
            raise RuntimeError(f"the server ended at once:\n{log.read_text()}")
        time.sleep(0.02)
    raise TimeoutError(f"the server did not begin within {limit} s:\n{log.read_text()}")
