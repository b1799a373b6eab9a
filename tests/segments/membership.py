"""What tests of memberships share: the laws that always hold, and ways to get there."""

from __future__ import annotations

from typing import Any

from customers.models import Customer, CustomerTag, Segment, SegmentRun
from customers.rules.compiling import condition
from customers.segments.editing import make
from customers.segments.past import replayed
from customers.segments.worker import settle_all


def rule(field: str, operator: str, value: Any = None) -> Any:
    """Answer a rule of one leaf."""
    return {"combinator": "and", "rules": [{"field": field, "operator": operator, "value": value}]}


def made(name: str, given: Any = None, **options: Any) -> Segment:
    """Make a segment and count its members."""
    segment = make(name=name, rule=given, is_static=given is None, **options)
    settle_all()
    segment.refresh_from_db()
    return segment


def members(segment: Segment) -> set[str]:
    """Answer the ids of the members."""
    return set(segment.members.values_list("customer_id", flat=True))


def check_laws() -> None:
    """Check what holds at every moment, whatever is on its way."""
    for segment in Segment.objects.all():
        who = members(segment)
        assert segment.size == len(who)
        events = list(segment.events.order_by("offset"))
        assert [event.offset for event in events] == list(range(segment.next_offset))
        assert sorted(event.at for event in events) == [event.at for event in events]
        assert replayed(events) == who
        days = list(segment.days.all())
        assert sum(day.entered - day.left for day in days) == segment.size == (days[-1].size if days else 0)


def check_settled() -> None:
    """Check what holds when nothing is on its way: members are those whom the rule, the pins and nobody else names."""
    check_laws()
    assert not Customer.objects.filter(stale__gt=0).exists()
    assert not SegmentRun.objects.unfinished().exists()
    for segment in Segment.objects.dynamic():
        wanted = set(Customer.objects.filter(condition(segment.tree, segment.moment())).values_list("pk", flat=True))
        pins = dict(segment.pins.values_list("customer_id", "is_in"))
        wanted = (wanted | {key for key, is_in in pins.items() if is_in}) - {
            key for key, is_in in pins.items() if not is_in
        }
        assert members(segment) == wanted, segment.name
    for segment in Segment.objects.exclude(published_tag=None):
        bearers = CustomerTag.objects.filter(tag=segment.published_tag).values_list("customer_id", flat=True)
        assert set(bearers) == members(segment)
