"""Near misses, overlaps, circles, and what selections can say of segments."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from pytest_django import DjangoDbBlocker

from customers.insight.near import near_misses
from customers.models import Customer, Segment, SegmentMember
from customers.rules.evaluating import Facts, is_in
from customers.rules.explaining import explainer
from customers.rules.faces import read_text
from customers.rules.facts import facts_of
from customers.rules.periods import Moment
from customers.rules.tree import Group
from customers.segments.circles import RuleInCircle
from customers.segments.editing import amend, make
from customers.segments.overlapping import overlap
from customers.selection import Selection
from parlant_site.common.errors import BadInput
from tags.models import Tag
from tests.conftest import empty_database
from tests.segments import strategies

pytestmark = pytest.mark.django_db
MOMENT = Moment(strategies.NOW, ZoneInfo("Europe/Berlin"))


class Known(dict[str, Facts]):
    """Facts that do not fill a failure's report."""

    def __repr__(self) -> str:
        return "<facts>"


@pytest.fixture(scope="module")
def facts(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Known]:
    """Nasty customers."""
    with django_db_blocker.unblock():
        strategies.make_customers(150, seed=3)
        yield Known(facts_of(Customer.objects.values_list("id", flat=True)))
        empty_database()


def member(segment: Segment, *ids: str) -> None:
    SegmentMember.objects.bulk_create(
        SegmentMember(segment=segment, customer_id=key, since=datetime.now(UTC), via="list") for key in ids
    )


def test_overlaps_add_up() -> None:
    Customer.objects.bulk_create(Customer(id=f"c{n}", name="C") for n in range(8))
    segments = [Segment.objects.create(id=key, name=key, kind="static") for key in "abcde"]
    member(segments[0], "c0", "c1", "c2", "c3")
    member(segments[1], "c2", "c3", "c4")
    member(segments[2], "c3", "c7")
    found = {"".join(s.pk for s in one.segments): (one.members, one.only) for one in overlap(segments[:4])}
    assert found["a"] == (4, 2)
    assert found["ab"] == (2, 1)
    assert found["abc"] == (1, 1)
    assert found["c"] == (2, 1)
    assert found["abcd"] == (0, 0)
    assert len(found) == 15
    for wrong in (segments, [], [segments[0], segments[0]]):
        with pytest.raises(BadInput):
            overlap(wrong)


def test_a_rule_that_would_ask_for_its_own_segment_is_refused_with_the_way_back() -> None:
    tag = Tag.add(name="Published")
    first = make(name="First", rule=read_text("name = Ada"))
    second = make(name="Second", rule=read_text(f"segment:{first.pk}"))
    Segment.objects.filter(pk=second.pk).update(published_tag=tag)
    third = make(name="Third", rule=read_text(f"not tag:{tag.pk}"))
    with pytest.raises(RuleInCircle, match="First -> Third -> Second -> First"):
        amend(first, rule=read_text(f"name = Bob or segment:{third.pk}"))
    with pytest.raises(RuleInCircle, match="First -> First"):
        amend(first, rule=read_text(f"segment:{first.pk}"))
    amend(third, rule=read_text("name = Bob"))
    amend(first, rule=read_text(f"segment:{third.pk}"))


def test_a_selection_is_the_members_of_a_segment_or_whom_a_rule_matches() -> None:
    Customer.objects.bulk_create(Customer(id=f"c{n}", name="C", metadata={"mrr": str(n)}) for n in range(8))
    listed = Segment.objects.create(name="Listed", kind="static")
    member(listed, "c1", "c6")

    def chosen(**query: Any) -> set[str]:
        return set(Selection.matching(query).customers().values_list("pk", flat=True))

    assert chosen(segment="Listed") == chosen(segment=listed.pk) == {"c1", "c6"}
    assert chosen(segment="Listed", q="metadata.mrr > 5") == {"c6"}
    leaf: Any = {"field": "metadata.mrr", "operator": "<", "value": 2}
    assert chosen(rule={"combinator": "and", "rules": [leaf]}) == {"c0", "c1"}
    for wrong in ({"segment": "None"}, {"q": "mrr >"}, {"rule": {"combinator": "xor"}}):
        with pytest.raises(BadInput):
            Selection.matching(wrong).customers()  # type: ignore[arg-type]


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(rule=strategies.rules)
def test_near_misses_are_whom_one_leaf_alone_keeps_out(facts: Known, rule: Group) -> None:
    explained = [explainer(rule, MOMENT)(known) for known in facts.values() if not is_in(rule, known, MOMENT)]
    for missed in near_misses(rule, MOMENT, limit=30, samples=2):
        deciding = [leaf for one in explained for leaf in one.leaves() if leaf.path == missed.path and leaf.decides]
        assert missed.count.number == len(deciding)
        assert missed.count.is_exact
        assert len(missed.sample) == min(2, len(deciding))
