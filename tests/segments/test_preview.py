"""A preview counts what a rule matches, exactly or as an estimate that says so, and never hangs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC
from typing import Any

import pytest
from django.db import connection
from django.db.models import Value
from django.db.models.functions import Concat
from pytest_django import DjangoAssertNumQueries, DjangoDbBlocker

from customers.models import Customer, CustomerTag
from customers.segments import counting, sampling
from customers.segments.compiling import condition
from customers.segments.counting import Count, count_of, preview
from customers.segments.expressions import PatternFound
from customers.segments.faces import read_text
from customers.segments.limits import TookTooLong, time_limited
from customers.segments.periods import Moment
from customers.segments.remembering import forget
from customers.segments.rules import nodes
from tags.models import Tag
from tests.conftest import empty_database
from tests.segments.strategies import NOW

pytestmark = pytest.mark.django_db
MOMENT = Moment(NOW, UTC)
RULE = read_text("tag:t and (metadata.mrr >= 50 or not metadata.plan = pro)")


@pytest.fixture(scope="module", autouse=True)
def _customers(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Two thousand customers; every second bears the tag, every fourth is on the plan."""
    with django_db_blocker.unblock():
        tag = Tag.objects.create(id="t", name="T")
        made = Customer.objects.bulk_create(
            Customer(id=f"c{n}", name=f"C {n}", metadata={"mrr": str(n % 100), "plan": "free" if n % 4 else "pro"})
            for n in range(2000)
        )
        CustomerTag.objects.bulk_create(CustomerTag(customer=one, tag=tag) for one in made[::2])
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("ANALYZE")  # the server learns of so many new rows only a minute later
        yield
        empty_database()


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    forget()
    yield
    forget()


def counts(shown: counting.Preview) -> dict[Any, int]:
    return {path: count.number for path, count in shown.nodes.items()}


def by_hand() -> dict[Any, int]:
    return {path: Customer.objects.filter(condition(node, MOMENT)).count() for path, node in nodes(RULE)}


def test_few_customers_are_counted_node_by_node_in_one_query(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    limits = 10 if connection.vendor == "postgresql" else 0  # beginning, limiting and ending what is limited
    with django_assert_max_num_queries(4 + limits):
        shown = preview(RULE, MOMENT)
    assert counts(shown) == by_hand()
    assert all(count.is_exact for count in [shown.count, shown.total, *shown.nodes.values()])
    assert len(shown.sample) == 20
    assert all(int(one.pk[1:]) % 2 == 0 for one in shown.sample)
    assert shown.to_json()["count"] == 740


def test_many_customers_are_counted_one_node_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "SMALL", 100)
    shown = preview(RULE, MOMENT, limit=30)
    assert counts(shown) == by_hand()
    assert all(count.is_exact for count in shown.nodes.values())


def test_what_cannot_be_counted_in_time_is_estimated_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "SMALL", 100)
    monkeypatch.setattr(sampling, "ROWS", 1000)
    shown = preview(RULE, MOMENT, limit=0)
    assert not shown.count.is_exact
    exact = by_hand()
    for path, count in shown.nodes.items():
        assert not count.is_exact
        assert abs(count.number - exact[path]) < 150, path
    assert len(shown.sample) == 20


def test_a_node_counted_a_moment_ago_is_not_counted_again(
    monkeypatch: pytest.MonkeyPatch, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    monkeypatch.setattr(sampling, "SMALL", 100)
    assert count_of(RULE, MOMENT, limit=30) == Count(740, True)
    with django_assert_num_queries(1):  # whether they are few
        assert count_of(RULE, MOMENT, limit=30) == Count(740, True)


def test_a_pattern_is_broken_off_and_the_connection_lives_on() -> None:
    monster = Customer.objects.filter(PatternFound(Concat(Value("ab" * 20_000), "name"), "(?:(?:.?){50}){15}z"))
    started = time.monotonic()
    with pytest.raises(TookTooLong), time_limited(0.05):
        monster.count()
    assert time.monotonic() - started < 5
    with time_limited(30):
        assert Customer.objects.count() == 2001
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('statement_timeout'), current_setting('jit')")
            assert cursor.fetchone() == ("0", "on")
