"""The audit and the timeline in the console."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from customers.admin.timeline import SHOWN
from customers.models import Customer
from parlant_site.common.audit import AuditEntry
from parlant_site.common.console.listing import PAGE_SIZE
from sessions_app.events import Kind, Source
from sessions_app.models import Agent, Session
from tags.models import Tag
from tests.admin.pages import text_of

AUDIT = "/admin/parlant_site/auditentry/"


def listed(browser: Client, query: str = "") -> list[AuditEntry]:
    """Answer the entries of the first page."""
    return [entry for entry, _ in browser.get(AUDIT + query).context["listing"].table]


@pytest.mark.django_db
def test_a_change_in_the_admin_is_recorded_and_readable(browser: Client, operator: User) -> None:
    vip = Tag.add(name="VIP")
    ann = Customer.register(name="Ann", id="ann", metadata={"plan": "free"})
    sent = {
        "name": "Anna", "tags": [vip.pk], "tags_shown": "[]", "metadata-key": ["plan"], "metadata-value": ["pro"],
        "metadata-shown": '{"plan": "free"}', "metadata-raw": '{"plan": "free"}',
    }  # fmt: skip
    assert browser.post("/admin/customers/customer/ann/change/", sent).status_code == 302
    entry = listed(browser, "?kind=customer&object=ann&act=changed")[0]
    assert (entry.actor_id, entry.channel) == (operator.pk, "admin")
    seen = text_of(browser.get(f"{AUDIT}?object={ann.pk}").content)
    for line in ("name Ann Anna", "metadata.plan free pro", "tag VIP", "mara Admin"):
        assert line in seen


@pytest.mark.django_db
def test_the_audit_is_filtered_paged_and_of_constant_cost(browser: Client) -> None:
    def change(number: int) -> None:
        for place in range(number):
            tag = Tag.add(name=f"t{AuditEntry.objects.count()}-{place}")
            Customer.register(name=f"N{place}", tags=[tag]).amend(remove_tags=[tag.pk])

    change(PAGE_SIZE)
    with CaptureQueriesContext(connection) as few:
        browser.get(AUDIT)
    change(PAGE_SIZE)
    with CaptureQueriesContext(connection) as many:
        listing = browser.get(AUDIT).context["listing"]
    assert len(few) == len(many)
    ids = []
    while True:
        ids += [entry.pk for entry, _ in listing.table]
        if not listing.next_link:
            break
        listing = browser.get(AUDIT + listing.next_link).context["listing"]
    assert ids == sorted(AuditEntry.objects.values_list("pk", flat=True), reverse=True)
    assert {entry.kind for entry in listed(browser, "?kind=tag")} == {"tag"}
    assert {entry.act for entry in listed(browser, "?act=changed")} == {"changed"}
    assert listed(browser, "?channel=rest") == []
    assert len(listed(browser, "?when=1")) == PAGE_SIZE
    assert browser.get(f"{AUDIT}?actor=x&act=x&channel=x&when=x&after=x").status_code == 200


@pytest.mark.django_db
def test_the_audit_is_for_those_who_may_see_it_and_for_nobody_to_change(
    browser: Client, browser_of: Callable[..., Client]
) -> None:
    Tag.add(name="VIP")
    assert browser_of("tags.view_tag").get(AUDIT).status_code == 403
    assert browser_of("parlant_site.view_auditentry").get(AUDIT).status_code == 200
    entry = AuditEntry.objects.first()
    assert entry is not None
    assert browser.get(f"{AUDIT}add/").status_code == 403
    assert browser.post(f"{AUDIT}{entry.pk}/delete/", {"post": "yes"}).status_code == 403
    assert browser.post(f"{AUDIT}{entry.pk}/change/", {"act": "deleted"}).status_code == 403
    assert browser.get(f"{AUDIT}{entry.pk}/change/").status_code == 200


@pytest.fixture
def ann(db: None) -> Customer:
    """A customer with two conversations and a change."""
    ann = Customer.register(name="Ann", id="ann/1")
    agent = Agent.create(name="Iris")
    for number in range(2):
        session = Session.open(agent=agent, customer=ann, title=f"Talk {number}")
        session.append_event(kind=Kind.MESSAGE, source=Source.CUSTOMER, data={"message": f"Question <{number}>"})
        session.append_event(kind=Kind.STATUS, source=Source.AI_AGENT, data={"status": "typing", "data": {}})
        session.append_event(kind=Kind.MESSAGE, source=Source.AI_AGENT, data={"message": f"Answer {number}"})
    ann.amend(set_metadata={"plan": "pro"})
    return ann


TIMELINE = "/admin/customers/customer/ann_2F1/timeline/"


def test_the_timeline_shows_all_in_one_stream(ann: Customer, browser: Client) -> None:
    assert f'href="{TIMELINE}"' in browser.get("/admin/customers/customer/").content.decode(), "here she opens"
    page = browser.get(TIMELINE)
    seen = text_of(page.content)
    order = [
        "Timeline Profile and metadata Conversations Segments Audit",
        "metadata.plan pro",
        "Answer 1",
        "Question <1>",
        "Conversation Talk 1",
        "Answer 0",
        "Question <0>",
        "Created",
    ]
    places = [seen.index(part) for part in order]
    assert places == sorted(places)
    assert "typing" not in seen
    moments = [moment.at for moment in page.context["moments"]]
    assert moments == sorted(moments, reverse=True)


def test_the_timeline_shows_what_one_may_see(ann: Customer, browser_of: Callable[..., Client]) -> None:
    seen = text_of(browser_of("customers.view_customer").get(TIMELINE).content)
    assert "Answer" not in seen
    assert "metadata.plan" not in seen
    assert browser_of("tags.view_tag").get(TIMELINE).status_code == 403


def test_the_timeline_goes_back_page_by_page_and_loses_nothing(ann: Customer, browser: Client) -> None:
    session = Session.objects.order_by("creation_utc")[0]
    start = datetime(2026, 1, 1, tzinfo=UTC)
    Session.objects.update(creation_utc=start)
    for place in range(2 * SHOWN):
        session.append_event(
            kind=Kind.MESSAGE,
            source=Source.CUSTOMER,
            data={"message": f"line {place}."},
            creation_utc=start + timedelta(minutes=place // 3),  # several at the same instant
        )
    seen, url = [], TIMELINE
    with CaptureQueriesContext(connection) as queries:
        page = browser.get(url)
    assert len(queries) < 20
    while True:
        page = browser.get(url)
        seen += [str(moment.body) for moment in page.context["moments"] if moment.shape == "message"]
        if not page.context["before"]:
            break
        url = f"{TIMELINE}?before={page.context['before'].replace('+', '%2B')}"
    assert len(seen) == len(set(seen)) == 2 * SHOWN + 4


def test_an_unreadable_instant_shows_the_newest(ann: Customer, browser: Client) -> None:
    for text in ("x", "2026-13-45T00:00:00Z", "2026-01-01T00:00:00", "9999-12-31T23:59:59Z"):
        assert browser.get(f"{TIMELINE}?before={text}").status_code == 200
