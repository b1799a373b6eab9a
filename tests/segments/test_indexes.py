"""Rules use indexes on PostgreSQL: the one on metadata, and those that are added for a key's numbers or dates."""

from __future__ import annotations

from datetime import UTC

import pytest
from django.db import connection, transaction

from customers.models import Customer, Segment
from customers.rules.compiling import condition
from customers.rules.faces import read_text
from customers.rules.periods import Moment
from customers.rules.tree import to_json
from customers.segments.indexes import InTransaction, NoIndexes, NotAnIndex, add_index, advise, indexes, remove_index
from parlant_site.common.errors import NotFound
from tests.segments.strategies import NOW

KEY = 'it\'s "50%" %s é'


@pytest.fixture
def _customers(database: None) -> None:
    Customer.objects.bulk_create(
        Customer(id=f"c{n}", name="C", metadata={"mrr": str(n), "plan": "pro", KEY: f"2026-01-{n % 28 + 1:02}"})
        for n in range(300)
    )


def plan(text: str) -> str:
    rows = Customer.objects.order_by().filter(condition(read_text(text), Moment(NOW, UTC)))
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        return rows.explain()


@pytest.mark.usefixtures("_customers")
def test_a_key_gets_an_index_that_rules_use() -> None:
    if connection.vendor != "postgresql":
        with pytest.raises(NoIndexes):
            add_index("metadata.mrr", "number")
        assert indexes() == []
        return
    assert "customer_by_metadata" in plan("metadata.plan = pro")
    assert "customer_by_metadata" in plan('metadata.plan in (pro, free) and metadata.mrr = "5"')
    assert "customer_rule_number" not in plan("metadata.mrr > 290")
    made = add_index("metadata.mrr", "number")
    assert (made.key, made.kind) == ("mrr", "number")
    assert made.size > 0
    assert "customer_rule_number" in plan("metadata.mrr > 290")
    assert "customer_rule_number" in plan("metadata.mrr between 7 and 8")
    assert Customer.objects.filter(condition(read_text("metadata.mrr > 290"), Moment(NOW, UTC))).count() == 9
    odd = add_index(f"metadata.{KEY}", "date")
    assert add_index(f"metadata.{KEY}", "date").key == odd.key == KEY
    field = 'metadata."it\'s \\"50%\\" %s é"'
    assert "customer_rule_date" in plan(f"{field} between 2026-01-03 and 2026-01-04")
    assert len(indexes()) == 2
    remove_index(f"metadata.{KEY}", "date")
    remove_index("metadata.mrr", "number")
    with pytest.raises(NotFound):
        remove_index("metadata.mrr", "number")
    for field, kind in (("name", "number"), ("metadata.mrr", "text")):
        with pytest.raises(NotAnIndex):
            add_index(field, kind)
    with pytest.raises(InTransaction), transaction.atomic():
        add_index("metadata.mrr", "number")


@pytest.mark.usefixtures("_customers")
def test_advice_is_about_the_leaves_of_segments() -> None:
    for name, text in (("One", "metadata.mrr > 5"), ("Two", "metadata.mrr > 7 and name contains a")):
        Segment.objects.create(name=name, rule=to_json(read_text(text)))
    found = {(one.leaf.field, one.leaf.operator): one for one in advise()}
    assert {key: one.segments for key, one in found.items()} == {("metadata.mrr", ">"): 2, ("name", "contains"): 1}
    assert all(one.advice == "quick enough" or one.is_slow for one in found.values())
