"""A rule answers the same in SQL and in Python, and splits the customers in two."""

from __future__ import annotations

from collections.abc import Iterator
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_django import DjangoDbBlocker

from customers.models import Customer
from customers.rules.compiling import complement, condition, truth
from customers.rules.evaluating import Facts, is_in
from customers.rules.facts import facts_of
from customers.rules.periods import Moment
from customers.rules.reading import check_rule
from customers.rules.tree import Group, leaves, to_json
from tests.conftest import empty_database
from tests.segments import strategies

pytestmark = pytest.mark.django_db
examples = settings(
    max_examples=250,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


class Known(dict[str, Facts]):
    """Facts that do not fill a failure's report."""

    def __repr__(self) -> str:
        return "<facts>"


@pytest.fixture(scope="module")
def facts(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[dict[str, Facts]]:
    """Some hundred nasty customers."""
    with django_db_blocker.unblock():
        strategies.make_customers(300)
        yield Known(facts_of(Customer.objects.values_list("id", flat=True)))
        empty_database()


@examples
@given(rule=strategies.rules, zone=st.sampled_from(strategies.ZONES))
def test_sql_and_python_answer_alike_and_the_complement_is_the_rest(
    facts: dict[str, Facts], rule: Group, zone: str
) -> None:
    assert check_rule(rule) == rule
    moment = Moment(strategies.NOW, ZoneInfo(zone))
    everybody = Customer.objects.order_by()
    by_sql = set(everybody.filter(condition(rule, moment)).values_list("id", flat=True))
    by_python = {key for key, known in facts.items() if is_in(rule, known, moment)}
    assert by_sql == by_python, to_json(rule)
    others = set(everybody.filter(complement(rule, moment)).values_list("id", flat=True))
    assert others == facts.keys() - by_sql


@examples
@given(leaf=strategies.leaves(), zone=st.sampled_from(strategies.ZONES))
def test_a_leaf_is_true_or_false_for_everybody_and_never_null(facts: dict[str, Facts], leaf: object, zone: str) -> None:
    moment = Moment(strategies.NOW, ZoneInfo(zone))
    rule = Group("and", (leaf,))  # type: ignore[arg-type]
    rows = dict(Customer.objects.order_by().annotate(holds=truth(rule, moment)).values_list("id", "holds"))
    assert set(rows.values()) <= {True, False}
    assert rows == {key: is_in(rule, known, moment) for key, known in facts.items()}, list(leaves(rule))
