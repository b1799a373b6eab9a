"""Who belongs to a segment, asked in the statements that write the members.

Whoever changes members holds the lock of the segment's row, and asks for the members anew under it. So it does not
matter how often, in what order or by how many processes a customer is looked at: the last look is right.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, TypeAlias

from django.db.models import BooleanField, Case, CharField, Count, Exists, F, Func, OuterRef, Q, QuerySet, Value, When

from customers.rules.compiling import condition
from customers.rules.expressions import IsTrue, TextIn
from customers.rules.periods import Moment
from customers.segments.history import Cause
from customers.segments.models import Segment, SegmentMember, SegmentPin, Via
from customers.segments.writing import Moved, write


@dataclass(frozen=True)
class Among:
    """These customers, however many, in a statement of the same text."""

    ids: Iterable[str]

    def of(self, column: str) -> Q:
        """Answer the condition that a column of ids holds one of them."""
        return Q(TextIn(F(column), tuple(self.ids)))


@dataclass(frozen=True)
class Stretch:
    """Customers after an id, up to another one."""

    after: str = ""
    last: str | None = None

    def of(self, column: str) -> Q:
        """Answer the condition that a column of ids holds one of them."""
        found = Q(**{f"{column}__gt": self.after})
        return found if self.last is None else found & Q(**{f"{column}__lte": self.last})


Within: TypeAlias = Among | Stretch


def one_of(column: str, rows: QuerySet[Any, Any]) -> Q:
    """Answer the condition that a column holds one of the rows' values, looked up in a hash table.

    Measured on PostgreSQL: of a segment that was just filled it has no statistics, and joins as if that were empty, in
    time that grows with the square. IS TRUE keeps it from making a join of the condition.
    """
    return Q(IsTrue(Q(**{f"{column}__in": rows.order_by()})))


def members_within(segment: Segment, within: Within) -> QuerySet[Any, Any]:
    """Answer the ids of those of some customers who are members now.

    Customers are named once more: a database does not conclude by itself which members it need not read.
    """
    return SegmentMember.objects.filter(within.of("customer_id"), segment_id=segment.pk).values("customer_id")


def is_member(segment: Segment, within: Within) -> Q:
    """Answer the condition that one of some customers is a member now."""
    return one_of("id", members_within(segment, within))


def pinned(segment: Segment, *, is_in: bool) -> Exists:
    """Answer the condition that a customer is pinned in, or out."""
    return Exists(SegmentPin.objects.filter(segment_id=segment.pk, customer_id=OuterRef("pk"), is_in=is_in).order_by())


class Differ(Func):
    """Two conditions answer differently."""

    output_field = BooleanField()
    arg_joiner = " <> "
    template = "(%(expressions)s)"


def those_moving(segment: Segment, moment: Moment, within: Within) -> QuerySet[Any, Any]:
    """Answer (id, enters, via) of those who should be members of a dynamic segment and are not, or the other way round.

    The rule is asked once of each customer.
    """
    from customers.models import Customer

    wanted, via = condition(segment.tree, moment), Value(str(Via.RULE), output_field=CharField())
    if segment.pins.exists():
        wanted = (wanted & ~Q(pinned(segment, is_in=False))) | Q(pinned(segment, is_in=True))
        via = Case(When(pinned(segment, is_in=True), then=Value(str(Via.PIN))), default=via)  # type: ignore[assignment]
    rows = Customer.objects.filter(within.of("id")).filter(Differ(IsTrue(wanted), is_member(segment, within)))
    return rows.order_by().annotate(enters=IsTrue(wanted), via=via).values("id", "enters", "via")


def would_move(segment: Segment, moment: Moment) -> Moved:
    """Answer how many would enter and leave now; nobody does."""
    moving = those_moving(segment, moment, Stretch()).values_list("enters")
    counts: dict[bool, int] = {bool(enters): number for enters, number in moving.annotate(number=Count("id"))}
    return Moved(counts.get(True, 0), counts.get(False, 0))


def all_move(rows: QuerySet[Any, Any], *, enter: bool, via: Via = Via.RULE) -> QuerySet[Any, Any]:
    """Answer (id, enters, via) of rows of customers, or of members, who all enter or all leave."""
    rows = rows.order_by().annotate(enters=Value(enter))
    if rows.model is SegmentMember:  # each knows by herself how she came
        return rows.annotate(id=F("customer_id")).values("id", "enters", "via")
    return rows.annotate(via=Value(str(via), output_field=CharField())).values("id", "enters", "via")


def look_at(
    segment: Segment,
    within: Within,
    cause: Cause,
    *,
    also: Q | None = None,
    moment: Moment | None = None,
    tells_dependents: bool = True,
) -> Moved:
    """Let those of some customers enter and leave a locked dynamic segment who should, and for whom `also` holds."""
    moment = moment or segment.next_moment()
    moving = those_moving(segment, moment, within).filter(also or Q())
    return write(segment, moment, cause, moving, tells_dependents=tells_dependents)
