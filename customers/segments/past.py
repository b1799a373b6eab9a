"""What segments were: members as of an instant, replayed events, and the instant for which all of this is right."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db.models import Exists, Min, OuterRef, QuerySet
from django.utils import timezone

from customers.segments.history import Cause, MembershipEvent, Move, RunState, SegmentRun
from customers.segments.models import Segment, SegmentMember


def offset_at(segment: Segment, instant: datetime) -> int:
    """Answer the offset of the first event after an instant: events number without gaps, and in the order of time."""
    low, high = 0, segment.next_offset
    events = MembershipEvent.objects.filter(segment_id=segment.pk)
    while low < high:
        middle = (low + high) // 2
        at = events.filter(offset=middle).values_list("at", flat=True).first()
        if at is not None and at <= instant:
            low = middle + 1
        else:
            high = middle
    return low


def members_as_of(segment: Segment, instant: datetime) -> QuerySet[MembershipEvent]:
    """Answer, for each member as of an instant, the event by which she had entered; `customer_ref` names her.

    Customers who were deleted since are among them.
    """
    until = offset_at(segment, instant)
    events = MembershipEvent.objects.filter(segment_id=segment.pk, offset__lt=until)
    later = events.filter(customer_ref=OuterRef("customer_ref"), offset__gt=OuterRef("offset")).order_by()
    return events.filter(~Exists(later), move=Move.ENTERED).order_by("customer_ref")


def names_of_segments(customer_id: str) -> list[str]:
    """Answer the names of the segments in which a customer is now."""
    memberships = SegmentMember.objects.filter(customer_id=customer_id).order_by("segment__name")
    return list(memberships.values_list("segment__name", flat=True))


def replayed(events: Iterable[MembershipEvent]) -> set[str]:
    """Answer who is in a segment after events, in their order."""
    members: set[str] = set()
    for event in events:
        (members.add if event.move == Move.ENTERED else members.discard)(event.customer_ref)
    return members


def as_of(segments: Iterable[Segment]) -> dict[str, datetime]:
    """Answer for each segment the instant up to which its members are known to be right: now, when nothing is on its
    way.

    On their way are customers who changed, runs that are to bring members up to date, also when they failed, be they
    those of segments that the rule asks for. Three queries at most.
    """
    from customers.models import Customer

    rows, now = list(segments), timezone.now()
    wrong = _waiting_since()
    stale = Customer.objects.stale().exists()
    is_asking = wrong and any(row.refers for row in rows)
    others = list(Segment.objects.order_by().defer("rule", "description")) if is_asking else []
    known: dict[str, datetime] = {}
    for row in rows:
        bounds = [wrong[key] for key in wrong.keys() & {row.pk, *_asked_for(row, others)}]
        if row.is_relative or (stale and not row.is_static):
            bounds.append(row.timed_utc)
        known[row.pk] = min([now, *bounds])
    return known


def _waiting_since() -> dict[str, datetime]:
    """Answer since when segments wait for a run, or for another one after one that failed."""
    newer = SegmentRun.objects.filter(
        segment_id=OuterRef("segment_id"), state=RunState.OK, finished_utc__gt=OuterRef("creation_utc")
    )
    # A reconciling run finds what should not be: members are right without it.
    runs = SegmentRun.objects.exclude(state=RunState.OK).exclude(cause=Cause.RECONCILE).filter(~Exists(newer))
    return dict(runs.order_by().values_list("segment_id").annotate(Min("creation_utc")))


def _asked_for(segment: Segment, others: Iterable[Segment]) -> set[str]:
    """Answer the segments for which a rule asks, through others and published tags too."""
    rows = {row.pk: row for row in others}
    by_tag = {row.published_tag_id: row.pk for row in others if row.published_tag_id}
    found: set[str] = set()
    waiting = list(segment.refers)
    while waiting:
        key = waiting.pop()
        key = by_tag.get(key, key)
        if key in rows and key not in found:
            found.add(key)
            waiting += rows[key].refers
    return found
