"""What segments were: members as of an instant, replayed events, and the instant for which all of this is right."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from customers.segments.history import MembershipEvent, Move, SegmentRun
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
    way."""
    from customers.models import Customer

    rows, now = list(segments), timezone.now()
    running = set(
        SegmentRun.objects.unfinished()
        .filter(segment__in=[row.pk for row in rows])
        .values_list("segment_id", flat=True)
    )
    stale = Customer.objects.stale().exists()
    found = {}
    for row in rows:
        known = max(filter(None, (row.timed_utc, row.changed_utc)))
        is_waiting = row.pk in running or (stale and not row.is_static)
        found[row.pk] = known if is_waiting or row.is_relative else now
    return found
