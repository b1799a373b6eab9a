"""Merging two customers in a real browser, by keyboard, without scripts."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser

from customers.models import Customer
from parlant_site.demo.customers import id_of
from tests.admin.test_in_browser import chromium, demo, listen, signed_in
from tests.processes import Server

__all__ = ["chromium", "demo"]
pytestmark = pytest.mark.one_database


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_two_customers_are_merged_and_two_again(
    scripts: bool, server: Server, demo: dict[str, str], chromium: Browser
) -> None:
    survivor, other = Customer.objects.get(pk=id_of(3)), Customer.objects.get(pk=id_of(5))
    page = signed_in(chromium, server, java_script_enabled=scripts).new_page()
    wrong = listen(page)
    page.goto(demo["customer"])
    page.click("text=Merge…")
    page.fill("main [name=q]", other.pk)
    page.keyboard.press("Enter")
    page.click(f"text=Compare with {other.name}")
    page.get_by_role("radio", name=other.name).check()
    page.get_by_role("button", name="Merge", exact=True).click()
    page.wait_for_selector(f"text=The id {other.pk} leads here")
    assert Customer.objects.get(pk=survivor.pk).name == other.name
    assert not Customer.objects.filter(pk=other.pk).exists()
    page.goto(f"customers/customer/{other.pk}/change/")
    assert page.url.endswith(f"/{survivor.pk}/change/")
    page.click("text=Undo the merge")
    page.wait_for_selector("text=two customers again")
    assert page.url.endswith(f"/{other.pk}/change/")
    assert Customer.objects.get(pk=survivor.pk).name == survivor.name
    assert wrong == []
