"""An explanation agrees with SQL and says how far a customer is from matching."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries, DjangoDbBlocker

from customers.models import Customer
from customers.rules.compiling import truth
from customers.rules.evaluating import Facts, is_in
from customers.rules.explaining import explain, explainer
from customers.rules.faces import read_text
from customers.rules.facts import facts_of
from customers.rules.periods import Moment
from customers.rules.tree import Group, Leaf, Node, nodes
from parlant_site.common.errors import NotFound
from tests.conftest import empty_database
from tests.segments import strategies
from tests.segments.strategies import NOW

MOMENT = Moment(NOW, UTC)


class Known(dict[str, Facts]):
    """Facts that do not fill a failure's report."""

    def __repr__(self) -> str:
        return "<facts>"


@pytest.fixture(scope="module")
def facts(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Known]:
    """Two hundred nasty customers."""
    with django_db_blocker.unblock():
        strategies.make_customers(200, seed=11)
        yield Known(facts_of(Customer.objects.values_list("id", flat=True)))
        empty_database()


# Fifty rules by two hundred customers: ten thousand pairs.
@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(rule=strategies.rules, zone=st.sampled_from(strategies.ZONES))
@pytest.mark.django_db
def test_every_node_says_what_sql_says(facts: Known, rule: Group, zone: str) -> None:
    moment = Moment(NOW, ZoneInfo(zone))
    rows = Customer.objects.order_by().annotate(
        **{f"n{'_'.join(map(str, path))}": truth(node, moment) for path, node in nodes(rule)}
    )
    explained = explainer(rule, moment)
    for row in rows:
        explanation = explained(facts[row.pk])
        for part in every_part(explanation):
            assert part.holds == getattr(row, f"n{'_'.join(map(str, part.path))}"), (row.pk, part)
            if isinstance(part.node, Leaf):
                assert (part.distance is None) == part.holds
                assert part.decides == (is_in(turned(rule, part.path), facts[row.pk], moment) != explanation.holds)


def every_part(explanation: Any) -> Iterator[Any]:
    yield explanation
    for part in explanation.parts:
        yield from every_part(part)


def turned(node: Node, path: tuple[int, ...]) -> Any:
    """The rule with one leaf turned round."""
    if not path:
        return Group("and", (node,), negated=True)
    assert isinstance(node, Group)
    children = list(node.rules)
    children[path[0]] = turned(children[path[0]], path[1:])
    return Group(node.combinator, tuple(children), node.negated)


@pytest.mark.django_db
def test_one_customer_is_explained_in_four_queries(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    Customer.objects.create(id="ada", name="Ada", metadata={"mrr": "449"})
    rule = read_text("metadata.mrr > 500 and name = Ada")
    with django_assert_num_queries(4):
        shown = explain(rule, "ada", MOMENT).to_json()
    assert shown["rules"] == [
        {
            "path": [0],
            "holds": False,
            "field": "metadata.mrr",
            "operator": ">",
            "value": 500,
            "actual": "449",
            "type": "number",
            "distance": {"kind": "number", "by": 51},
            "decides": True,
        },
        {
            "path": [1],
            "holds": True,
            "field": "name",
            "operator": "=",
            "value": "Ada",
            "actual": "Ada",
            "type": "text",
            "distance": None,
            "decides": False,
        },
    ]
    with pytest.raises(NotFound):
        explain(rule, "nobody", MOMENT)


FACTS = Facts(
    id="c",
    name="Ada",
    creation_utc=NOW,
    metadata={"mrr": "499.9", "plan": " pro", "word": "x", "day": "2026-03-01", "far": "9999-12-31T23:59:59-14:59"},
    tags=frozenset({"a"}),
    last_seen=NOW - timedelta(days=10),
)


@pytest.mark.parametrize(
    ("text", "kind", "by"),
    [
        ("metadata.mrr > 500", "number", 0.1),
        ("metadata.mrr between 100 and 200", "number", -299.9),
        ("metadata.mrr not between 490 and 500", "number", 0.1),
        ("metadata.mrr != 499.9", "number", 0),
        ("metadata.word > 500", "type", "number"),
        ("metadata.gone > 500", "missing", None),
        ("metadata.word is missing", "present", None),
        ("seen within 7 days", "time", 3 * 86400),
        ("seen more than 2 weeks ago", "time", -4 * 86400),
        ("metadata.day after 2026-03-02", "time", 2 * 86400),
        ("metadata.day on 2026-02-27", "time", -86400),
        ("metadata.far before 2026-01-01", "time", -251635129139),
        ("metadata.word on 2026-02-27", "type", "date"),
        ("tag all (a, b, c)", "add", ["b", "c"]),
        ("tag any (b, c)", "add one of", ["b", "c"]),
        ("tag none (a, b)", "remove", ["a"]),
        ("metadata.plan = pro", "spaces", None),
        ("name = ADA", "case", None),
        ("name contains x", "text", None),
        ("name not contains a", "text", None),
    ],
)
def test_the_distance_says_what_is_between_a_customer_and_a_leaf(text: str, kind: str, by: Any) -> None:
    leaf = next(iter(explainer(read_text(text), MOMENT)(FACTS).leaves()))
    assert leaf.distance is not None
    assert leaf.distance.to_json() == {"kind": kind, "by": by}
