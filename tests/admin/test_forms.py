"""The console's forms: they write through the models, and refuse what the API refuses with its reasons."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote as urlquote

import pytest
from django.contrib.admin.utils import quote
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from customers.models import Customer
from sessions_app.models import Agent, Session
from tags.models import Tag
from tests.admin.pages import errors_of, metadata_fields, text_of

ADD = "/admin/customers/customer/add/"


def page(customer: Customer) -> str:
    """Answer the address of a customer's page."""
    return f"/admin/customers/customer/{customer.pk}/change/"


def form(customer: Customer | None = None, **changes: Any) -> dict[str, Any]:
    """Answer what an untouched form sends, with changes."""
    metadata = customer.metadata if customer else {}
    tags = customer.tag_ids() if customer else []
    shown = json.dumps(metadata, ensure_ascii=False, indent=2)
    return {
        "name": customer.name if customer else "Ann",
        "tags": tags,
        "tags_shown": json.dumps(tags),
        **metadata_fields(list(metadata.items()), shown=shown),
        **changes,
    }


@pytest.mark.django_db
def test_a_customer_is_registered(browser: Client) -> None:
    tag = Tag.add(name="VIP")
    sent = form(id="ann-1", tags=[tag.pk], **metadata_fields([("plan", "pro"), ("", "")], shown="{}"))
    assert browser.post(ADD, sent).status_code == 302
    ann = Customer.objects.get(pk="ann-1")
    assert (ann.name, ann.metadata, ann.tag_ids()) == ("Ann", {"plan": "pro"}, [tag.pk])


@pytest.mark.django_db
def test_a_taken_id_is_refused_as_the_api_refuses_it(browser: Client) -> None:
    Customer.register(name="First", id="ann-1")
    for taken in ("ann-1", "guest"):
        answer = browser.post(ADD, form(id=taken))
        assert f"A customer with the id '{taken}' exists already" in errors_of(answer)
        assert 'value="Ann"' in answer.content.decode(), "what was typed is still there"
    assert Customer.objects.count() == 2


@pytest.mark.django_db
def test_names_and_tags_are_refused_with_the_models_reasons(browser: Client) -> None:
    Tag.add(name="VIP")
    assert "A tag named 'VIP' exists already" in errors_of(browser.post("/admin/tags/tag/add/", {"name": "VIP"}))
    other = Tag.add(name="EU")
    answer = browser.post(f"/admin/tags/tag/{other.pk}/change/", {"name": "VIP"})
    assert "A tag named 'VIP' exists already" in errors_of(answer)
    assert Tag.objects.get(pk=other.pk).name == "EU"
    assert browser.post("/admin/tags/tag/add/", {"name": "x" * 51}).status_code == 200
    assert browser.post("/admin/tags/tag/add/", {"name": " "}).status_code == 200
    assert Tag.objects.count() == 2
    Agent.create(name="Iris", id="iris")
    sent = {
        "name": "I",
        "id": "iris",
        "max_engine_iterations": 3,
        "composition_mode": "fluid",
        "message_output_mode": "block",
    }
    assert "An agent with the id 'iris' exists already" in errors_of(
        browser.post("/admin/sessions_app/agent/add/", sent)
    )


@pytest.mark.django_db
def test_an_agent_is_created_and_changed(browser: Client) -> None:
    tag = Tag.add(name="EU")
    sent = {
        "id": "", "name": "Iris", "description": "", "max_engine_iterations": 5,
        "composition_mode": "strict_canned", "message_output_mode": "stream", "tags": [tag.pk],
    }  # fmt: skip
    assert browser.post("/admin/sessions_app/agent/add/", sent).status_code == 302
    iris = Agent.objects.get()
    assert (iris.name, iris.description, iris.max_engine_iterations, iris.tag_ids()) == ("Iris", None, 5, [tag.pk])
    url = f"/admin/sessions_app/agent/{iris.pk}/change/"
    assert browser.post(url, {**sent, "description": "Helps", "tags": []}).status_code == 302
    iris.refresh_from_db()
    assert (iris.description, iris.composition_mode, list(iris.tag_links.all())) == ("Helps", "strict_canned", [])
    for wrong in (
        {"max_engine_iterations": 0},
        {"max_engine_iterations": 2**40},
        {"composition_mode": "odd"},
        {"name": ""},
    ):
        assert browser.post(url, {**sent, **wrong}).status_code == 200


@pytest.mark.django_db
def test_rows_change_add_and_remove_keys(browser: Client) -> None:
    ann = Customer.register(name="Ann", metadata={"plan": "pro", "mrr": "10", "gone": "x"})
    shown = json.dumps(ann.metadata, ensure_ascii=False, indent=2)
    rows = [("plan", "pro"), ("mrr", "20"), ("", ""), ("city", "Łódź")]
    saved = browser.post(page(ann), form(ann, **metadata_fields(rows, shown=shown)), follow=True)
    assert saved.redirect_chain == [(page(ann), 302)], "she stays on the profile"
    assert "was changed successfully" in saved.content.decode()
    assert b'name="_continue"' not in saved.content
    ann.refresh_from_db()
    assert ann.metadata == {"plan": "pro", "mrr": "20", "city": "Łódź"}


@pytest.mark.django_db
def test_raw_json_changes_everything_at_once(browser: Client) -> None:
    ann = Customer.register(name="Ann", metadata={"plan": "pro"})
    assert browser.post(page(ann), form(ann, **{"metadata-raw": '{"tier": "gold", "": "odd"}'})).status_code == 302
    ann.refresh_from_db()
    assert ann.metadata == {"tier": "gold", "": "odd"}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("{", "not valid JSON"),
        ('["a"]', "must be an object"),
        ('{"a": 1}', "must be a string"),
        ('{"a": "1", "a": "2"}', "twice"),
        ('{"a": "\\u0000"}', "NUL characters are not allowed"),
        ('{"a": "\\ud800"}', "Lone surrogates are not allowed"),
        ("[" * 100_000, "not valid JSON"),
    ],
)
def test_raw_json_that_cannot_be_kept_is_refused(raw: str, reason: str, browser: Client) -> None:
    ann = Customer.register(name="Ann", metadata={"plan": "pro"})
    assert reason in errors_of(browser.post(page(ann), form(ann, **{"metadata-raw": raw})))
    ann.refresh_from_db()
    assert ann.metadata == {"plan": "pro"}


@pytest.mark.django_db
def test_contradictions_are_refused(browser: Client) -> None:
    ann = Customer.register(name="Ann", metadata={"plan": "pro"})
    shown = json.dumps(ann.metadata, indent=2)
    both = metadata_fields([("plan", "free")], shown=shown, raw='{"plan": "gold"}')
    assert "Both the rows and the raw JSON" in errors_of(browser.post(page(ann), form(ann, **both)))
    twice = metadata_fields([("plan", "pro"), ("plan", "x")], shown=shown)
    assert "is there twice" in errors_of(browser.post(page(ann), form(ann, **twice)))
    keyless = metadata_fields([("plan", "pro"), ("", "x")], shown=shown)
    assert "has no key" in errors_of(browser.post(page(ann), form(ann, **keyless)))


@pytest.mark.django_db
def test_what_was_not_touched_keeps_its_very_characters(browser: Client) -> None:
    """Browsers send line ends as CR LF; values with any line ends come through unharmed."""
    odd = {"note": "a\nb", "windows": "a\r\nb", "mac": "a\rb", " spaced ": " x ", "": "empty key", "e": ""}
    ann = Customer.register(name="Ann", metadata=odd)
    html = browser.get(page(ann)).content.decode()
    assert "metadata-key" in html
    shown = json.dumps(odd, ensure_ascii=False, indent=2)
    rows = [(key, value.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n")) for key, value in odd.items()]
    sent = metadata_fields([*rows, ("new", "1")], shown=shown.replace("\n", "\r\n"))
    assert browser.post(page(ann), form(ann, **sent)).status_code == 302
    ann.refresh_from_db()
    assert ann.metadata == {**odd, "new": "1"}


@pytest.mark.django_db
def test_what_somebody_else_changed_meanwhile_stays(browser: Client) -> None:
    vip, eu = Tag.add(name="VIP"), Tag.add(name="EU")
    ann = Customer.register(name="Ann", metadata={"plan": "pro", "mrr": "1"}, tags=[vip])
    sent = form(ann, name="Anna")
    shown = json.dumps({"plan": "pro", "mrr": "1"}, indent=2)
    sent |= metadata_fields([("plan", "free"), ("mrr", "1")], shown=shown)
    Customer.objects.get(pk=ann.pk).amend(
        set_metadata={"mrr": "99", "new": "x"}, add_tags=[eu.pk], remove_tags=[vip.pk]
    )
    assert browser.post(page(ann), sent).status_code == 302
    ann.refresh_from_db()
    assert ann.name == "Anna"
    assert ann.metadata == {"plan": "free", "mrr": "99", "new": "x"}
    assert ann.tag_ids() == [eu.pk]


@pytest.mark.django_db
def test_the_guest_cannot_be_deleted_but_others_can(browser: Client) -> None:
    assert "cannot be deleted" in text_of(browser.get("/admin/customers/customer/guest/change/").content)
    assert browser.post("/admin/customers/customer/guest/delete/", {"post": "yes"}).status_code == 403
    assert Customer.objects.filter(pk="guest").exists()
    ann = Customer.register(name="Ann")
    session = Session.open(agent=Agent.create(name="A"), customer=ann)
    assert browser.post(f"/admin/customers/customer/{ann.pk}/delete/", {"post": "yes"}).status_code == 302
    assert not Customer.objects.filter(pk=ann.pk).exists()
    session.refresh_from_db()
    assert session.customer_ref == ann.pk, "her conversations stay"


@pytest.mark.django_db
def test_deleting_a_conversation_does_not_load_its_events(browser: Client) -> None:
    session = Session.open(agent=Agent.create(name="A"), customer=Customer.guest())
    for _ in range(30):
        session.append_event(kind="message", source="customer", data={"message": "x"})
    with CaptureQueriesContext(connection) as queries:
        assert browser.get(f"/admin/sessions_app/session/{session.pk}/delete/").status_code == 200
        assert browser.post(f"/admin/sessions_app/session/{session.pk}/delete/", {"post": "yes"}).status_code == 302
    assert not [
        q for q in queries.captured_queries if q["sql"].startswith("SELECT") and "sessions_app_event" in q["sql"]
    ]
    assert not Session.objects.filter(pk=session.pk).exists()


@pytest.mark.django_db
def test_a_page_takes_as_many_queries_for_a_busy_customer(browser: Client) -> None:
    agent = Agent.create(name="A")

    def busy(number: int) -> Customer:
        tags = [Tag.add(name=f"t{number}-{place}") for place in range(number)]
        customer = Customer.register(name="N", metadata={f"k{place}": "v" for place in range(number)}, tags=tags)
        for _ in range(number):
            Session.open(agent=agent, customer=customer)
        return customer

    few, many = busy(1), busy(12)
    counts = []
    for customer in (few, many):
        with CaptureQueriesContext(connection) as queries:
            assert browser.get(page(customer)).status_code == 200
        counts.append(len(queries))
    assert counts[0] == counts[1]


@pytest.mark.django_db
def test_who_may_only_look_can_neither_change_nor_add_nor_delete(browser_of: Callable[..., Client]) -> None:
    browser = browser_of("customers.view_customer", "tags.view_tag", "sessions_app.view_agent")
    ann = Customer.register(name="Ann", metadata={"plan": "pro"}, tags=[Tag.add(name="VIP")])
    seen = text_of(browser.get(page(ann)).content)
    assert "plan pro" in seen
    assert "VIP" in seen
    assert browser.post(page(ann), form(ann, name="Eve")).status_code == 403
    assert browser.post(ADD, form()).status_code == 403
    assert browser.post(f"/admin/customers/customer/{ann.pk}/delete/", {"post": "yes"}).status_code == 403
    iris = Agent.create(name="Iris", tags=[Tag.add(name="EU")])
    assert "EU" in text_of(browser.get(f"/admin/sessions_app/agent/{iris.pk}/change/").content)
    ann.refresh_from_db()
    assert ann.name == "Ann"


@pytest.mark.django_db
def test_ids_of_any_characters_have_pages(browser: Client) -> None:
    for key in ("a/b", "über id", "x?y#z", "_5F", "<script>", "50%"):
        customer = Customer.register(name="Odd", id=key)
        listed = browser.get("/admin/customers/customer/?order=name").content.decode()
        assert "<script>alert" not in listed
        assert browser.get(f"/admin/customers/customer/{quote(key)}/change/").status_code == 200
        assert f"/{urlquote(quote(key))}/timeline/" in listed
        customer.remove()


@pytest.mark.django_db
def test_nobody_becomes_a_superuser_through_the_user_pages(browser_of: Callable[..., Client], operator: User) -> None:
    browser = browser_of("auth.change_user", "auth.view_user", "auth.delete_user")
    me = User.objects.exclude(pk=operator.pk).get()
    sent = {"username": me.username, "is_staff": "on", "is_active": "on", "is_superuser": "on"}
    assert browser.post(f"/admin/auth/user/{me.pk}/change/", sent).status_code == 302
    me.refresh_from_db()
    assert not me.is_superuser
    assert browser.post(f"/admin/auth/user/{operator.pk}/change/", sent).status_code == 403
    assert (
        browser.post(
            f"/admin/auth/user/{operator.pk}/password/", {"password1": "x" * 12, "password2": "x" * 12}
        ).status_code
        == 403
    )
    assert browser.post(f"/admin/auth/user/{operator.pk}/delete/", {"post": "yes"}).status_code == 403


@pytest.mark.django_db
def test_every_page_of_the_admin_restricts_content(browser: Client) -> None:
    for url in ("/admin/", "/admin/login/", "/admin/customers/customer/"):
        assert "script-src 'self'" in browser.get(url)["Content-Security-Policy"]
    assert "Content-Security-Policy" not in browser.get("/healthz").headers
