"""A conversation to read."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from customers.models import Customer, CustomerTag
from sessions_app.actions import schedule_follow_up
from sessions_app.admin.sessions import EVENTS_SHOWN
from sessions_app.events import Dropped, Kind, Source
from sessions_app.models import Agent, Event, FollowUp, Session
from tags.models import Tag
from tests.admin.pages import text_of


@pytest.fixture
def session(db: None) -> Session:
    """A session of Ann with Iris."""
    return Session.open(
        agent=Agent.create(name="Iris"),
        customer=Customer.register(name="Ann", metadata={"plan": "pro"}),
        title="Help <me>",
        labels=["urgent"],
    )


def url(session: Session) -> str:
    """Answer the page's address."""
    return f"/admin/sessions_app/session/{session.pk}/change/"


def say(session: Session, text: object, source: Source = Source.CUSTOMER, trace: str | None = None) -> Event:
    """Append a message."""
    named = {"participant": {"id": "x", "display_name": "Somebody"}}
    return session.append_event(kind=Kind.MESSAGE, source=source, data={"message": text, **named}, trace_id=trace)


def test_everything_is_there_in_order(session: Session, browser: Client) -> None:
    say(session, "My <b>order</b>")
    for status in ("acknowledged", "processing", "typing"):
        session.append_event(kind=Kind.STATUS, source=Source.AI_AGENT, data={"status": status, "data": {"stage": "S"}})
    call = {"tool_id": "orders:find", "arguments": {"id": 7}, "result": {"data": {"state": "sent"}, "metadata": {}}}
    session.append_event(kind=Kind.TOOL, source=Source.SYSTEM, data={"tool_calls": [call]})
    say(session, "On its way", Source.AI_AGENT)
    say(session, "Hello", Source.HUMAN_AGENT)
    say(session, "As the agent", Source.HUMAN_AGENT_ON_BEHALF_OF_AI_AGENT)
    session.append_event(kind=Kind.CUSTOM, source=Source.CUSTOMER_UI, data={"page": "/cart"})
    page = browser.get(url(session)).content.decode()
    assert "<b>order</b>" not in page
    seen = text_of(page)
    order = ["My <b>order</b>", "acknowledged", "thinking", "typing", "orders:find", "sent", "On its way", "Hello"]
    order += ["Operator, in the agent’s name", "As the agent", "/cart"]
    places = [seen.index(part) for part in order]
    assert places == sorted(places)
    assert "urgent" in seen
    assert "plan pro" in seen


def test_handing_over_is_told_in_words(session: Session, browser: Client) -> None:
    handoff = {"type": "handoff", "reason": "No canned response <fits>"}
    session.append_event(kind=Kind.CUSTOM, source=Source.SYSTEM, data=handoff)
    transfer = {"type": "transfer", "from": {"id": "a", "name": "Iris"}, "to": {"id": "b", "name": "Otto"}}
    session.append_event(kind=Kind.CUSTOM, source=Source.SYSTEM, data=transfer)
    session.append_event(kind=Kind.CUSTOM, source=Source.SYSTEM, data={"type": "transfer", "from": None, "to": ["x"]})
    session.append_event(kind=Kind.CUSTOM, source=Source.CUSTOMER_UI, data={"type": "handoff", "reason": "of the app"})
    seen = text_of(browser.get(url(session)).content)
    assert "Handed over to an operator: No canned response <fits>" in seen
    assert "Given to another agent: Iris → Otto" in seen
    assert "Handed over to an operator: of the app" not in seen


def test_a_deleted_message_stays_marked(session: Session, browser: Client) -> None:
    say(session, "First", trace="t1")
    say(session, "Second", trace="t2")
    session.delete_events_from(1)
    page = browser.get(url(session)).content.decode()
    assert "Second" in page
    assert text_of(page).count("Deleted") == 1


@pytest.mark.parametrize(
    "data", [None, [], "text", 5, {"message": 5}, {"message": None}, {"participant": "x"}, {"message": ["a"]}]
)
@pytest.mark.parametrize("kind", list(Kind))
def test_odd_data_is_shown_without_an_error(kind: Kind, data: object, session: Session, browser: Client) -> None:
    session.append_event(kind=kind, source=Source.SYSTEM, data=data)
    session.append_event(kind=Kind.TOOL, source=Source.SYSTEM, data={"tool_calls": [1, {"tool_id": 2, "result": 3}]})
    session.append_event(kind=Kind.STATUS, source=Source.SYSTEM, data={"status": None, "data": {"stage": [1]}})
    assert browser.get(url(session)).status_code == 200


def test_a_long_conversation_costs_as_much_as_a_short_one(session: Session, browser: Client) -> None:
    say(session, "One")
    with CaptureQueriesContext(connection) as few:
        browser.get(url(session))
    for place in range(EVENTS_SHOWN + 20):
        say(session, f"Line {place}.")
    with CaptureQueriesContext(connection) as many:
        response = browser.get(url(session))
    assert len(many) == len(few)
    assert len(response.context["entries"]) == EVENTS_SHOWN
    seen = text_of(response.content)
    assert "Line 0." not in seen
    assert f"Line {EVENTS_SHOWN + 19}." in seen
    earlier = text_of(browser.get(f"{url(session)}?until={response.context['earlier']}").content)
    assert "Line 0." in earlier
    assert "Newest events" in earlier
    for silly in ("x", "-1", "9" * 30, "²"):
        assert browser.get(f"{url(session)}?until={silly}").status_code == 200


def test_nobody_changes_what_was_said(session: Session, browser: Client) -> None:
    say(session, "One")
    browser.post(url(session), {"title": "Changed"})
    session.refresh_from_db()
    assert session.title == "Help <me>"
    assert browser.get("/admin/sessions_app/session/add/").status_code == 403


def test_a_session_whose_customer_and_agent_are_gone_is_still_read(session: Session, browser: Client) -> None:
    say(session, "Hello")
    Customer.objects.get(pk=session.customer_ref).remove()
    Agent.objects.all().delete()
    seen = text_of(browser.get(url(session)).content)
    assert session.customer_ref in seen
    assert browser.get("/admin/sessions_app/session/").status_code == 200


def test_a_missing_session_says_so(session: Session, browser: Client) -> None:
    answer = browser.get("/admin/sessions_app/session/nope/change/", follow=True)
    assert "doesn’t exist" in answer.content.decode()


def test_who_else_answers_and_what_is_said_later_stand_beside_it(session: Session, browser: Client) -> None:
    otto = Agent.create(name="Otto <3")
    session.amend_participants(add=[otto])
    later = timezone.now() + timedelta(days=2)
    for action in ("Ask whether <it> runs", "Withdrawn", "Said"):
        schedule_follow_up(session, due=later, guidelines=[{"action": action}], only_if_silent=True)
    dropped, said = session.follow_ups.order_by("creation_utc")[1:]
    dropped.drop(Dropped.CUSTOMER_WROTE)
    FollowUp.objects.filter(pk=said.pk).update(asked_utc=timezone.now())
    seen = text_of(browser.get(url(session)).content)
    assert "Agent Iris Also answering Otto <3" in seen
    assert "Ask whether <it> runs if the customer stays silent" in seen
    assert "Withdrawn" not in seen
    assert "Said" not in seen


def test_who_may_not_see_customers_gets_neither_links_to_them_nor_their_metadata(
    session: Session, browser_of: Callable[..., Client]
) -> None:
    say(session, "Anybody?")
    CustomerTag.objects.create(customer=session.customer, tag=Tag.add(name="VIP"))
    reader = browser_of("sessions_app.view_session", "tags.view_tag")
    for path in ("/admin/", "/admin/sessions_app/session/", url(session), "/admin/tags/tag/"):
        page = reader.get(path).content.decode()
        assert "VIP" in page
        assert "/admin/customers/customer/" not in page, path
        assert '<dt dir="auto">plan</dt>' not in page, path


def test_follow_ups_are_for_those_who_may_see_them(session: Session, browser_of: Callable[..., Client]) -> None:
    schedule_follow_up(session, due=timezone.now() + timedelta(days=2), guidelines=[{"action": "Ask again"}])
    seen = [
        "Ask again" in text_of(browser_of("sessions_app.view_session", *more).get(url(session)).content)
        for more in ((), ("sessions_app.view_followup",))
    ]
    assert seen == [False, True]


def test_a_follow_up_is_cancelled_by_those_who_may(session: Session, browser_of: Callable[..., Client]) -> None:
    later = timezone.now() + timedelta(days=2)
    pending, said = (schedule_follow_up(session, due=later) for _ in range(2))
    FollowUp.objects.filter(pk=said.pk).update(asked_utc=timezone.now())

    def cancel(browser: Client, key: str) -> str:
        answer = browser.post(f"{url(session)[:-7]}follow-ups/{key}/cancel/", follow=True)
        return text_of(answer.content) if answer.status_code == 200 else str(answer.status_code)

    may_see = ("sessions_app.view_session", "sessions_app.view_followup")
    watcher, operator = browser_of(*may_see), browser_of(*may_see, "sessions_app.delete_followup")
    assert "Cancel" not in text_of(watcher.get(url(session)).content)
    assert cancel(watcher, pending.pk) == "403"
    assert "Cancel" in text_of(operator.get(url(session)).content)
    assert "was told to say it already" in cancel(operator, said.pk)
    for key in (pending.pk, pending.pk, "%00"):
        assert "It will not be said" in cancel(operator, key)
    assert list(session.follow_ups.all()) == [said]
