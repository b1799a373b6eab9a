"""Who belongs to a segment, asked in the statements that write the members.

Whoever changes members holds the lock of the segment's row, and asks for the members anew under it. So it does not
matter how often, in what order or by how many processes a customer is looked at: the last look is right.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db.models import Case, CharField, Exists, F, OuterRef, Q, QuerySet, Value, When

from customers.segments.compiling import complement, condition
from customers.segments.expressions import TextIn
from customers.segments.history import Cause
from customers.segments.models import Segment, SegmentMember, SegmentPin, Via
from customers.segments.periods import Moment
from customers.segments.writing import Moved, write


def among(ids: Iterable[str]) -> Q:
    """Answer the condition that a customer is one of these, however many, in a statement of the same text."""
    return Q(TextIn(F("id"), tuple(ids)))


def is_member(segment: Segment) -> Exists:
    """Answer the condition that a customer is a member now."""
    return Exists(SegmentMember.objects.filter(segment_id=segment.pk, customer_id=OuterRef("pk")).order_by())


def pinned(segment: Segment, *, is_in: bool) -> Exists:
    """Answer the condition that a customer is pinned in, or out."""
    return Exists(SegmentPin.objects.filter(segment_id=segment.pk, customer_id=OuterRef("pk"), is_in=is_in).order_by())


def those_entering(segment: Segment, moment: Moment, within: Q) -> QuerySet[Any, Any]:
    """Answer (id, via) of those who should be members of a dynamic segment and are not."""
    from customers.models import Customer

    wanted, via = condition(segment.tree, moment), Value(str(Via.RULE), output_field=CharField())
    if segment.pins.exists():
        wanted = (wanted & ~Q(pinned(segment, is_in=False))) | Q(pinned(segment, is_in=True))
        via = Case(When(pinned(segment, is_in=True), then=Value(str(Via.PIN))), default=via)  # type: ignore[assignment]
    rows = Customer.objects.filter(within).filter(wanted).filter(~is_member(segment)).order_by()
    return rows.annotate(via=via).values("id", "via")


def those_leaving(segment: Segment, moment: Moment, within: Q) -> QuerySet[Any, Any]:
    """Answer (id,) of members of a dynamic segment who should not be."""
    from customers.models import Customer

    unwanted = complement(segment.tree, moment)
    if segment.pins.exists():
        unwanted = (unwanted | Q(pinned(segment, is_in=False))) & ~Q(pinned(segment, is_in=True))
    return Customer.objects.filter(within).filter(is_member(segment)).filter(unwanted).order_by().values("id")


def look_at(
    segment: Segment, within: Q, cause: Cause, *, moment: Moment | None = None, tells_dependents: bool = True
) -> Moved:
    """Let those customers `within` a condition enter and leave a locked dynamic segment who should."""
    moment = moment or segment.next_moment()
    return write(
        segment,
        moment,
        cause,
        entering=those_entering(segment, moment, within),
        leaving=those_leaving(segment, moment, within),
        tells_dependents=tells_dependents,
    )
