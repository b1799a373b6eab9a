"""Runs: a look at every customer for one segment, in short steps.

Each step is one transaction, which locks the segment and the run, looks whether the lease is still its own, lets
members of one stretch of ids enter and leave, and writes the run's progress. Whoever is killed repeats no step and
leaves out none; whoever was thought dead finds another token and stops.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from datetime import timedelta

from django.db import DatabaseError, IntegrityError, connection, transaction
from django.db.models import F, Q
from django.utils import timezone

from customers.insight.limits import TookTooLong, time_limited
from customers.segments.history import Cause, RunState, SegmentRun
from customers.segments.membership import Stretch, look_at
from customers.segments.models import Segment
from customers.segments.passing import not_crossing
from customers.segments.repairing import correct_size, let_the_gone_leave, match_tag
from customers.segments.writing import Moved
from parlant_site.common.acting import current
from parlant_site.common.ids import new_id

logger = logging.getLogger(__name__)

LEASE = timedelta(seconds=15)
MOST_ATTEMPTS = 20
LONGEST_STEP = 60.0  # seconds for each statement; a step takes a fraction of one
STEP = {"postgresql": 50_000, "sqlite": 10_000}
_wakers: list[Callable[[], None]] = []


class LeaseLost(Exception):
    """Another process took the run over, or the segment is gone."""


def on_queued(waker: Callable[[], None]) -> None:
    """Have a function called after a commit that queued a run."""
    _wakers.append(waker)


def queue(segment: Segment, cause: Cause) -> SegmentRun:
    """Queue a run of a segment, inside a transaction; one that is unfinished begins again instead."""
    for _ in range(3):
        run = SegmentRun.objects.select_for_update().unfinished().filter(segment=segment).first()
        if run is not None:
            if cause is not Cause.RECONCILE:  # which finds what is wrong, and explains nothing that others caused
                run.cause = cause
            run.rule_version, run.cursor, run.done, run.total = segment.rule_version, "", 0, None
            run.save(update_fields=["cause", "rule_version", "cursor", "done", "total"])
            break
        with suppress(IntegrityError), transaction.atomic():  # somebody may queue one in this very moment
            who = current()
            run = SegmentRun.objects.create(
                segment=segment,
                cause=cause,
                rule_version=segment.rule_version,
                actor=who.user,
                actor_name=who.name,
            )
            break
    assert run is not None
    for waker in _wakers:
        transaction.on_commit(waker)
    return run


def claim(run_id: str | None = None) -> SegmentRun | None:
    """Claim the oldest run that nobody works on, or a certain one; None when there is none to be had."""
    now = timezone.now()
    waiting = SegmentRun.objects.claimable(now).order_by("creation_utc", "id")
    if run_id is not None:
        waiting = waiting.filter(pk=run_id)
    for key in waiting.values_list("pk", flat=True)[:10]:
        token = new_id()
        taken = SegmentRun.objects.claimable(now).filter(pk=key)
        if taken.update(state=RunState.RUNNING, lease_token=token, lease_until=now + LEASE, attempts=F("attempts") + 1):
            return SegmentRun.objects.get(pk=key)
    return None


def step(run: SegmentRun, *, size: int | None = None) -> bool:
    """Do the next stretch of customers of a claimed run; answer whether more are to be done. LeaseLost says it is not
    ours."""
    try:
        if run.attempts > MOST_ATTEMPTS:
            _fail(run, f"The run was begun {MOST_ATTEMPTS} times and never got to its end")
            return False
        with _bounded():
            return _step(run, size or STEP[connection.vendor])
    except TookTooLong:
        _fail(run, f"The rule took longer than {LONGEST_STEP:g} seconds for {STEP[connection.vendor]:,} customers")
        return False
    except (DatabaseError, LeaseLost):  # of a deadlock or a lost connection the next try knows nothing
        raise
    except Exception:
        logger.exception("Run %s of segment %s failed", run.pk, run.segment_id)
        _fail(run, "An unexpected error; the log of the process has it")
        return False


def _bounded() -> AbstractContextManager[None]:
    """Break off the statements of a step when a pattern takes for ever; SQLite asks a library that cannot."""
    return time_limited(LONGEST_STEP) if connection.vendor == "postgresql" else nullcontext()


@transaction.atomic
def _step(run: SegmentRun, size: int) -> bool:
    from customers.models import Customer

    segment = Segment.objects.select_for_update().filter(pk=run.segment_id).first()
    mine = SegmentRun.objects.select_for_update().filter(pk=run.pk, lease_token=run.lease_token)
    if segment is None or mine.filter(state=RunState.RUNNING).first() is None:
        raise LeaseLost
    run.refresh_from_db()
    if run.started_utc is None or run.total is None:
        run.started_utc = run.started_utc or timezone.now()
        run.total = Customer.objects.count()
    keys = Customer.objects.filter(pk__gt=run.cursor).order_by("pk").values_list("pk", flat=True)
    last = next(iter(keys[size - 1 : size]), None)
    moved = _look(segment, run, Stretch(run.cursor, last))
    run.entered += moved.entered
    run.left += moved.left
    run.attempts = 1
    if last is not None:
        run.cursor, run.done = last, run.done + size
        run.lease_until = timezone.now() + LEASE
    else:
        run.state, run.finished_utc, run.done, run.lease_until = RunState.OK, timezone.now(), run.total, None
        run.cursor = ""
        _finish(segment, run)
    run.save(
        update_fields=[
            "started_utc", "total", "cursor", "done", "entered", "left", "repaired", "attempts", "lease_until",
            "state", "finished_utc",
        ]
    )  # fmt: skip
    return last is not None


def _look(segment: Segment, run: SegmentRun, stretch: Stretch) -> Moved:
    """Look at a stretch of customers; dependents are told at the end of the run."""
    cause, moment, moved = Cause(run.cause), segment.next_moment(), Moved()
    if not segment.is_static:
        # What changed a moment ago, and what time just passed, is on its way and no drift.
        also = Q(stale=0) & not_crossing(segment, moment) if cause is Cause.RECONCILE else Q()
        moved = look_at(segment, stretch, cause, moment=moment, also=also, tells_dependents=False)
    if cause in (Cause.RECONCILE, Cause.REFRESH):
        moved += let_the_gone_leave(segment, moment, cause, stretch)
    run.repaired += match_tag(segment, stretch)
    return moved


def _finish(segment: Segment, run: SegmentRun) -> None:
    if run.cause == Cause.RECONCILE:
        run.repaired += correct_size(segment)
        segment.reconciled_utc = timezone.now()
        segment.save(update_fields=["reconciled_utc"])
    _tell_dependents(segment, run)


def _tell_dependents(segment: Segment, run: SegmentRun) -> None:
    if run.entered or run.left or run.repaired:
        for dependent in Segment.objects.referring_to(segment.pk, segment.published_tag_id).order_by("pk"):
            queue(dependent, Cause.SEGMENT)


@transaction.atomic
def _fail(run: SegmentRun, error: str) -> None:
    mine = SegmentRun.objects.select_for_update().filter(pk=run.pk, lease_token=run.lease_token).first()
    if mine is not None:
        mine.state, mine.error, mine.finished_utc, mine.lease_until = RunState.FAILED, error, timezone.now(), None
        mine.save(update_fields=["state", "error", "finished_utc", "lease_until"])
        _tell_dependents(mine.segment, mine)


def let_go(run: SegmentRun) -> None:
    """Give a run back, for any process to go on with at once."""
    SegmentRun.objects.filter(pk=run.pk, lease_token=run.lease_token).update(lease_until=None)


def run_to_end(run: SegmentRun) -> SegmentRun:
    """Do all steps of a claimed run, for commands and tests."""
    while step(run):
        pass
    run.refresh_from_db()
    return run
