"""Processes in which agents reply: real ones, forked from one that has everything imported, to start fast."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sessions_app.engine import leases
from tests.processes import ROOT, clean_environment, database_url

LIMIT = 60.0
LEASE = leases.LEASE.total_seconds()

# Reads, line by line, where a new process writes what it prints, and in what it differs. A process between this one and
# the new one notes how that one ended.
NURSERY = """
import asyncio, json, os, sys, traceback
import django
django.setup()
from django.conf import settings
from django.core.checks import run_checks
from django.core.management import call_command
from datetime import timedelta
from sessions_app.engine import leases, ranking, runner, turn
run_checks()
ranking.encode(["loads the model"])

async def take_long(*_):
    await asyncio.sleep(120)

def work(path, is_slow, lease, differing):
    sys.stdout = sys.stderr = open(path, "w", buffering=1)
    print(os.getpid())
    for name, value in differing.items():
        setattr(settings, name, value)
    leases.LEASE = timedelta(seconds=lease)
    if is_slow:
        turn.responder_of = lambda agent: take_long
    runner.RUNNER = runner.Runner()
    call_command("run_agents", stdout=sys.stdout)

print("ready", flush=True)
for line in sys.stdin:
    path, is_slow, lease, differing = json.loads(line)
    if os.fork():
        os.wait()
        continue
    if os.fork():
        os._exit(0)
    os.setsid()
    if pid := os.fork():
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        with open(path + ".code", "w") as ended:
            ended.write(str(code))
        os._exit(0)
    try:
        work(path, is_slow, lease, differing)
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)
"""


class Worker:
    """A running `manage.py run_agents`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.pid = int(self._printed("\n").split()[0])

    def until_it_replies(self) -> Worker:
        """Wait until it looks for work."""
        self._printed("Agents reply here")
        return self

    def kill(self) -> None:
        """Kill it as `kill -9` does."""
        self._end(signal.SIGKILL)

    def terminate(self) -> int:
        """Tell it to end, and answer its exit code."""
        return self._end(signal.SIGTERM)

    def _end(self, number: signal.Signals) -> int:
        if self.code() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)
        deadline = time.monotonic() + LIMIT
        while (code := self.code()) is None:
            assert time.monotonic() < deadline, "the worker does not end"
            time.sleep(0.01)
        return code

    def code(self) -> int | None:
        """Answer its exit code; None while it runs."""
        path = Path(f"{self.path}.code")
        return int(text) if path.exists() and (text := path.read_text()) else None

    def _printed(self, wanted: str) -> str:
        deadline = time.monotonic() + LIMIT
        while wanted not in (text := self.path.read_text()):
            assert time.monotonic() < deadline, text
            assert self.code() is None, text
            time.sleep(0.01)
        return text


class Nursery:
    """Starts workers."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.workers: list[Worker] = []
        self.process = subprocess.Popen(
            [sys.executable, "-c", NURSERY],
            cwd=ROOT,
            env=clean_environment(
                PARLANT_HOME=os.environ["PARLANT_HOME"],
                PARLANT_DATABASE_URL=database_url(),
                DJANGO_SETTINGS_MODULE="parlant_site.settings",
            ),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def start(self, *, is_slow: bool = False, lease: float = LEASE, **settings: Any) -> Worker:
        """Start a worker; a slow one takes its time between `processing` and `typing`, as a language model does."""
        assert self.process.stdin is not None
        path = self.directory / str(len(self.workers))
        path.touch()
        print(json.dumps([str(path), is_slow, lease, settings]), file=self.process.stdin, flush=True)
        worker = Worker(path)
        self.workers.append(worker)
        return worker.until_it_replies()

    def kill_all(self) -> None:
        """Kill what still runs."""
        for worker in self.workers:
            worker.kill()


@contextlib.contextmanager
def nursery() -> Iterator[Nursery]:
    """Have workers on the test's database until the block ends."""
    with tempfile.TemporaryDirectory() as directory:
        found = Nursery(Path(directory))
        try:
            yield found
        finally:
            found.kill_all()
            assert found.process.stdin is not None
            found.process.stdin.close()
            found.process.wait(LIMIT)
