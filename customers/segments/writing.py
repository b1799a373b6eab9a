"""Writing a change of a segment's members: members, events, size, day and tag together, or not at all.

The events are written first, by INSERT ... SELECT from the question who enters and who leaves; they then say which
members to write. So no member passes through Python, and both databases run the same statements.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.db import connection, models, transaction
from django.db.models import F
from django.utils import timezone

from customers.changes import Changed
from customers.rules.periods import Moment
from customers.segments import feed
from customers.segments.history import Cause, MembershipEvent, Move, SegmentDay
from customers.segments.models import Segment, SegmentMember


@dataclass(frozen=True)
class Moved:
    """How many entered and left."""

    entered: int = 0
    left: int = 0

    def __bool__(self) -> bool:
        return bool(self.entered or self.left)

    def __add__(self, other: Moved) -> Moved:
        return Moved(self.entered + other.entered, self.left + other.left)


def write(
    segment: Segment, moment: Moment, cause: Cause, moving: models.QuerySet[Any, Any], *, tells_dependents: bool = True
) -> Moved:
    """Let customers enter and leave a segment whose row the caller has locked; answer how many did.

    `moving` answers rows of (id, enters, via): of customers who are no members and enter, or are and leave. Customers
    are looked at again for the segments that ask for this one, unless the caller sees to that (`tells_dependents`).
    """
    first = segment.next_offset
    end = first + _record(segment, moment, cause, first, moving)
    if end == first:
        return Moved()
    events = MembershipEvent.objects.filter(segment=segment, offset__gte=first, offset__lt=end)
    split = first + events.filter(move=Move.ENTERED).count()
    moved = Moved(split - first, end - split)
    _write_members(segment, first, split, end)
    if segment.published_tag_id is not None:
        _write_links(segment, first, split, end)
    if tells_dependents:
        _mark_dependents(segment, events)
    segment.next_offset = end
    segment.size += moved.entered - moved.left
    segment.changed_utc = moment.now
    segment.save(update_fields=["next_offset", "size", "changed_utc"])
    _write_day(segment, moment, moved)
    transaction.on_commit(partial(feed.publish, segment.pk))
    return moved


_EVENT = MembershipEvent._meta.db_table
_MEMBER = SegmentMember._meta.db_table
_OF_EVENTS = f'FROM {_EVENT} e WHERE e.segment_id = %s AND e."offset" >= %s AND e."offset" < %s'


def _among_events() -> str:
    """Answer the condition of being named by events; of an array PostgreSQL uses the index, however it guesses."""
    refs = f"SELECT e.customer_ref {_OF_EVENTS}"
    return f"= ANY(ARRAY({refs}))" if connection.vendor == "postgresql" else f"IN ({refs})"


def _record(segment: Segment, moment: Moment, cause: Cause, first: int, moving: models.QuerySet[Any, Any]) -> int:
    """Write the events, those who enter first."""
    sql, parameters = compiled(moving)
    columns = 'segment_id, "offset", customer_ref, move, cause, rule_version, at, via'
    return execute(
        f"INSERT INTO {_EVENT} ({columns})"
        " SELECT %s, %s + ROW_NUMBER() OVER (ORDER BY CASE WHEN who.enters THEN 0 ELSE 1 END, who.id) - 1, who.id,"
        f" CASE WHEN who.enters THEN '{Move.ENTERED}' ELSE '{Move.LEFT}' END, %s, %s, %s, who.via FROM ({sql}) who",
        [segment.pk, first, str(cause), segment.rule_version, instant(moment.now), *parameters],
    )


def _write_members(segment: Segment, first: int, split: int, end: int) -> None:
    if split > first:
        execute(
            f"INSERT INTO {_MEMBER} (segment_id, customer_id, since, via)"
            f" SELECT e.segment_id, e.customer_ref, e.at, e.via {_OF_EVENTS}",
            [segment.pk, first, split],
        )
    if end > split:
        execute(
            f"DELETE FROM {_MEMBER} WHERE segment_id = %s AND customer_id {_among_events()}",
            [segment.pk, segment.pk, split, end],
        )


def _write_links(segment: Segment, first: int, split: int, end: int) -> None:
    from customers.models import Customer, CustomerTag

    links, customers = CustomerTag._meta.db_table, Customer._meta.db_table
    if split > first:
        execute(
            f"INSERT INTO {links} (customer_id, tag_id) SELECT e.customer_ref, %s {_OF_EVENTS}"
            f" AND EXISTS (SELECT 1 FROM {customers} c WHERE c.id = e.customer_ref) ON CONFLICT DO NOTHING",
            [segment.published_tag_id, segment.pk, first, split],
        )
    if end > split:
        execute(
            f"DELETE FROM {links} WHERE tag_id = %s AND customer_id {_among_events()}",
            [segment.published_tag_id, segment.pk, split, end],
        )


def _mark_dependents(segment: Segment, events: models.QuerySet[Any, Any]) -> None:
    from customers.models import Customer

    if Segment.objects.referring_to(segment.pk, segment.published_tag_id).exists():
        moved = Customer.objects.filter(pk__in=events.order_by().values("customer_ref"))
        # In the order in which all who change many lock them, lest two wait for each other.
        list(moved.order_by("pk").select_for_update(no_key=True).values_list("pk", flat=True))
        moved.update(stale=F("stale").bitor(int(Changed.SEGMENTS | Changed.TAGS)))


def _write_day(segment: Segment, moment: Moment, moved: Moved) -> None:
    day = timezone.localdate(moment.now)
    today = SegmentDay.objects.filter(segment=segment, day=day)
    if not today.update(size=segment.size, entered=F("entered") + moved.entered, left=F("left") + moved.left):
        SegmentDay.objects.create(segment=segment, day=day, size=segment.size, entered=moved.entered, left=moved.left)


def compiled(rows: models.QuerySet[Any, Any]) -> tuple[str, list[Any]]:
    """Answer a queryset as SQL with parameters, to stand inside another statement."""
    sql, parameters = rows.order_by().query.get_compiler(connection=connection).as_sql()
    return sql, list(parameters)


def instant(value: Any) -> Any:
    """Answer an instant as the database takes it."""
    return connection.ops.adapt_datetimefield_value(value)


def execute(statement: str, parameters: Sequence[Any]) -> int:
    """Execute a statement and answer how many rows it wrote."""
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return int(cursor.rowcount)
