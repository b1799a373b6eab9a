"""Merging, bundling and erasing a customer in the console."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from customers.jobs.models import DataJob
from customers.merging.models import CustomerMerge
from customers.models import Customer, Erasure
from parlant_site.common.audit import AuditEntry
from parlant_site.common.personal import MASK
from tests.admin.pages import text_of

ADA = "/admin/customers/customer/ada/"
MERGE = f"{ADA}merge/"


@pytest.fixture(autouse=True)
def two(db: None) -> None:
    Customer.register(id="ada", name="Ada", metadata={"plan": "pro", "city": "Ulm", "email": "a@ada.example"})
    Customer.register(id="double", name="Ada", metadata={"plan": "free", "email": "d@ada.example"})


def chosen(browser: Client, **choices: str) -> dict[str, str]:
    """Answer what the page of the two would send."""
    page = browser.get(MERGE, {"with": "double"})
    rows = {row.field: row.chosen for row in page.context["rows"] if not row.is_same}
    return {"with": "double", "seen": page.context["seen"], "tags": "both", **rows, **choices}


def test_customers_of_the_same_name_are_offered_and_others_found_by_search(browser: Client) -> None:
    assert [one.pk for one in browser.get(MERGE).context["found"]] == ["double"]
    Customer.register(id="c3", name="Countess")
    assert [one.pk for one in browser.get(MERGE, {"q": "count"}).context["found"]] == ["c3"]
    assert browser.get(MERGE, {"q": "\0zzz"}).context["found"] == []


def test_a_merge_keeps_what_was_chosen_and_is_undone_from_her_page(browser: Client) -> None:
    sent = chosen(browser, **{"key:plan": "other", "key:city": "other"})
    assert browser.post(MERGE, sent).status_code == 302
    assert Customer.objects.get(pk="ada").metadata == {"plan": "free", "email": "a@ada.example"}
    old = browser.get("/admin/customers/customer/double/change/")
    assert (old.status_code, old["Location"]) == (302, "/admin/customers/customer/ada/change/")
    page = browser.get(f"{ADA}change/")
    assert "Undo the merge with Ada" in text_of(page.content)
    undo = f"/admin/customers/customer/merges/{CustomerMerge.objects.get().pk}/undo/"
    assert browser.get(undo).status_code == 405
    assert browser.post(undo)["Location"] == "/admin/customers/customer/double/change/"
    assert Customer.objects.get(pk="ada").metadata["plan"] == "pro"
    assert {entry.channel for entry in AuditEntry.objects.filter(act__in=["merged", "unmerged"])} == {"admin"}


def test_what_changed_since_the_page_was_shown_is_shown_again(browser: Client) -> None:
    sent = chosen(browser)
    Customer.objects.get(pk="double").amend(name="Adele")
    answer = browser.post(MERGE, sent, follow=True)
    assert "was changed meanwhile" in answer.content.decode()
    assert Customer.objects.filter(pk="double").exists()


@pytest.mark.parametrize("sent", [{"name": "x"}, {"key:plan": "x"}, {"tags": "x"}, {"with": "ada"}, {"with": "none"}])
def test_nonsense_merges_nobody(browser: Client, sent: dict[str, str]) -> None:
    assert browser.post(MERGE, {**chosen(browser), **sent}).status_code in (200, 302)
    assert Customer.objects.count() == 3
    assert browser.get("/admin/customers/customer/guest/merge/").status_code == 302


def test_who_may_not_see_personal_data_chooses_between_masks(browser_of: Callable[..., Client], settings: Any) -> None:
    settings.PARLANT_PII_KEYS = ["email"]
    browser = browser_of("customers.view_customer", "customers.merge")
    page = browser.get(MERGE, {"with": "double"})
    assert "@ada.example" not in page.content.decode()
    assert page.content.decode().count(MASK) == 2
    browser.post(MERGE, chosen(browser, **{"key:email": "other"}))
    assert Customer.objects.get(pk="ada").metadata["email"] == "d@ada.example"


def test_the_pages_are_for_those_who_may(browser_of: Callable[..., Client], browser: Client) -> None:
    looking = browser_of("customers.view_customer")
    assert "Merge…" not in text_of(looking.get(f"{ADA}change/").content)
    for name in ("merge", "bundle", "erase"):
        assert looking.post(f"{ADA}{name}/").status_code == 403
        assert browser.post(f"/admin/customers/customer/nobody/{name}/").status_code == 302
    assert looking.post("/admin/customers/customer/merges/1/undo/").status_code == 403
    assert "Merge…" in text_of(browser.get(f"{ADA}change/").content)


def test_the_bundle_is_sent_as_a_file_and_noted(browser: Client) -> None:
    assert browser.get(f"{ADA}bundle/").status_code == 405
    answer = browser.post(f"{ADA}bundle/")
    assert answer["Content-Disposition"] == 'attachment; filename="customer-ada.json"'
    assert b'"format": "parlant-site-customer"' in b"".join(answer)
    assert AuditEntry.objects.about("customer", "ada").filter(act="exported", channel="admin").exists()


def test_erasing_asks_for_her_id_and_leaves_a_proof(browser: Client) -> None:
    shown = browser.get(f"{ADA}erase/")
    assert "Profiles 1" in text_of(shown.content)
    for wrong in ({}, {"typed": "ada"}, {"typed": "eve", "conversations": "delete"}):
        assert browser.post(f"{ADA}erase/", wrong).status_code == 200
    assert browser.post(f"{ADA}erase/", {"typed": "ada", "conversations": "redact"}).status_code == 302
    assert not Customer.objects.filter(pk="ada").exists()
    proofs = browser.get("/admin/customers/erasure/", {"q": "ada"})
    assert [proof.actor_name for proof in proofs.context["listing"].page.rows] == ["mara"]
    assert "genuine" in text_of(proofs.content)
    assert not browser.get("/admin/customers/erasure/", {"q": "eve"}).context["listing"].page.rows
    assert Erasure.objects.get().channel == "admin"


def test_many_are_erased_from_the_list_after_typing_a_word(browser: Client) -> None:
    url, sent = "/admin/customers/customer/bulk/", {"action": "erase", "form": "1", "ids": ["ada"], "start": "1"}
    browser.post(url, {**sent, "do-conversations": "delete", "do-typed": "yes"})
    assert not DataJob.objects.exists()
    browser.post(url, {**sent, "do-conversations": "delete", "do-typed": "ERASE"})
    assert DataJob.objects.get().parameters == {"conversations": "delete"}
