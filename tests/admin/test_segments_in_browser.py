"""Segments in a real browser: built by clicking, by keyboard alone and without scripts; why and when in two clicks."""

from __future__ import annotations

import re

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, expect

from customers.insight.catalogue import keep_current
from customers.models import Customer, Segment
from parlant_site.demo.customers import id_of
from tests.admin.test_bulk_in_browser import count_clicks
from tests.admin.test_in_browser import chromium, demo, listen, signed_in  # noqa: F401 - fixtures
from tests.admin.test_segments import text_of_rule
from tests.processes import Server

pytestmark = pytest.mark.one_database


def paying_more_than(least: float) -> list[str]:
    """Answer the names of the demo's customers who pay more, asked of each of them."""
    number = re.compile(r"\d+(\.\d+)?")
    rows = Customer.objects.values_list("name", "metadata")
    values = [(name, metadata.get("mrr", "")) for name, metadata in rows]
    return [name for name, text in values if number.fullmatch(text) and float(text) > least]


def test_a_segment_is_built_by_clicking_with_exact_numbers_and_examples(
    server: Server,
    demo: dict[str, str],  # noqa: F811
    chromium: Browser,  # noqa: F811
) -> None:
    keep_current()
    page = signed_in(chromium, server).new_page()
    wrong = listen(page)
    wanted = paying_more_than(100)
    page.goto("customers/segment/add/")
    page.select_option("#f-r-0", "metadata.mrr")
    page.select_option("#o-r-0", ">")
    page.fill("#v-r-0", "100")
    expect(page.locator("#found .big b")).to_have_text(str(len(wanted)))
    expect(page.locator("#found")).to_contain_text("Exact")
    expect(page.locator("#n-r-0")).to_contain_text(str(len(wanted)))
    assert set(page.locator(".sample-names a").all_inner_texts()) <= set(wanted)
    page.click("#add-r")
    page.select_option("#f-r-1", "tags")
    page.click("#v-r-1")
    page.check("#row-r-1 label:has-text('Newsletter') input")
    expect(page.locator("#v-r-1")).to_contain_text("Newsletter")
    page.click("#undo")
    page.click("#redo")
    expect(page.locator("#row-r-1 label:has-text('Newsletter') input")).to_be_checked()
    page.fill("#id_name", "Pay and read")
    page.click("#save")
    page.wait_for_url("**/change/")
    assert text_of_rule(Segment.objects.get(name="Pay and read")) == "metadata.mrr > 100 and tag:Newsletter"
    assert wrong == [], "\n".join(dict.fromkeys(wrong))


def test_a_segment_is_built_without_scripts(
    server: Server,
    demo: dict[str, str],  # noqa: F811
    chromium: Browser,  # noqa: F811
) -> None:
    keep_current()
    page = signed_in(chromium, server, java_script_enabled=False).new_page()
    page.goto("customers/segment/add/")
    page.select_option("#f-r-0", "metadata.mrr")
    page.click("#row-r-0 noscript button, #row-r-0 button:text-is('Choose')")
    page.select_option("#o-r-0", ">")
    page.fill("#v-r-0", "100")
    page.click("#count")
    assert page.inner_text("#found .big b") == str(len(paying_more_than(100)))
    page.click("#add-r")
    page.select_option("#f-r-1", "last_seen")
    page.click("#row-r-1 button:text-is('Choose')")
    page.fill("#v-r-1", "90")
    page.fill("#id_name", "By hand")
    page.click("#save")
    assert text_of_rule(Segment.objects.get(name="By hand")) == "metadata.mrr > 100 and seen within 90 days"


def test_a_segment_is_built_by_keyboard_alone(
    server: Server,
    demo: dict[str, str],  # noqa: F811
    chromium: Browser,  # noqa: F811
) -> None:
    keep_current()
    page = signed_in(chromium, server).new_page()
    page.goto("customers/segment/add/")
    press, write = page.keyboard.press, page.keyboard.type

    def tab_to(selector: str) -> None:
        for _ in range(60):
            if page.evaluate("selector => document.activeElement?.matches(selector)", selector):
                return
            press("Tab")
        raise AssertionError(f"{selector} is never reached")

    tab_to("#id_name")
    write("Keys alone")
    tab_to("#f-r-0")
    write("Number")
    expect(page.locator("#v-r-0")).to_be_visible()
    expect(page.locator("#f-r-0")).to_be_focused()
    tab_to("#v-r-0")
    write("2")
    expect(page.locator("#found .big b")).to_have_text(str(Customer.objects.filter(session_count__gte=2).count()))
    press("Alt+Enter")
    expect(page.locator("#f-r-1")).to_be_focused()
    write("Waiting")
    expect(page.locator("#o-r-1")).to_be_visible()
    expect(page.locator("#f-r-1")).to_be_focused()
    press("Alt+ArrowUp")
    expect(page.locator("#f-r-0")).to_have_value("waiting_since")
    tab_to("#v-r-0")
    write("9")
    tab_to("#save")
    press("Enter")
    page.wait_for_url("**/change/")
    assert text_of_rule(Segment.objects.get(name="Keys alone")) == "waiting within 9 days and sessions >= 2"


def test_why_she_is_not_in_it_is_two_clicks_away_and_last_tuesdays_members_too(
    server: Server,
    demo: dict[str, str],  # noqa: F811
    chromium: Browser,  # noqa: F811
) -> None:
    page = signed_in(chromium, server).new_page()
    clicks = count_clicks(page)
    cold = Segment.objects.get(name="Going cold")
    outside = Customer.objects.exclude(memberships__segment=cold).exclude(pk__in=["guest", id_of(3)])[0]
    page.goto(f"customers/customer/{outside.pk}/change/")
    page.click(".tabs a:text-is('Segments')")
    page.click(".why:has-text('Going cold')")
    expect(page.locator(".verdict")).to_contain_text("She is not in Going cold")
    expect(page.locator(".explained").first).to_be_visible()
    assert len(clicks) == 2

    page.goto(f"customers/segment/{cold.pk}/change/")
    clicks.clear()
    page.click("summary:has-text('Members on')")
    page.click(".choices a:has-text('Tuesday')")
    expect(page.locator("[role=status]")).to_contain_text("at the end of")
    shown = page.locator("tbody tr").count()
    assert 0 < shown <= cold.next_offset
    assert len(clicks) == 2

    page.goto(f"customers/customer/?q=metadata.mrr > 100&created=30&today={timezone.localdate()}")
    clicks.clear()
    page.click("a:text-is('Save as segment')")
    page.click("#save")
    page.wait_for_url("**/change/")
    assert len(clicks) == 2
    assert Segment.objects.filter(name="metadata.mrr > 100, In the last 30 days").exists()
