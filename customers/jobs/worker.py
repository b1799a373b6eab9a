"""The thread that runs queued jobs beside the agents' runner (`serve`, `run_agents`), one at a time per process."""

from __future__ import annotations

import asyncio
import logging
import threading
import time

from django.db import DatabaseError, close_old_connections, connection
from django.utils import timezone

from customers.jobs.expiring import forget_old_files
from customers.jobs.running import claim, run

logger = logging.getLogger(__name__)

FORGET_EVERY = 3600.0  # seconds between looks at files that are no longer kept
LOOK_EVERY = 1.0  # seconds; jobs that this process queues wake it at once


class Worker:
    """Claims and runs jobs in a thread of its own, with a database connection of its own."""

    def __init__(self) -> None:
        self.stopping = threading.Event()
        self.queued = threading.Event()
        self.thread: threading.Thread | None = None

    async def start(self) -> None:
        """Begin; a process that serves calls it once."""
        self.stopping.clear()
        self.thread = threading.Thread(target=self.work, name="data-jobs", daemon=True)
        self.thread.start()

    async def stop(self) -> None:
        """End after the chunk at hand; another process, or the next start, goes on with its job."""
        self.stopping.set()
        self.queued.set()
        if self.thread is not None:
            await asyncio.to_thread(self.thread.join, 10)

    def wake(self) -> None:
        """Look for jobs now."""
        self.queued.set()

    def work(self) -> None:
        """Run what there is to run until told to stop; a database that is away is asked again."""
        forget_at = time.monotonic()
        while not self.stopping.is_set():
            try:
                if time.monotonic() >= forget_at:
                    forget_old_files(timezone.now())
                    forget_at = time.monotonic() + FORGET_EVERY
                while not self.stopping.is_set() and (job := claim()):
                    run(job, stop=self.stopping.is_set)
            except DatabaseError:
                logger.warning("Data jobs wait for the database", exc_info=True)
            finally:
                close_old_connections()
            self.queued.wait(LOOK_EVERY)
            self.queued.clear()
        connection.close()


worker = Worker()
