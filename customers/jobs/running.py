"""Running jobs: whoever claims a job holds a lease on it, and any process goes on where another one died.

Each chunk is one transaction, which first locks the job's row and looks whether the lease is still its own (the token
fences off a process that was thought dead), does the rows, and writes progress, cursor and a new end of the lease.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta

from django.db import IntegrityError, OperationalError, transaction
from django.db.models import F
from django.utils import timezone

from customers.jobs.models import DataJob, JobProblem, State
from customers.jobs.work import Work, work_class
from parlant_site.common.acting import Channel, acting
from parlant_site.common.errors import Refusal
from parlant_site.common.ids import new_id

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=30)
MOST_ATTEMPTS = 20  # of processes, to do a chunk
MOST_TRIES = 3  # of one process
MOST_PROBLEMS = 100_000  # kept with their rows; further ones are counted
Progress = Callable[[DataJob], None]


class LeaseLost(Exception):
    """Another process took the job over."""


def claim(job_id: str | None = None) -> DataJob | None:
    """Claim the oldest job that nobody works on, or a certain one; None when there is none to be had."""
    now = timezone.now()
    waiting = DataJob.objects.claimable(now).order_by("creation_utc", "id")
    if job_id is not None:
        waiting = waiting.filter(pk=job_id)
    for key in waiting.values_list("pk", flat=True)[:10]:
        token = new_id()
        taken = DataJob.objects.claimable(now).filter(pk=key)
        if taken.update(state=State.RUNNING, lease_token=token, lease_until=now + LEASE, attempts=F("attempts") + 1):
            return DataJob.objects.get(pk=key)
    return None


def run(job: DataJob, *, progress: Progress | None = None, stop: Callable[[], bool] = lambda: False) -> DataJob:
    """Run a claimed job to its end, or until `stop` answers true: then the lease is given back for others to go on.

    An error fails the job, with its sentence for a Refusal; what the chunks before it did stays.
    """
    who = job.actor
    with acting(channel=Channel(job.channel), user=who, name=job.actor_name, job_id=job.pk):
        try:
            if job.attempts > MOST_ATTEMPTS:
                raise Refusal(f"The job was begun {MOST_ATTEMPTS} times and never got to its end")
            _run(job, progress, stop)
        except LeaseLost:
            logger.warning("Job %s was taken over by another process", job.pk)
        except Refusal as refusal:
            _end(job, State.FAILED, error=refusal.detail)
        except Exception:
            logger.exception("Job %s failed", job.pk)
            _end(job, State.FAILED, error="An unexpected error; the log of the process has it")
    job.refresh_from_db()
    if progress:
        progress(job)
    return job


def _run(job: DataJob, progress: Progress | None, stop: Callable[[], bool]) -> None:
    work = work_class(job.kind)(job)
    if job.started_utc is None:
        job.started_utc = timezone.now()
        if job.total is None:
            job.total = work.count()
        job.save(update_fields=["started_utc", "total"])
    tries = 0
    while not job.is_final:
        if stop():
            DataJob.objects.filter(pk=job.pk, lease_token=job.lease_token).update(lease_until=None)
            return
        try:
            _do_chunk(job, work)
            tries = 0
        except (IntegrityError, OperationalError):
            # Others were in the way: who waits for whom was cut, or what a row refers to went at this moment.
            tries += 1
            if tries == MOST_TRIES:
                raise
            logger.warning("Job %s does a chunk again", job.pk, exc_info=True)
            job.refresh_from_db()
        if progress:
            progress(job)


def _do_chunk(job: DataJob, work: Work) -> None:
    """Do the next chunk; end the job when there is none, or when it was asked to stop."""
    batch = work.read(job.cursor)
    with transaction.atomic():
        if not _still_wanted(job):
            _close(job, State.CANCELLED)
            return
        if batch is None:
            work.finish()
            job.save(update_fields=["report", "result"])
            _close(job, State.OK)
            return
        outcome = work.write(batch)
        room = max(0, MOST_PROBLEMS - job.failed - job.skipped)
        JobProblem.objects.bulk_create(outcome.problems[:room], batch_size=500)
        job.done += outcome.done
        job.changed += outcome.changed
        job.skipped += outcome.skipped
        job.failed += len(outcome.problems) - outcome.skipped
        job.cursor = batch.cursor
        job.attempts = 1
        job.lease_until = timezone.now() + LEASE
        job.save(
            update_fields=[
                "done", "changed", "skipped", "failed", "cursor", "attempts", "lease_until", "report", "result",
            ]
        )  # fmt: skip


def _still_wanted(job: DataJob) -> bool:
    """Lock the job; LeaseLost when it is somebody else's; answer False when it was asked to stop."""
    current = DataJob.objects.select_for_update().filter(pk=job.pk, lease_token=job.lease_token).first()
    if current is None or current.state != State.RUNNING:
        raise LeaseLost
    return not current.cancel_requested


def _end(job: DataJob, state: State, *, error: str = "") -> None:
    with transaction.atomic():
        if DataJob.objects.select_for_update().filter(pk=job.pk, lease_token=job.lease_token).exists():
            _close(job, state, error=error)


def _close(job: DataJob, state: State, *, error: str = "") -> None:
    job.state, job.error, job.finished_utc, job.lease_until, job.cursor = state, error, timezone.now(), None, None
    job.save(update_fields=["state", "error", "finished_utc", "lease_until", "cursor"])


__all__ = ["LEASE", "LeaseLost", "Work", "claim", "run"]
