"""Pages of members, now or as of an instant, by the customer's id."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Q

from customers.segments.history import MembershipEvent, Move
from customers.segments.models import Segment, SegmentMember
from customers.segments.past import as_of, members_as_of, offset_at


@dataclass(frozen=True)
class Member:
    """A member; `name` is None when the customer was deleted since."""

    customer_id: str
    name: str | None
    since: datetime
    via: str


@dataclass(frozen=True)
class MembersPage:
    """Some members, how many there are in all, and whether more follow."""

    items: list[Member]
    total_count: int
    has_more: bool
    as_of: datetime


def read_members(
    segment: Segment, *, at: datetime | None = None, after: str | None = None, limit: int = 100
) -> MembersPage:
    """Answer the members whose ids follow `after`; as of now, or of an instant.

    Members as of an instant come from the events, when there were any since: customers who were deleted are among them.
    """
    known = as_of([segment])[segment.pk]
    if at is not None:
        known = min(at, known)
        if segment.changed_utc is not None and at < segment.changed_utc:
            return _as_of(segment, at, after, limit, known)
    rows = SegmentMember.objects.filter(segment_id=segment.pk).order_by("customer_id")
    if after is not None:
        rows = rows.filter(customer_id__gt=after)
    found = list(rows.values_list("customer_id", "customer__name", "since", "via")[: limit + 1])
    shown = [Member(*row) for row in found[:limit]]
    return MembersPage(shown, segment.size, len(found) > limit, known)


def _as_of(segment: Segment, at: datetime, after: str | None, limit: int, known: datetime) -> MembersPage:
    rows = members_as_of(segment, at)
    if after is not None:
        rows = rows.filter(customer_ref__gt=after)
    found = list(rows[: limit + 1])
    names = names_of(event.customer_ref for event in found)
    shown = [Member(one.customer_ref, names.get(one.customer_ref), one.at, one.via) for one in found[:limit]]
    return MembersPage(shown, size_at(segment, at), len(found) > limit, known)


def size_at(segment: Segment, at: datetime) -> int:
    """Answer how many members a segment had as of an instant."""
    events = MembershipEvent.objects.filter(segment_id=segment.pk, offset__lt=offset_at(segment, at)).order_by()
    counts = events.aggregate(
        entered=Count("offset", filter=Q(move=Move.ENTERED)), left=Count("offset", filter=Q(move=Move.LEFT))
    )
    return int(counts["entered"]) - int(counts["left"])


def names_of(ids: Iterable[str]) -> dict[str, str]:
    """Answer the names of those customers who still exist."""
    from customers.models import Customer

    return dict(Customer.objects.filter(pk__in=list(ids)).order_by().values_list("pk", "name"))
