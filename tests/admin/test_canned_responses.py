"""Canned responses in the console: written through the models, refused as REST refuses, previewed for a customer."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from customers.models import Customer
from parlant_site.common.audit import AuditEntry
from sessions_app.models import Agent, CannedResponse
from tags.models import Tag
from tests.admin.pages import errors_of, text_of
from tests.segments import membership

LIST = "/admin/sessions_app/cannedresponse/"
ADD = f"{LIST}add/"
pytestmark = pytest.mark.django_db


def page(response: CannedResponse) -> str:
    """Answer the address of a response's page."""
    return f"{LIST}{response.pk}/change/"


def form(response: CannedResponse | None = None, **changes: Any) -> dict[str, Any]:
    """Answer what an untouched form sends, with changes."""
    known = response or CannedResponse(value="Hello")
    tags = response.tag_ids() if response else []
    return {
        "value": known.value,
        "signals": "\r\n".join(known.signals),
        "purpose": known.purpose,
        "field_dependencies": "\r\n".join(known.field_dependencies),
        "enabled": "on" if known.enabled else "",
        "tags": tags,
        "tags_shown": json.dumps(tags),
        **changes,
    }


def listed(browser: Client, query: str = "") -> list[str]:
    """Answer what the responses on a list say."""
    return [row.value for row, _ in browser.get(LIST + query).context["listing"].table]


def test_a_response_is_created_changed_and_deleted(browser: Client, operator: User) -> None:
    vip = Tag.add(name="VIP")
    sent = form(
        value="Line one\r\nline two", signals="Where is it?\r\n\r\n When? ", field_dependencies="plan", tags=[vip.pk]
    )
    assert browser.post(ADD, sent).status_code == 302
    made = CannedResponse.objects.get()
    assert (made.value, made.signals, made.field_dependencies) == (
        "Line one\nline two",
        ["Where is it?", "When?"],
        ["plan"],
    )
    assert (made.tag_ids(), made.enabled) == ([vip.pk], True)
    assert browser.post(page(made), form(made)).status_code == 302
    assert AuditEntry.objects.about("cannedresponse", made.pk).count() == 1  # nothing was changed, nothing is written
    assert browser.post(page(made), form(made, tags=[], enabled="", purpose="greeting")).status_code == 302
    made.refresh_from_db()
    assert (CannedResponse.objects.get().tag_ids(), made.enabled, made.purpose) == ([], False, "greeting")
    assert browser.post(f"{LIST}{made.pk}/delete/", {"post": "yes"}).status_code == 302
    entries = AuditEntry.objects.about("cannedresponse", made.pk)
    assert [(e.act, e.channel, e.actor_id) for e in entries] == [
        (act, "admin", operator.pk) for act in ("deleted", "changed", "created")
    ]
    assert entries[1].before == {"purpose": "answer", "enabled": True, "tags": [vip.pk]}


def test_what_somebody_else_changed_meanwhile_stays(browser: Client) -> None:
    vip, eu = Tag.add(name="VIP"), Tag.add(name="EU")
    made = CannedResponse.create(value="Hello", tags=[vip])
    sent = form(made, signals="hi")
    made.amend(value="Changed", add_tags=[eu.pk], remove_tags=[vip.pk], set_metadata={"a": 1})
    assert browser.post(page(made), {**sent, "value": "Hello again"}).status_code == 302
    now = CannedResponse.objects.get()
    assert (now.value, now.signals, now.tag_ids(), now.metadata) == ("Hello again", ["hi"], [eu.pk], {"a": 1})


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        ({"value": ""}, "This field is required"),
        ({"value": "Dear\r\n{{ customer.name"}, "The template cannot be used: line 2"),
        ({"value": "{% set a = 1 %}{{ a }}"}, "The template cannot be used"),
        ({"value": "x" * 4001}, "at most 4000"),
        ({"signals": "x" * 501}, "500"),
        ({"purpose": "odd"}, "not one of the available choices"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_written(browser: Client, wrong: dict[str, str], reason: str) -> None:
    made = CannedResponse.create(value="Hello")
    assert reason in errors_of(browser.post(page(made), form(made, **wrong)))
    assert reason in errors_of(browser.post(ADD, form(**wrong)))
    assert list(CannedResponse.objects.values_list("value", flat=True)) == ["Hello"]


def test_a_preview_shows_what_a_chosen_customer_would_read_and_saves_nothing(browser: Client) -> None:
    vip = Tag.add(name="VIP")
    Agent.create(name="Iris")
    otto = Agent.create(name="Otto")
    ada = Customer.register(name="Ada Lovelace", metadata={"plan": "pro"}, tags=[vip])
    made = CannedResponse.create(value="Hello {{ customer.name }}")
    assert "Hello Guest" in text_of(browser.get(page(made)).content)
    sent = form(
        made, value="{{ customer.first_name }} has {{ plan }}, says {{ agent.name }}", tags=[vip.pk], _preview="1"
    )
    for words in (ada.pk, "lovelace"):
        answer = browser.post(page(made), {**sent, "preview_for": words, "preview_agent": otto.pk})
        assert "Ada has pro, says Otto" in text_of(answer.content)
        assert "Please correct" not in answer.content.decode()
    assert "bears one of its tags" in text_of(browser.post(page(made), sent).content)
    sent["tags"] = []
    assert "'plan' is undefined" in text_of(browser.post(page(made), sent).content)
    assert "it needs plan" in text_of(browser.post(page(made), {**sent, "field_dependencies": "plan"}).content)
    assert "no such customer" in text_of(browser.post(page(made), {**sent, "preview_for": "zzz"}).content)
    assert "to correct first" in text_of(browser.post(page(made), {**sent, "value": "{{"}).content)
    assert "Hello Guest" in text_of(browser.post(ADD, form(value="Hello {{ customer.name }}", _preview="1")).content)
    made.refresh_from_db()
    assert (made.value, CannedResponse.objects.count()) == ("Hello {{ customer.name }}", 1)


def test_a_preview_knows_the_segments_of_the_customer(browser: Client) -> None:
    Agent.create(name="Iris")
    ada = Customer.register(name="Ada Lovelace", metadata={"plan": "pro"})
    membership.made("Payers", membership.rule("metadata.plan", "=", "pro"))
    sent = form(value='We thank {{ customer.segments|join(", ")|default("all", true) }}.', _preview="1")
    assert "We thank Payers." in text_of(browser.post(ADD, {**sent, "preview_for": ada.pk}).content)
    assert "We thank all." in text_of(browser.post(ADD, {**sent, "preview_for": "guest"}).content)


def test_who_may_not_see_customers_previews_for_the_guest_alone(browser_of: Callable[..., Client]) -> None:
    Customer.register(name="Ada Lovelace", id="ada")
    made = CannedResponse.create(value="Hello {{ customer.name }}")
    browser = browser_of("sessions_app.view_cannedresponse", "sessions_app.change_cannedresponse")
    answer = browser.post(page(made), form(made, _preview="1", preview_for="ada"))
    assert "Ada" not in text_of(answer.content)
    assert 'name="preview_for"' not in answer.content.decode()


def test_permissions_are_those_of_rest(browser_of: Callable[..., Client]) -> None:
    made = CannedResponse.create(value="Hello", signals=["hi there"])
    viewer = browser_of("sessions_app.view_cannedresponse")
    shown = viewer.get(page(made))
    assert "hi there" in text_of(shown.content)
    assert 'name="value"' not in shown.content.decode()
    assert viewer.post(page(made), form(made, value="x")).status_code == 403
    assert viewer.get(ADD).status_code == 403
    assert viewer.post(f"{LIST}{made.pk}/delete/", {"post": "yes"}).status_code == 403
    assert browser_of("customers.view_customer").get(LIST).status_code == 403
    assert "Canned responses" in viewer.get("/admin/").content.decode()


def test_the_list_searches_filters_and_costs_the_same_for_many(browser: Client) -> None:
    vip = Tag.add(name="VIP")
    CannedResponse.create(value="We ship on Tuesday", signals=["Größe der Sendung"])
    CannedResponse.create(value="Welcome", purpose="greeting", tags=[vip])
    CannedResponse.create(value="Old", enabled=False)
    assert listed(browser) == ["Old", "Welcome", "We ship on Tuesday"]
    assert listed(browser, "?q=tuesday+ship") == listed(browser, "?q=Größe") == ["We ship on Tuesday"]
    assert listed(browser, "?purpose=greeting") == listed(browser, f"?tag={vip.pk}") == ["Welcome"]
    assert listed(browser, "?tag=-") == ["Old", "We ship on Tuesday"]
    assert listed(browser, "?use=no") == ["Old"]
    assert len(listed(browser, "?purpose=odd&use=odd")) == 3
    numbers = []
    for number in (1, 40):
        for place in range(number):
            CannedResponse.create(value=f"x{place}", tags=[vip])
        with CaptureQueriesContext(connection) as queries:
            browser.get(LIST)
        numbers.append(len(queries))
    assert numbers[0] == numbers[1]
