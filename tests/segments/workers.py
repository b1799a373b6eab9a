"""Processes that keep segments current: real ones, forked from one that has everything imported, to start fast."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.db import connection, transaction

from tests.processes import ROOT, clean_environment, database_url

LIMIT = 60.0

# For each line it reads it begins a worker and prints its number. Steps are small and leases short.
NURSERY = """
import os, signal, sys
import django
django.setup()
from datetime import timedelta
from customers.segments import leases, running, worker
leases.LEASE = running.LEASE = timedelta(seconds=0.7)
leases.RENEW_EVERY = 0.2
running.STEP = {"sqlite": 7, "postgresql": 7}
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
print("ready", flush=True)
for line in sys.stdin:
    if pid := os.fork():
        print(pid, flush=True)
        continue
    try:
        worker.Worker().work()
    finally:
        os._exit(1)
"""


class Nursery:
    """Begins workers and kills them."""

    def __init__(self) -> None:
        self.pids: list[int] = []
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
        assert self._line() == "ready"

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def start(self, number: int = 1) -> None:
        """Begin some workers."""
        assert self.process.stdin is not None
        for _ in range(number):
            print(file=self.process.stdin, flush=True)
            self.pids.append(int(self._line()))

    def kill_all(self) -> None:
        """Kill them as `kill -9` does, and wait until they are gone."""
        for pid in self.pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in self.pids), "the workers do not end")
        self.pids = []

    def close(self) -> None:
        """End everything."""
        self.kill_all()
        self.process.kill()
        self.process.wait()


def until(wanted: Callable[[], bool], otherwise: str) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + LIMIT
    while not wanted():
        assert time.monotonic() < deadline, otherwise
        time.sleep(0.02)


@contextmanager
def one_moment() -> Iterator[None]:
    """Read the database as of one moment, whoever writes."""
    with transaction.atomic():
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        yield
