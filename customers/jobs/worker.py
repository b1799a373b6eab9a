"""Runs queued jobs beside the agents' runner (`serve`, `run_agents`), one at a time per process."""

from __future__ import annotations

import time

from django.utils import timezone

from customers.jobs.expiring import forget_old_files
from customers.jobs.running import claim, run
from customers.merging.forgetting import forget_old_merges
from parlant_site.common.background import Background

FORGET_EVERY = 3600.0  # seconds between looks at files that are no longer kept


class Worker(Background):
    """Claims and runs jobs; those that this process queues wake it."""

    name = "data-jobs"
    look_every = 1.0

    def __init__(self) -> None:
        super().__init__()
        self._forget_at = time.monotonic()

    def look(self) -> bool:
        """Run a job to its end, or until told to stop."""
        if time.monotonic() >= self._forget_at:
            self._forget_at = time.monotonic() + FORGET_EVERY
            forget_old_files(timezone.now())
            while forget_old_merges(timezone.now()):
                pass
        job = claim()
        if job is not None:
            run(job, stop=self.stopping.is_set)
        return job is not None


worker = Worker()
