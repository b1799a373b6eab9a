"""The thread that keeps memberships current, beside the agents' runner (`serve`, `run_agents`).

Any number of processes may have one. One of them at a time looks at customers who changed and at passing time; runs
go to whoever claims them.
"""

from __future__ import annotations

import time
from datetime import datetime, timedelta

from django.db import DatabaseError
from django.utils import timezone

from customers.insight import catalogue
from customers.segments import leases, running
from customers.segments.editing import refresh
from customers.segments.history import Cause, SegmentRun
from customers.segments.models import Segment
from customers.segments.passing import advance, pass_time
from customers.segments.repairing import forget_deleted
from customers.segments.stale import NAME, Stale
from parlant_site.common.background import Background

LOOK_EVERY = 0.2  # seconds: a change is seen in a segment within one
TICK = 10.0  # seconds between looks at the clock
CATALOGUE_EVERY = 15.0  # seconds between looks at what changed in metadata
REST = 20  # a look at the clock is followed by this many times its duration of rest
RECONCILE_HOUR = 3  # of the night, in the time zone of the settings


class Keeper:
    """What a worker does, one piece at a time; `look` answers whether there was anything to do."""

    def __init__(self) -> None:
        self.stale: Stale | None = None
        self.run: SegmentRun | None = None
        self._renewed = self._clock_at = self._catalogue_at = 0.0

    def look(self) -> bool:
        """Do one piece of work: customers who changed come first, then time, then a step of a run."""
        if self._leads():
            if self._look_at_stale():
                return True
            if time.monotonic() >= self._clock_at:
                self._look_at_the_clock()
            if time.monotonic() >= self._catalogue_at:
                self._look_at_the_catalogue()
        return self._step()

    def _leads(self) -> bool:
        now = time.monotonic()
        if self.stale is None:
            token = leases.take(NAME)
            self.stale = None if token is None else Stale(token)
            self._renewed = now
        elif now - self._renewed > leases.RENEW_EVERY:
            try:
                leases.renew(NAME, self.stale.token)
                self._renewed = now
            except leases.LeaseLost:
                self.stale = None
        return self.stale is not None

    def _look_at_stale(self) -> bool:
        assert self.stale is not None
        try:
            return bool(self.stale.look() or forget_deleted())
        except leases.LeaseLost:
            self.stale = None
            return False

    def _look_at_the_clock(self) -> None:
        begun = time.monotonic()
        look_at_the_clock()
        taken = time.monotonic() - begun
        self._clock_at = time.monotonic() + max(TICK, REST * taken)

    def _look_at_the_catalogue(self) -> None:
        begun = time.monotonic()
        more = catalogue.keep_current()
        rest = 2 * (time.monotonic() - begun)
        self._catalogue_at = time.monotonic() + (rest if more else CATALOGUE_EVERY)

    def _step(self) -> bool:
        self.run = self.run or running.claim()
        if self.run is None:
            return False
        try:
            goes_on = running.step(self.run)
        except running.LeaseLost:
            goes_on = False
        except DatabaseError:
            running.let_go(self.run)
            self.run = None
            raise
        if not goes_on:
            self.run = None
        return True

    def give_back(self) -> None:
        """Let other processes go on at once."""
        if self.stale is not None:
            leases.give_back(NAME, self.stale.token)
        if self.run is not None:
            running.let_go(self.run)
        self.stale = self.run = None


def look_at_the_clock() -> None:
    """Let time pass for every segment, and queue the nightly reconciling when its hour has come."""
    unmoved = []
    for segment in Segment.objects.dynamic().order_by("pk"):
        if segment.is_relative:
            pass_time(segment)
        else:
            unmoved.append(segment.pk)
    advance(unmoved)
    for segment in Segment.objects.filter(reconciled_utc__lt=last_night(timezone.now())).order_by("pk"):
        if not segment.runs.unfinished().exists():
            refresh(segment, Cause.RECONCILE)
    catalogue.rebuild_if_older_than(last_night(timezone.now()))


def last_night(now: datetime) -> datetime:
    """Answer the latest instant at which segments were to be reconciled."""
    local = timezone.localtime(now)
    hour = local.replace(hour=RECONCILE_HOUR, minute=0, second=0, microsecond=0)
    return hour if hour <= local else hour - timedelta(days=1)


def settle_all() -> None:
    """Do all there is to do, in this process, for commands and tests; what another process is at, is left to it."""
    keeper = Keeper()
    try:
        look_at_the_clock()
        keeper._clock_at = keeper._catalogue_at = float("inf")
        while keeper.look():
            pass
    finally:
        keeper.give_back()


class Worker(Background):
    """Keeps memberships current."""

    name = "segments"
    look_every = LOOK_EVERY

    def __init__(self) -> None:
        super().__init__()
        self.keeper = Keeper()

    def look(self) -> bool:
        """Do one piece of the keeper's work."""
        return self.keeper.look()

    def give_back(self) -> None:
        """Give back what the keeper holds."""
        self.keeper.give_back()


worker = Worker()
