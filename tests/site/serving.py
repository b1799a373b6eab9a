"""`manage.py` as a process of its own, as a person starts it."""

from __future__ import annotations

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

from tests.processes import ROOT, Server

START_LIMIT = 60.0


def environment(**variables: str) -> dict[str, str]:
    """Answer an environment that knows of Parlant Site only what `variables` say."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PARLANT_", "DJANGO_"))}
    return {**inherited, **variables}


def manage(*arguments: str, limit: float = 60, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=environment(**variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=limit,
    )


@contextlib.contextmanager
def serve(*arguments: str, **variables: str) -> Iterator[Server]:
    """Run `manage.py serve` on a free port until the block ends; it may be ended before, by SIGTERM."""
    log = Path(tempfile.mkstemp(prefix="parlant-serve-", suffix=".log")[1])
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "serve", "--port", "0", *arguments],
            cwd=ROOT,
            env=environment(**variables),
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
        log.unlink()


def _printed_url(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + START_LIMIT
    while time.monotonic() < deadline:
        if found := re.search(r"REST +(http://\S+)", log.read_text()):
            return found[1]
        if process.poll() is not None:
            raise RuntimeError(f"serve ended at once:\n{log.read_text()}")
        time.sleep(0.02)
    raise TimeoutError(f"serve did not begin within {START_LIMIT} s:\n{log.read_text()}")
