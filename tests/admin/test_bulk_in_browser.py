"""Bulk actions in a real browser, on a server whose own process runs the jobs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection
from playwright.sync_api import Browser, Page
from pytest_django import DjangoDbBlocker

from customers.jobs.models import DataJob
from customers.models import Customer, CustomerTag, Segment
from tags.models import Tag
from tests.admin.test_in_browser import chromium, demo, listen, signed_in  # noqa: F401 - fixtures
from tests.conftest import empty_database
from tests.processes import Server, database_url, serve

pytestmark = pytest.mark.one_database


@pytest.fixture(scope="module")
def _working(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Server]:
    with serve(PARLANT_HOME=os.environ["PARLANT_HOME"], PARLANT_DATABASE_URL=database_url()) as server:
        with django_db_blocker.unblock():
            empty_database()  # of the first operator, whom every new database gets
            connection.close()
        yield server


@pytest.fixture
def working(database: None, _working: Server) -> Server:
    """A server that runs data jobs."""
    return _working


def count_clicks(page: Page) -> list[str]:
    """Answer a list that grows with every press of a pointer's button on the page, whichever document it is."""
    pressed: list[str] = []
    page.expose_function("pressed", lambda text: pressed.append(text))
    page.add_init_script("addEventListener('pointerdown', (e) => window.pressed(e.target.textContent), true)")
    return pressed


def look_until_there_is(page: Page, selector: str) -> None:
    """Load the page again, as one does without scripts, until it shows something."""
    for _ in range(200):
        if page.locator(selector).count():
            return
        page.reload()
    raise AssertionError(f"{selector} never came: {page.inner_text('main')}")


def test_a_whole_list_is_tagged_with_three_clicks_and_undone_with_one(
    working: Server,
    demo: dict[str, str],  # noqa: F811
    chromium: Browser,  # noqa: F811
) -> None:
    page = signed_in(chromium, working).new_page()
    wrong, clicks = listen(page), count_clicks(page)
    press = Tag.objects.get(name="Press")
    before = CustomerTag.objects.filter(tag=press).count()
    page.goto("customers/customer/?created=30&q=example")
    total = page.locator("tbody tr").count()
    assert 0 < total < 41
    page.click("#bulk summary:text-is('Tag')")
    page.click("#bulk details[open] button:text-is('Press')")
    page.click(f"button:text-is('Tag {total} customers')")
    page.wait_for_selector("#job-undo")
    assert len(clicks) == 3, clicks
    job = DataJob.objects.latest("creation_utc")
    assert (job.state, job.done, job.actor_name) == ("ok", total, "mara")
    assert CustomerTag.objects.filter(tag=press).count() == before + job.changed > before
    page.click("#job-undo")
    page.wait_for_selector("h1:has-text('Undo: Tag Press')")
    page.wait_for_selector('[data-final="1"]')
    assert len(clicks) == 4
    assert CustomerTag.objects.filter(tag=press).count() == before
    assert wrong == [], wrong


def test_a_whole_segment_is_tagged_from_its_page_with_three_clicks_and_undone_with_one(
    working: Server,
    demo: dict[str, str],  # noqa: F811
    chromium: Browser,  # noqa: F811
) -> None:
    page = signed_in(chromium, working).new_page()
    wrong, clicks = listen(page), count_clicks(page)
    press = Tag.objects.get(name="Press")
    segment = Segment.objects.get(name="Going cold")
    members = set(segment.members.values_list("customer_id", flat=True))
    before = set(CustomerTag.objects.filter(tag=press).values_list("customer_id", flat=True))
    page.goto(f"customers/segment/{segment.pk}/change/")
    page.click("#bulk summary:text-is('Tag')")
    page.click("#bulk details[open] button:text-is('Press')")
    page.click(f"button:text-is('Tag {len(members)} customers')")
    page.wait_for_selector("#job-undo")
    assert set(CustomerTag.objects.filter(tag=press).values_list("customer_id", flat=True)) == before | members
    page.click("#job-undo")
    page.wait_for_selector("h1:has-text('Undo: Tag Press')")
    page.wait_for_selector('[data-final="1"]')
    assert len(clicks) == 4, clicks
    assert set(CustomerTag.objects.filter(tag=press).values_list("customer_id", flat=True)) == before
    assert wrong == [], wrong


def test_ticked_customers_are_changed_without_scripts(
    working: Server,
    demo: dict[str, str],  # noqa: F811
    chromium: Browser,  # noqa: F811
) -> None:
    page = signed_in(chromium, working, java_script_enabled=False).new_page()
    page.goto(demo["customers"])
    page.locator("[name=ids]").nth(1).check()
    page.locator("[name=ids]").nth(2).check()
    page.click("#bulk button:text-is('Set metadata…')")
    page.locator("[name=do-metadata-key]").first.fill("plan")
    page.locator("[name=do-metadata-value]").first.fill("gold")
    page.click("[name=preview]")
    page.locator(".samples ins:has-text('gold')").nth(1).wait_for()
    page.click("[name=start]")
    page.wait_for_url("**/datajob/**")
    look_until_there_is(page, "#job-undo")
    assert page.locator(".counts >> text=Changed").count() == 1
    assert DataJob.objects.latest("creation_utc").changed == 2


def test_a_file_is_imported_and_undone_without_scripts(
    working: Server,
    demo: dict[str, str],  # noqa: F811
    chromium: Browser,  # noqa: F811
    tmp_path: Path,
) -> None:
    file = tmp_path / "Kunden.csv"
    file.write_bytes("Nr;Name;Stadt\nk1;Jörg;Köln\nk2;;Ulm\nk3;Zoë;Bonn\n".encode("windows-1252"))
    page = signed_in(chromium, working, java_script_enabled=False).new_page()
    page.goto(demo["data jobs"])
    page.click("text=Import customers")
    page.set_input_files("[name=file]", file)
    page.click("main button:text-is('Upload')")
    page.wait_for_url("**/columns/")
    page.locator("[name=target-0]").select_option("id")
    page.click("main button:text-is('Check')")
    page.wait_for_url("**/change/")
    look_until_there_is(page, "#job-import")
    assert page.locator("text=name: a new customer needs a name").count() == 1
    assert not Customer.objects.filter(pk="k1").exists()
    page.click("#job-import")
    page.wait_for_selector("h1:has-text('Import Kunden.csv')")
    look_until_there_is(page, "#job-undo")
    assert Customer.objects.get(pk="k1").metadata == {"Stadt": "Köln"}
    with page.expect_download() as download:
        page.click("#job-file")
    assert "k2;;Ulm;name: a new customer needs a name" in Path(download.value.path()).read_text()
    page.click("#job-undo")
    page.wait_for_selector("h1:has-text('Undo')")
    look_until_there_is(page, '[data-final="1"]')
    assert not Customer.objects.filter(pk__in=["k1", "k3"]).exists()
