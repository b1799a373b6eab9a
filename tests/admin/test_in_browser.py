"""The console in a real browser: no error, no violation, nothing to scroll sideways."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.contrib.auth.models import Group, User
from django.core.management import call_command
from django.test import Client
from django.urls import resolve
from django.utils import timezone
from knox.models import AuthToken
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from customers.insight.catalogue import keep_current
from customers.jobs.starting import draft, start
from customers.models import Customer, MetadataKey, Segment
from customers.segments.editing import refresh
from customers.segments.pinning import pin
from customers.selection import Selection
from customers.transfer.keeping import keep
from parlant_site.demo.customers import id_of
from sessions_app.models import CannedResponse, Session
from tags.models import Tag
from tests.data.test_who_may import patterns
from tests.processes import Server

CHROMIUM = Path("/usr/bin/chromium")
SWITCHES = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
pytestmark = pytest.mark.one_database


@pytest.fixture
def chromium(database: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Browser]:
    """Headless Chromium; skipped where there is none, but never in CI."""
    if not CHROMIUM.exists() and not os.environ.get("CI"):
        pytest.skip(f"there is no {CHROMIUM}")
    # Playwright's synchronous API keeps an event loop in this thread, which Django would not touch the database from.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=SWITCHES)
        yield browser
        browser.close()


@pytest.fixture
def demo(database: None) -> dict[str, str]:
    """A small demo; answers the addresses of all pages by name."""
    call_command("seed_demo", customers=40, stdout=StringIO(), verbosity=0)
    user = User.objects.create_superuser("mara")
    user.password = PBKDF2PasswordHasher().encode(
        "only for tests", "some salt", 1000
    )  # the server's, not the tests' fast one
    user.save(update_fields=["password"])
    talk = Session.objects.filter(title__startswith="Double booking").order_by("id")[0]
    vip, today = segment_of("VIP"), timezone.localdate()
    pin(vip, id_of(3), is_in=True, reason="A friend of the house")
    refresh(vip)
    busy = vip.days.order_by("-entered")[0]
    token_page = "knox/authtoken/"
    keep_current()
    odd, (token, _text) = odd_customer(), AuthToken.objects.create(user)
    refresh(segment_of("Large houses"))
    kept = keep(BytesIO(b"No,name,plan\na,Ann,pro\n"), "people.csv")
    draft_job = draft("import", by=user, title="people.csv", parameters=kept.parameters, source=kept.source)
    job = start("tag", by=user, selection=Selection.matching({}), parameters={"tag": Tag.objects.all()[0].pk})
    return {
        "home": "",
        "customers": "customers/customer/",
        "nothing found": "customers/customer/?q=zzzz",
        "customer": f"customers/customer/{id_of(3)}/change/",
        "guest": "customers/customer/guest/change/",
        "new customer": "customers/customer/add/",
        "delete customer": f"customers/customer/{id_of(3)}/delete/",
        "whom to merge": f"customers/customer/{id_of(3)}/merge/?q=a",
        "merge": f"customers/customer/{id_of(3)}/merge/?with={id_of(5)}",
        "erase": f"customers/customer/{id_of(3)}/erase/",
        "erasures": "customers/erasure/",
        "customers of a segment": f"customers/customer/?segment={vip.pk}&seen=30&key=plan",
        "text that is no rule": "customers/customer/?q=tag:(",
        "her conversations": f"sessions_app/session/?customer={id_of(3)}",
        "her audit": f"parlant_site/auditentry/?kind=customer&object={id_of(3)}",
        "bulk erase": "customers/customer/bulk/?action=erase",
        "bulk export": "customers/customer/bulk/?action=export&seen=7",
        "bulk pin": "customers/customer/bulk/?action=pin&seen=7",
        "odd customer": f"customers/customer/{odd.pk}/change/",
        "odd customer in lists": "customers/customer/?q=oddly",
        "odd customer's timeline": f"customers/customer/{odd.pk}/timeline/",
        "odd customer's segments": f"customers/customer/{odd.pk}/segments/",
        "odd customer explained": f"customers/segment/{segment_of('Large houses').pk}/explain/?customer={odd.pk}",
        "odd customer erased": f"customers/customer/{odd.pk}/erase/",
        "odd customer merged": f"customers/customer/{odd.pk}/merge/?with={id_of(5)}",
        "conversations": "sessions_app/session/?state=waiting",
        "conversation": f"sessions_app/session/{talk.pk}/change/",
        "timeline": f"customers/customer/{id_of(3)}/timeline/",
        "audit": "parlant_site/auditentry/",
        "bulk action": "customers/customer/bulk/?action=set_metadata&seen=30",
        "segments": "customers/segment/",
        "delete segment": f"customers/segment/{vip.pk}/delete/",
        "edit list": f"customers/segment/{segment_of('Invited to the fair').pk}/edit/",
        "new list": "customers/segment/add/?kind=static",
        "no overlap": "customers/segment/overlap/",
        "nobody explained": f"customers/segment/{vip.pk}/explain/?q=zzzz",
        "overlap": f"customers/segment/overlap/?segment={vip.pk}&segment={segment_of('Going cold').pk}",
        "segment members": f"customers/segment/{vip.pk}/change/",
        "members then": f"customers/segment/{vip.pk}/change/?as_of={today - timedelta(days=3)}",
        "segment rule": f"customers/segment/{vip.pk}/rule/",
        "segment history": f"customers/segment/{vip.pk}/history/?day={busy.day}",
        "segment explained": f"customers/segment/{vip.pk}/explain/?customer={id_of(3)}",
        "near misses": f"customers/segment/{segment_of('Large houses').pk}/near/",
        "segment pins": f"customers/segment/{vip.pk}/pins/",
        "segment runs": f"customers/segment/{vip.pk}/runs/",
        "list of customers": f"customers/segment/{segment_of('Invited to the fair').pk}/change/",
        "rule editor": f"customers/segment/{segment_of('Large houses').pk}/edit/",
        "rule as text": "customers/segment/add/?text=tag:(",
        "new segment": "customers/segment/add/",
        "customer's segments": f"customers/customer/{id_of(3)}/segments/",
        "customers by rule": "customers/customer/?q=metadata.mrr > 100",
        "data jobs": "customers/datajob/",
        "upload": "customers/datajob/upload/",
        "columns": f"customers/datajob/{draft_job.pk}/columns/",
        "data job": f"customers/datajob/{job.pk}/change/",
        "metadata keys": "customers/metadatakey/",
        "metadata key": f"customers/metadatakey/{MetadataKey.objects.all()[0].pk}/change/",
        "new metadata key": "customers/metadatakey/add/",
        "tags": "tags/tag/",
        "tag": f"tags/tag/{Tag.objects.all()[0].pk}/change/",
        "canned responses": "sessions_app/cannedresponse/",
        "canned response": f"sessions_app/cannedresponse/{CannedResponse.objects.all()[5].pk}/change/",
        "new canned response": "sessions_app/cannedresponse/add/",
        "agents": "sessions_app/agent/",
        "agent": "sessions_app/agent/quill/change/",
        "new agent": "sessions_app/agent/add/",
        "delete conversation": f"sessions_app/session/{talk.pk}/delete/",
        "new tag": "tags/tag/add/",
        "tokens": token_page,
        "revoke token": f"{token_page}{token.pk}/delete/",
        "new token": f"{token_page}add/",
        "users": "auth/user/",
        "user": f"auth/user/{user.pk}/change/",
        "new user": "auth/user/add/",
        "password of a user": f"auth/user/{user.pk}/password/",
        "log of a user": f"auth/user/{user.pk}/history/",
        "new role": "auth/group/add/",
        "password": "password_change/",
        "password changed": "password_change/done/",
        "roles": "auth/group/",
        "role": f"auth/group/{Group.objects.all()[0].pk}/change/",
    }


def odd_customer() -> Customer:
    """Answer a customer with everything too long: name, id, tags, metadata."""
    tags = [Tag.add(name=f"A tag with a rather long name, number {number}") for number in range(2)]
    words = "Donaudampfschifffahrtsgesellschaftskapitänswitwe"
    metadata = {"a_long_key_" * 8: "value " * 80, "url": f"https://example.com/{'p' * 300}", "of the house": "مرحبا"}
    return Customer.register(id="x" * 150, name=f"Oddly named {words}", metadata=metadata, tags=tags)


def segment_of(name: str) -> Segment:
    """Answer a segment of the demo."""
    return Segment.objects.get(name=name)


# What is no page of its own: parts, files, answers to buttons, and what leads elsewhere.
NO_PAGES = {
    "login", "logout", "jsi18n", "autocomplete", "app_list", "view_on_site", "customers_customer_bundle",
    "customers_customer_unmerge", "customers_datajob_cancel", "customers_datajob_file", "customers_datajob_import",
    "customers_datajob_progress", "customers_datajob_undo", "sessions_app_session_cancel_follow_up",
    # What nobody may do:
    "customers_datajob_add", "customers_erasure_add", "customers_erasure_change", "knox_authtoken_change",
    "parlant_site_auditentry_add", "parlant_site_auditentry_change", "sessions_app_session_add",
}  # fmt: skip
ALIKE = {"delete", "history"}  # one template each, which other kinds' pages stand for


def test_no_page_is_left_out(demo: dict[str, str]) -> None:
    looked_at = {resolve(f"/admin/{url.partition('?')[0]}").url_name for url in demo.values()}
    names = {pattern.name for _route, pattern in patterns(admin.site.urls[0])}
    left = {name for name in names - looked_at - NO_PAGES if name and name.rpartition("_")[2] not in ALIKE}
    assert sorted(left) == []


def signed_in(chromium: Browser, server: Server, **options: Any) -> BrowserContext:
    """Open a browser window of the operator."""
    client = Client()
    client.force_login(User.objects.get(username="mara"))
    context = chromium.new_context(base_url=f"{server.url}/admin/", **options)
    cookie = client.cookies[settings.SESSION_COOKIE_NAME].value
    context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": cookie, "url": server.url}])
    return context


def listen(page: Page) -> list[str]:
    """Answer a list that fills with what goes wrong on a page: errors, violations, missing files."""
    wrong: list[str] = []
    page.on("console", lambda m: wrong.append(f"console: {m.text}") if m.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: wrong.append(f"script: {error}"))
    page.on("response", lambda r: wrong.append(f"{r.status} {r.url}") if r.status >= 400 else None)
    return wrong


@pytest.mark.timeout(400)  # many pages, and machines are busy
def test_no_page_has_an_error_or_an_accessibility_violation_or_is_too_wide(
    server: Server, demo: dict[str, str], chromium: Browser
) -> None:
    # Colours are looked at as soon as the theme changed.
    page = signed_in(chromium, server, reduced_motion="reduce").new_page()
    wrong, axe = listen(page), Axe()
    for name, url in demo.items():
        page.emulate_media(color_scheme="light")
        page.goto(url)
        for details in page.locator("details:not([name])").all():
            details.evaluate("element => { element.open = true }")
        for width in (320, 390, 768, 1400):
            page.set_viewport_size({"width": width, "height": 800})
            wide = page.evaluate("document.documentElement.scrollWidth")
            if wide > width:
                wrong.append(f"{name}: {wide} pixels wide at {width}")
        so_far = list(wrong)
        violations = axe.run(page).response["violations"]
        # Only the colours differ in the dark.
        page.emulate_media(color_scheme="dark")
        violations += page.evaluate("axe.run({runOnly: ['color-contrast'], resultTypes: ['violations']})")["violations"]
        wrong[:] = so_far  # axe itself tries styles that the policy forbids
        for violation in violations:
            nodes = [node["html"][:160] for node in violation["nodes"][:3]]
            wrong.append(f"{name}: {violation['id']}: {violation['help']}: {nodes}")
    assert wrong == [], "\n".join(dict.fromkeys(wrong))


def test_the_sign_in_page_is_clean(server: Server, demo: dict[str, str], chromium: Browser) -> None:
    page = chromium.new_context(base_url=f"{server.url}/admin/").new_page()
    wrong = listen(page)
    page.goto("login/")
    assert Axe().run(page).response["violations"] == []
    wrong.clear()  # axe itself tries styles that the policy forbids
    page.fill("[name=username]", "mara")
    page.fill("[name=password]", "only for tests")
    page.press("[name=password]", "Enter")
    page.wait_for_url(f"{server.url}/admin/")
    assert wrong == [], "\n".join(dict.fromkeys(wrong))


def test_right_to_left_fits_too(server: Server, demo: dict[str, str], chromium: Browser) -> None:
    page = signed_in(chromium, server, viewport={"width": 390, "height": 800}, locale="ar").new_page()
    wrong = listen(page)
    charts = ("segments", "segment history", "near misses", "overlap")  # whose numbers are no words of a language
    for name in ("home", "customers", "customer", "conversation", "audit", *charts):
        url = demo[name]
        page.goto(url)
        assert page.evaluate("document.documentElement.dir") == "rtl"
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, url
    assert wrong == [], "\n".join(dict.fromkeys(wrong))


@pytest.mark.parametrize("language", ["en", "ar"])
def test_a_phone_shows_where_one_is(language: str, server: Server, demo: dict[str, str], chromium: Browser) -> None:
    page = signed_in(chromium, server, viewport={"width": 390, "height": 800}, locale=language).new_page()
    for name, rows in (("segment runs", (".menu", ".tabs")), ("tokens", (".menu",))):
        page.goto(demo[name])
        for row in rows:
            here = page.locator(f"{row} [aria-current]").bounding_box()
            assert here is not None
            assert -1 < here["x"] < 391 - here["width"], (name, row)


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_metadata_is_edited_by_rows(scripts: bool, server: Server, demo: dict[str, str], chromium: Browser) -> None:
    page = signed_in(chromium, server, java_script_enabled=scripts).new_page()
    page.goto(demo["customer"])
    rows = page.locator("[data-metadata] tbody tr")
    before = rows.count()
    blank = rows.nth(before - 1)
    blank.locator("input").fill("city")
    blank.locator("textarea").fill("Łódź")
    if scripts:
        assert rows.count() == before + 1, "there is always a blank row"
    page.click("[name=_save]")
    page.wait_for_load_state()
    assert Customer.objects.get(pk=id_of(3)).metadata["city"] == "Łódź"


def test_a_filter_is_chosen_by_keyboard_alone(server: Server, demo: dict[str, str], chromium: Browser) -> None:
    page = signed_in(chromium, server).new_page()
    page.goto(demo["customers"])
    page.focus("details.pill:has-text('Tag') > summary")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_url("**/?tag=*")
    assert page.locator("details.pill.on").count() == 1
