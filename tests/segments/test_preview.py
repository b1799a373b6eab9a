"""A preview counts what a rule matches, exactly or as an estimate that says so, and never hangs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models import Value
from django.db.models.functions import Concat
from django.test import Client
from pytest_django import DjangoAssertNumQueries, DjangoDbBlocker

from customers import views
from customers.insight import counting, sampling
from customers.insight.counting import Count, count_of, preview
from customers.insight.limits import TookTooLong, time_limited
from customers.insight.remembering import forget
from customers.models import Customer, CustomerTag
from customers.rules.compiling import condition
from customers.rules.expressions import PatternFound
from customers.rules.faces import read_text
from customers.rules.periods import Moment
from customers.rules.tree import nodes
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


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite's limit is lifted without a statement")
def test_a_limit_that_runs_out_while_it_is_lifted_is_told_alike() -> None:
    def slowly(execute: Any, sql: str, parameters: Any, many: bool, context: Any) -> Any:
        lifts = "set_config" in sql
        return execute(f"{sql}, pg_sleep(0.3)" if lifts else sql, parameters, many, context)

    with transaction.atomic():
        try:
            with pytest.raises(TookTooLong), time_limited(0.1):
                connection.execute_wrappers.append(slowly)
        finally:
            connection.execute_wrappers.remove(slowly)
        with connection.cursor() as cursor:
            cursor.execute("SHOW statement_timeout")
            assert cursor.fetchone() == ("0",)


def test_a_list_by_a_rule_that_takes_long_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(views, "LONGEST", 0.001)
    monster = Client().get("/customers", {"q": 'name matches "(?:(?:.?){30}){3}z"'})
    assert (monster.status_code, monster.json()) == (422, {"detail": "The database did not answer in time."})
    monkeypatch.setattr(views, "LONGEST", 30.0)
    assert len(Client().get("/customers", {"q": "name starts C"}).json()) == 2000


def test_how_many_there_are_is_estimated_though_the_server_has_not_looked_since(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite counts")
    monkeypatch.setattr(sampling, "PAGES", 15)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE pg_class SET reltuples = reltuples / 10 WHERE oid = 'customers_customer'::regclass")
        assert 1000 < sampling.sample_of("default").total < 4000
        with monkeypatch.context() as patched:
            patched.setattr(sampling, "PAGES", 0.01)  # no page at all, at first
            forget()
            assert 1000 < sampling.sample_of("default").total < 4000
        cursor.execute("ANALYZE customers_customer")
    forget()
    assert sampling.sample_of("default").total == 2001
