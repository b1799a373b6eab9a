"""The slow look at the database that finds what no wake-up told: one thread per process, while somebody waits.

Each tick asks for a change token, which costs next to nothing. Only when something was written since then it compares
the revisions of the watched sessions, in one query, and rests in proportion to what that cost.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from datetime import timedelta
from threading import Lock, Thread

from django.conf import settings
from django.db import DatabaseError, InterfaceError, close_old_connections, connection
from django.utils import timezone

from parlant_site.common.ids import id_at
from parlant_site.common.rendering import dumps
from sessions_app import feed
from sessions_app.models import Event
from sessions_app.overview import GONE, told_revisions

logger = logging.getLogger(__name__)

# How often the token is asked for when no channel layer tells of other processes.
SQLITE_TICK = 0.05
POSTGRESQL_TICK = 0.2
# A comparison is followed by this many times its duration of rest: looking takes at most 2 % of a core.
REST = 50
# After this long without watchers the thread ends and its connection with it.
IDLE_SECONDS = 5.0
# How far back new events are looked for: longer than any transaction that appends takes.
LOOK_BACK = timedelta(seconds=30)

_lock = Lock()
_thread: Thread | None = None


def begin() -> None:
    """See to it that the thread runs."""
    global _thread
    if _thread is None:
        with _lock:
            if _thread is None:
                _thread = Thread(target=_run, name="safety-net", daemon=True)
                _thread.start()


def _run() -> None:
    global _thread
    net = SafetyNet()
    idle_since = time.monotonic()
    try:
        while True:
            time.sleep(net.pause())
            if feed.is_watched():
                idle_since = time.monotonic()
                net.look()
            elif time.monotonic() - idle_since > IDLE_SECONDS:
                with _lock:
                    _thread = None
                if not feed.is_watched():
                    return
                begin()  # somebody came in this very moment and may have seen the thread still running
                return
    finally:
        connection.close()


class SafetyNet:
    """Looks, and knows what it saw last."""

    def __init__(self) -> None:
        self._token: object = None
        self._cost = 0.0
        # For which revisions of sessions those who watch all were woken by the look before.
        self._woken: dict[str, int] = {}

    def pause(self) -> float:
        """Answer how many seconds to wait until the next look."""
        tick: float = settings.PARLANT_POLL_INTERVAL
        if not getattr(settings, "CHANNEL_LAYERS", None):
            tick = min(tick, SQLITE_TICK if connection.vendor == "sqlite" else POSTGRESQL_TICK)
        return max(tick, min(REST * self._cost, settings.PARLANT_POLL_INTERVAL))

    def look(self) -> None:
        """Wake the watchers of every session that changed without their knowing. A failing database is asked again."""
        try:
            close_old_connections()
            token = change_token()
            # The token is of before the comparison: what is written meanwhile is compared next time.
            if token != self._token:
                begun = time.perf_counter()
                stale = self.stale()
                self._token, self._cost = token, time.perf_counter() - begun
                feed.wake(stale)
            close_old_connections()
        except (DatabaseError, InterfaceError) as error:
            self._token = None
            self._cost = settings.PARLANT_POLL_INTERVAL / REST
            logger.warning("The database cannot be asked what changed: %s", error)
            connection.close()

    def stale(self) -> list[str]:
        """Answer the sessions that changed without the knowledge of somebody who watches them."""
        watched = feed.oldest_revisions()
        stale = [one for one, revision in revisions_of(watched).items() if revision != watched[one]]
        if feed.watches_all():
            stale += self._changed_lately()
        return stale

    def _changed_lately(self) -> list[str]:
        """Answer the sessions with new events, and those told of lately, whose revision was not told yet.

        What changes about a session that had no event lately is told by its wake-up alone.
        """
        told = told_revisions()
        now = revisions_of([*told, *active_since(LOOK_BACK)])
        changed = {one: revision for one, revision in now.items() if told.get(one) != revision}
        # Who collects and tells nobody is woken once for each change all the same.
        before, self._woken = self._woken, changed
        return [one for one, revision in changed.items() if before.get(one) != revision]


def change_token() -> object:
    """Answer a value that differs from the one before when anything was committed to the database in between.

    SQLite counts the commits of all other connections, of whatever process: this connection never writes. PostgreSQL's
    snapshot names the transactions that run and the next one: it stays the same while nobody writes.
    """
    question = "PRAGMA data_version" if connection.vendor == "sqlite" else "SELECT pg_current_snapshot()::text"
    with connection.cursor() as cursor:
        cursor.execute(question)
        return cursor.fetchone()


def revisions_of(session_ids: Iterable[str]) -> dict[str, int]:
    """Answer the revision of each session, GONE for one that was deleted."""
    found = dict.fromkeys(session_ids, GONE)
    # One parameter, however many sessions: the statement is planned once.
    among = "= ANY(%s)" if connection.vendor == "postgresql" else "IN (SELECT value FROM json_each(%s))"
    listed = list(found) if connection.vendor == "postgresql" else dumps(list(found)).decode()
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT id, revision FROM sessions_app_session WHERE id {among}", [listed])
        found.update(cursor.fetchall())
    return found


def active_since(age: timedelta) -> list[str]:
    """Answer the sessions that had an event within the age."""
    since = timezone.now() - age
    if connection.vendor == "postgresql":
        recent = Event.objects.filter(creation_utc__gte=since)  # a block range index finds the end of the table
    else:
        recent = Event.objects.filter(pk__gte=id_at(int(since.timestamp() * 1000)))  # ids begin with the time
    return list(recent.order_by().values_list("session_id", flat=True).distinct())
