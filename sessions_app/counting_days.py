"""Counting the messages of each of the last days, beside requests, for the home page.

Nothing is counted while an event is appended, and no index is written for it. Today is counted again every minute, each
day before once in an hour, whole: what was deleted, erased or imported since is right then. Each row says as of when.
"""

from __future__ import annotations

import time
from datetime import date, datetime, timedelta

from django.db import connection
from django.utils import timezone

from parlant_site.common.background import Background
from sessions_app.events import Kind
from sessions_app.message_days import MessageDay, last_days
from sessions_app.models import Event, Session
from sessions_app.querysets import EventQuerySet

TODAY_EVERY = timedelta(minutes=1)
OTHERS_EVERY = timedelta(hours=1)
REST = 50  # a count is followed by this many times its duration of rest: counting takes at most 2 % of a core


def messages_of(day: date) -> EventQuerySet:
    """Answer the messages of a day that are still there."""
    start, end = _midnight(day), _midnight(day + timedelta(days=1))
    rows = Event.objects.filter(kind=Kind.MESSAGE, deleted=False, creation_utc__gte=start, creation_utc__lt=end)
    if connection.vendor == "sqlite":  # without PostgreSQL's index over ranges: those of sessions of that time
        rows = rows.filter(session__in=Session.objects.filter(creation_utc__lt=end, last_event_utc__gte=start))
    return rows.order_by()


def count(day: date, now: datetime) -> MessageDay:
    """Count a day and keep it."""
    row = MessageDay(day=day, messages=messages_of(day).count(), counted_utc=now)
    fields = ["messages", "counted_utc"]
    MessageDay.objects.bulk_create([row], update_conflicts=True, unique_fields=["day"], update_fields=fields)
    return row


def due(now: datetime) -> date | None:
    """Answer which day to count now: today, or the one of the others that was counted longest ago; None for none."""
    *others, today = last_days()
    known = dict(MessageDay.objects.filter(day__in=[*others, today]).values_list("day", "counted_utc"))
    if today not in known or known[today] <= now - TODAY_EVERY:
        return today
    never = datetime.min.replace(tzinfo=now.tzinfo)
    longest = max(others, key=lambda day: (now - known.get(day, never), day))
    return longest if known.get(longest, never) <= now - OTHERS_EVERY else None


def count_all() -> None:
    """Count every day that is due, and forget those that are no longer shown; for demos and tests."""
    MessageDay.objects.filter(day__lt=last_days()[0]).delete()
    now = timezone.now()
    while (day := due(now)) is not None:
        count(day, now)


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime(day.year, day.month, day.day))


class Worker(Background):
    """Counts one day at a time. Of several processes each counts what no other has counted lately."""

    name = "message-days"
    look_every = 5.0

    def look(self) -> bool:
        """Count the day that is due, then rest in proportion to what that took."""
        now = timezone.now()
        day = due(now)
        if day is None:
            return False
        if day == last_days()[-1]:
            MessageDay.objects.filter(day__lt=last_days()[0]).delete()
        begun = time.monotonic()
        count(day, now)
        self.stopping.wait(REST * (time.monotonic() - begun))
        return True


worker = Worker()
