"""The catalogue of metadata keys follows every change, and reads all customers a step at a time."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from customers.insight import catalogue, sampling
from customers.insight.catalogue import keep_current, metadata_keys, total_customers
from customers.insight.remembering import forget
from customers.models import CatalogueState, Customer, MetadataKey
from parlant_site.common.personal import personal_keys

pytestmark = pytest.mark.django_db


def shown() -> dict[str, tuple[int, list[str], dict[str, int]]]:
    return {row.key: (row.customers, row.types, row.values) for row in metadata_keys()}


def later() -> bool:
    return keep_current(timezone.now() + timedelta(minutes=1))


def counted_anew() -> dict[str, tuple[int, list[str], dict[str, int]]]:
    CatalogueState.objects.all().delete()
    MetadataKey.objects.all().delete()
    while keep_current():
        pass
    return shown()


def test_a_change_is_taken_in_without_reading_everybody() -> None:
    ada = Customer.register(name="Ada", metadata={"plan": "pro", "mrr": "5", "note": ""})
    Customer.register(name="Bob", metadata={"plan": "free", "mrr": "many"})
    assert not keep_current()
    assert shown()["plan"] == (2, ["text"], {"pro": 1, "free": 1})
    assert set(shown()["mrr"][1]) == {"number", "text"}
    assert total_customers() == 3
    ada.amend(set_metadata={"plan": "free", "since": "2026-01-01"}, unset_metadata=["note"])
    Customer.register(name="Cid", metadata={"plan": "free", "vip": "true"})
    Customer.objects.get(name="Bob").remove()
    assert not later()
    found = shown()
    assert found["plan"] == (2, ["text"], {"free": 2})
    assert found["since"][1] == ["date"]
    assert found["vip"][1] == ["boolean"]
    assert "note" not in found
    assert total_customers() == 3
    assert counted_anew() == found
    assert not any(row.is_estimated for row in metadata_keys())


def test_many_customers_are_estimated_first_and_then_read_step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    forget()
    monkeypatch.setattr(catalogue, "STEP", 100)
    monkeypatch.setattr(sampling, "SMALL", 50)
    Customer.objects.bulk_create(
        Customer(id=f"c{n:03}", name="C", metadata={"n": str(n), "plan": "pro" if n % 3 else "free"})
        for n in range(250)
    )
    assert keep_current()
    assert all(row.is_estimated for row in metadata_keys())
    assert shown()["plan"][0] == pytest.approx(250, abs=5)
    # Who changes while everybody is being read is counted once.
    Customer.objects.get(pk="c001").amend(set_metadata={"plan": "team"})
    Customer.objects.get(pk="c249").amend(unset_metadata=["plan"])
    while later():
        pass
    assert not any(row.is_estimated for row in metadata_keys())
    assert shown()["plan"] == (249, ["text"], {"pro": 165, "free": 83})
    assert total_customers() == 251
    assert shown()["n"][2] == {}  # values of single persons
    catalogue.rebuild_if_older_than(timezone.now() + timedelta(hours=1))
    while later():
        pass
    assert shown()["plan"][0] == 249
    forget()


def test_a_key_that_is_marked_is_personal_everywhere() -> None:
    forget()
    assert "email" not in personal_keys()
    MetadataKey.mark_personal("email")
    forget()
    assert "email" in personal_keys()
    MetadataKey.mark_personal("email", personal=False)
    forget()
