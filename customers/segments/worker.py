"""The thread that keeps memberships current, beside the agents' runner (`serve`, `run_agents`).

Any number of processes may have one. One of them at a time looks at customers who changed and at passing time; runs
go to whoever claims them.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from datetime import datetime, timedelta

from django.db import DatabaseError, close_old_connections, connection
from django.utils import timezone

from customers.segments import catalogue, leases, running
from customers.segments.editing import refresh
from customers.segments.history import Cause, SegmentRun
from customers.segments.models import Segment
from customers.segments.passing import advance, pass_time
from customers.segments.repairing import forget_deleted
from customers.segments.stale import NAME, Stale

logger = logging.getLogger(__name__)

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


class Worker:
    """Keeps memberships current in a thread of its own, with a database connection of its own."""

    def __init__(self) -> None:
        self.stopping = threading.Event()
        self.queued = threading.Event()
        self.thread: threading.Thread | None = None

    async def start(self) -> None:
        """Begin; a process that serves calls it once."""
        self.stopping.clear()
        self.thread = threading.Thread(target=self.work, name="segments", daemon=True)
        self.thread.start()

    async def stop(self) -> None:
        """End after the piece of work at hand; another process, or the next start, goes on."""
        self.stopping.set()
        self.queued.set()
        if self.thread is not None:
            await asyncio.to_thread(self.thread.join, 10)

    def wake(self) -> None:
        """Look now."""
        self.queued.set()

    def work(self) -> None:
        """Do what there is to do until told to stop; a database that is away is asked again."""
        keeper = Keeper()
        while not self.stopping.is_set():
            try:
                while not self.stopping.is_set() and keeper.look():
                    pass
            except DatabaseError:
                logger.warning("Segments wait for the database", exc_info=True)
                self.stopping.wait(LOOK_EVERY)
            except Exception:
                logger.exception("Segments cannot be kept current")
                self.stopping.wait(5 * LOOK_EVERY)
            finally:
                close_old_connections()
            self.queued.wait(LOOK_EVERY)
            self.queued.clear()
        try:
            keeper.give_back()
        except DatabaseError:
            logger.warning("Leases could not be given back", exc_info=True)
        connection.close()


worker = Worker()
