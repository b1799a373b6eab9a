"""Time passing: whose dates a relative rule sees differently now than when it was last asked.

Only customers whose dates lie between the old and the new boundary of "within the last 7 days" can flip, so only they
are looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from customers.rules.asking import Asked, During
from customers.rules.compiling import lying_in
from customers.rules.expressions import Always, IsNotTrue
from customers.rules.periods import Length, Moment
from customers.rules.reading import asked_in
from customers.rules.values import Edge, Span
from customers.segments.history import Cause
from customers.segments.membership import Among, look_at
from customers.segments.models import Segment
from customers.segments.writing import Moved

MOST_AT_ONCE = 5000
_DAY = timedelta(days=1)
# "A month before" the 29th, 30th and 31st of March is one day: boundaries by the calendar go back at times.
_CALENDAR = timedelta(days=4)


def crossing(segment: Segment, moment: Moment) -> Q:
    """Answer the condition that a date of a customer lies where a boundary of the rule went since it was last looked
    at.

    NULL where a customer has no such date.
    """
    windows = Q()
    before = segment.moment(segment.timed_utc)
    for asked in asked_in(segment.tree):
        for window in windows_of(asked, before, moment):
            windows |= lying_in(asked.field, window)
    return windows or Q(Always(False))


def not_crossing(segment: Segment, moment: Moment) -> Q:
    """Answer the complement of `crossing`."""
    return Q(IsNotTrue(crossing(segment, moment)))


def windows_of(asked: Asked, before: Moment, after: Moment) -> Iterator[Span]:
    """Answer the stretches over which the boundaries of a leaf went between two moments."""
    test = asked.test
    if not isinstance(test, During) or not test.is_relative:
        return
    old, new = test.span(before), test.span(after)
    for first, second in ((old.start, new.start), (old.end, new.end)):
        if first is not None and second is not None and first != second:
            yield _between(first, second, _margin(test, first, second, _day_of(before) != _day_of(after)))


def _margin(test: During, first: Edge, second: Edge, is_another_day: bool) -> tuple[timedelta, timedelta]:
    """Answer how far boundaries may have gone beyond both ends in between: in all, and on the wall's clock alone."""
    by_calendar = test.leaf.operator in ("withinLast", "moreThanAgo") and Length.read(test.leaf.value).goes_by_calendar
    everywhere = _CALENDAR if by_calendar and is_another_day else timedelta()
    clocks_changed = first.wall - first.utc.replace(tzinfo=None) != second.wall - second.utc.replace(tzinfo=None)
    return everywhere, everywhere + (_DAY if clocks_changed else timedelta())


def _day_of(moment: Moment) -> date:
    return moment.now.astimezone(moment.zone).date()


def _between(first: Edge, second: Edge, margin: tuple[timedelta, timedelta]) -> Span:
    utc, wall = margin
    start = Edge(min(first.utc, second.utc) - utc, min(first.wall, second.wall) - wall)
    end = Edge(max(first.utc, second.utc) + utc, max(first.wall, second.wall) + wall)
    return Span(start, end)


def pass_time(segment: Segment) -> Moved:
    """Let members of a dynamic segment enter and leave because time passed.

    A boundary that passes many at once, as at midnight, queues a run instead.
    """
    from customers.models import Customer
    from customers.segments.running import queue

    moment = segment.next_moment()
    ids = list(
        Customer.objects.filter(crossing(segment, moment)).order_by().values_list("pk", flat=True)[: MOST_AT_ONCE + 1]
    )
    if not ids:
        advance([segment.pk], moment)
        return Moved()
    with transaction.atomic():
        locked = Segment.objects.select_for_update().filter(pk=segment.pk).first()
        if locked is None or locked.rule_version != segment.rule_version:
            return Moved()  # the run of the new rule looks at everybody
        moved = Moved()
        if len(ids) > MOST_AT_ONCE:
            queue(locked, Cause.TIME)
        else:
            moved = look_at(locked, Among(ids), Cause.TIME)
        advance([segment.pk], moment)
    return moved


def advance(segment_ids: list[str], moment: Moment | None = None) -> None:
    """Say that time was taken into account up to a moment, or now."""
    now = moment.now if moment else timezone.now()
    Segment.objects.filter(pk__in=segment_ids, timed_utc__lt=now).update(timed_utc=now)
