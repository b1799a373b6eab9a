"""Rules may ask for other segments, but not for their own, through whatever others."""

from __future__ import annotations

from customers.segments.fields import Kind
from customers.segments.models import Segment
from customers.segments.reading import referenced
from customers.segments.rules import Group
from parlant_site.common.errors import BadInput


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
