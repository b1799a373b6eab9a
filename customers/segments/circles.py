"""Rules may ask for other segments, but not for their own, through whatever others."""

from __future__ import annotations

from django.db import connection

from customers.rules.fields import Kind
from customers.rules.reading import referenced
from customers.rules.tree import Group
from customers.segments.models import Segment
from parlant_site.common.errors import BadInput


def hold_references() -> None:
    """Let nobody else change which segments and tags rules ask for, or which tags are published, until the transaction
    ends.

    Two who edit at once would else each see no circle, and close one together. It is held before any segment is locked:
    so nobody who holds it waits for somebody who waits for it. On SQLite transactions come one after the other anyway.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext('references of segments'))")


class RuleInCircle(BadInput):
    """The rule asks for its own segment, directly or through others."""


def refuse_circle(segment: Segment, rule: Group) -> None:
    """Raise RuleInCircle, with the way back by name, when a segment's new rule depends on the segment itself.

    A rule depends on the segments that it names, and on those that publish tags that it names.
    """
    rows = {row.pk: row for row in Segment.objects.order_by().only("pk", "name", "refers", "published_tag")}
    by_tag = {row.published_tag_id: row.pk for row in rows.values() if row.published_tag_id}
    # From every segment that is reached, the way there.
    ways: dict[str, tuple[str, ...]] = {}
    waiting: list[tuple[str, tuple[str, ...]]] = [
        (key, ()) for key in referenced(rule, Kind.SEGMENTS) | referenced(rule, Kind.TAGS)
    ]
    while waiting:
        key, way = waiting.pop()
        key = by_tag.get(key, key)
        if key == segment.pk:
            names = [segment.name, *(rows[step].name for step in way), segment.name]
            raise RuleInCircle.at("rule", msg=f"The rule would depend on itself: {' -> '.join(names)}")
        if key in rows and key not in ways:
            ways[key] = way
            waiting += [(other, (*way, key)) for other in rows[key].refers]
