"""What agents are told to say later: by REST, by tools; said once, or not at all."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest
from django.utils import timezone

import parlant_site.sdk as p
from sessions_app import actions
from sessions_app.models import FollowUp, Session
from tests.api.shapes import invalid, refused, shown
from tests.engine.conftest import Agents, shapes, wait_for, wait_until_ready
from tests.engine.workers import Nursery

SAID = "ai_agent: Is there anything else that I can help you with?"
WHOLE = ["acknowledged", "processing", "typing", SAID, "ready"]


@pytest.fixture
def path(session: Session) -> str:
    """Where the session's follow-ups are."""
    return f"/sessions/{session.pk}/follow_ups"


@pytest.fixture
def greeted(session: Session) -> Session:
    """The session, in which the agent has spoken."""
    actions.post_human_message(session, message="Hello", on_behalf=True)
    return session


def later(session: Session, seconds: float, **fields: Any) -> FollowUp:
    """Schedule a follow-up."""
    return actions.schedule_follow_up(session, due=timezone.now() + timedelta(seconds=seconds), **fields)


def test_a_follow_up_has_a_shape_of_its_own(http: httpx.Client, session: Session, path: str) -> None:
    told = [{"action": "Ask how it went"}, {"action": "Hurry", "rationale": "unspecified"}]
    made = shown(http.post(path, json={"delay": 3600, "guidelines": told, "only_if_silent": True}), 201)
    assert made == {
        "id": made["id"],
        "session_id": session.pk,
        "creation_utc": made["creation_utc"],
        "due_utc": made["due_utc"],
        "guidelines": [
            {"action": "Ask how it went", "rationale": "follow_up"},
            {"action": "Hurry", "rationale": "unspecified"},
        ],
        "only_if_silent": True,
        "state": "scheduled",
        "dropped_because": None,
        "trace_id": made["trace_id"],
    }
    assert made["due_utc"].endswith("Z")
    due = FollowUp.objects.get(pk=made["id"]).due_utc - timezone.now()
    assert timedelta(seconds=3500) < due <= timedelta(seconds=3600)
    second = shown(http.post(path, json={"due_utc": "2027-01-01T10:00:00+02:00"}), 201)
    assert (second["due_utc"], second["guidelines"], second["only_if_silent"]) == ("2027-01-01T08:00:00Z", [], False)
    assert shown(http.get(path)) == [made, second]
    assert shown(http.get(f"{path}?limit=1&sort=desc"))["items"] == [second]
    assert shown(http.get(f"{path}/{made['id']}")) == made
    assert http.delete(f"{path}/{made['id']}").status_code == 204
    refused(http.get(f"{path}/{made['id']}"), 404, made["id"])
    refused(http.delete(f"{path}/{made['id']}"), 404, made["id"])
    assert shown(http.get(path)) == [second]


def test_a_follow_up_is_found_only_under_its_own_session(http: httpx.Client, session: Session) -> None:
    other = Session.open(agent=session.agent, customer=session.customer)
    made = later(other, 60)
    refused(http.get(f"/sessions/{session.pk}/follow_ups/{made.pk}"), 404, made.pk)
    refused(http.delete(f"/sessions/{session.pk}/follow_ups/{made.pk}"), 404, made.pk)
    refused(http.get("/sessions/nope/follow_ups"), 404, "nope")
    refused(http.post("/sessions/nope/follow_ups", json={"delay": 1}), 404, "nope")


@pytest.mark.parametrize(
    ("body", "location"),
    [
        ({}, ["body"]),
        ({"guidelines": [{"action": "Ask"}]}, ["body"]),
        ({"delay": 1, "due_utc": "2099-01-01T00:00:00Z"}, ["body"]),
        ({"delay": -1}, ["body", "delay"]),
        ({"delay": "soon"}, ["body", "delay"]),
        ({"delay": True}, ["body", "delay"]),
        ({"delay": 1.5}, ["body", "delay"]),
        ({"delay": 10**9}, ["body", "delay"]),
        ({"due_utc": "tomorrow"}, ["body", "due_utc"]),
        ({"due_utc": 5}, ["body", "due_utc"]),
        ({"due_utc": "0001-01-01T00:00:00+23:00"}, ["body", "due_utc"]),
        ({"due_utc": "2020-01-01T00:00:00Z"}, ["body", "due_utc"]),
        ({"delay": 1, "guidelines": "Ask"}, ["body", "guidelines"]),
        ({"delay": 1, "guidelines": [{"action": ""}]}, ["body", "guidelines", 0, "action"]),
        ({"delay": 1, "guidelines": [{"action": "A", "rationale": "why"}]}, ["body", "guidelines", 0, "rationale"]),
        ({"delay": 1, "only_if_silent": "yes"}, ["body", "only_if_silent"]),
    ],
)
def test_what_cannot_be_scheduled_is_told(http: httpx.Client, path: str, body: Any, location: list[Any]) -> None:
    invalid(http.post(path, json=body), location)
    assert not FollowUp.objects.exists()


def test_a_year_ahead_is_far_enough(http: httpx.Client, path: str) -> None:
    refused(http.post(path, json={"due_utc": "9999-12-31T23:59:59Z"}), 422, "366 days")


def test_what_is_due_is_said_as_a_reply_under_its_own_trace(
    agents: Agents, http: httpx.Client, greeted: Session, path: str
) -> None:
    made = shown(http.post(path, json={"delay": 0, "guidelines": [{"action": "Zzz"}]}), 201)
    assert wait_until_ready(greeted, made["trace_id"]) == WHOLE
    assert shown(http.get(f"{path}/{made['id']}"))["state"] == "said"
    refused(http.delete(f"{path}/{made['id']}"), 422, "cannot be cancelled")
    # A customer's answer to it goes on as usual.
    asked = actions.post_customer_message(greeted, message="Thank you")
    assert wait_until_ready(greeted, asked.trace_id)[-2:] == ["ai_agent: You're welcome, Alice!", "ready"]


def test_what_was_cancelled_is_not_said(agents: Agents, http: httpx.Client, greeted: Session, path: str) -> None:
    cancelled = shown(http.post(path, json={"delay": 1}), 201)
    assert http.delete(f"{path}/{cancelled['id']}").status_code == 204
    after_it = later(Session.open(agent=greeted.agent, customer=greeted.customer), 1.1)
    wait_until_ready(after_it.session, after_it.trace_id)
    assert shapes(greeted) == ["human_agent_on_behalf_of_ai_agent: Hello"]


def test_one_about_a_silence_is_dropped_when_the_customer_writes(
    idle_agents: Agents, http: httpx.Client, greeted: Session, path: str
) -> None:
    asked = actions.post_customer_message(greeted, message="Hello")  # before: breaks no silence
    before = later(greeted, 0, only_if_silent=True)
    idle_agents.start()
    assert wait_until_ready(greeted, asked.trace_id)[-2:] == ["ai_agent: Hello Alice! How can I help you?", "ready"]
    assert wait_until_ready(greeted, before.trace_id) == WHOLE  # the customer is answered first
    dropped = later(greeted, 1, only_if_silent=True)
    said = later(greeted, 1)
    actions.post_customer_message(greeted, message="Thank you")
    wait_until_ready(greeted, said.trace_id)
    answered = shown(http.get(f"{path}/{dropped.pk}"))
    assert (answered["state"], answered["dropped_because"]) == ("dropped", "customer_wrote")
    assert shapes(greeted, dropped.trace_id) == []
    assert http.delete(f"{path}/{dropped.pk}").status_code == 204


def test_it_is_dropped_where_a_human_answers(agents: Agents, http: httpx.Client, greeted: Session, path: str) -> None:
    actions.take_over(greeted)
    made = later(greeted, 0)
    answered = wait_for(lambda: (one := shown(http.get(f"{path}/{made.pk}")))["state"] == "dropped" and one)
    assert answered["dropped_because"] == "manual_mode"
    actions.hand_back(greeted)
    assert shapes(greeted) == ["human_agent_on_behalf_of_ai_agent: Hello"]


def test_what_is_said_at_once_is_no_follow_up(http: httpx.Client, session: Session, path: str) -> None:
    actions.request_agent_message(session, guidelines=[{"action": "Hurry", "rationale": "unspecified"}])
    assert shown(http.get(path)) == []


def test_it_goes_with_its_session(http: httpx.Client, session: Session) -> None:
    later(session, 60)
    assert http.delete(f"/sessions/{session.pk}").status_code == 204
    assert not FollowUp.objects.exists()


def test_a_list_takes_no_more_queries_for_more_follow_ups(session: Session, path: str) -> None:
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    counts = []
    for _ in range(2):
        later(session, 60)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            Client().get(path)
        counts.append(len(queries))
    assert counts[0] == counts[1]


async def test_applications_and_tools_schedule_and_cancel(session: Session) -> None:
    made = await p.schedule_follow_up(session.pk, "Ask how it went", delay=3600, only_if_silent=True)
    assert made.guidelines == [{"action": "Ask how it went", "rationale": "follow_up"}]
    assert made.only_if_silent
    context = p.ToolContext(session.agent_ref, session.pk, session.customer_ref, None, None)  # type: ignore[arg-type]
    server = p.ToolContextAccessor(context).server
    second = await server.schedule_follow_up(context.session_id, due=made.due_utc)
    assert second.due_utc == made.due_utc
    await server.cancel_follow_up(second.pk)
    with pytest.raises(p.NotFound):
        await server.cancel_follow_up(second.pk)
    with pytest.raises(p.NotFound):
        await p.schedule_follow_up("nope", delay=1)
    for wrong in ({}, {"delay": 1, "due": made.due_utc}, {"due": made.due_utc.replace(tzinfo=None)}):
        with pytest.raises(ValueError, match="due"):
            await p.schedule_follow_up(session.pk, **wrong)  # type: ignore[arg-type]


def test_each_is_said_once_by_several_workers_of_whom_one_is_killed(greeted: Session, workers: Nursery) -> None:
    sessions = [Session.open(agent=greeted.agent, customer=greeted.customer) for _ in range(30)]
    for one in sessions:
        actions.post_human_message(one, message="Hello", on_behalf=True)
    killed = workers.start()
    workers.start()
    made = [later(one, 0) for one in sessions]
    wait_for(lambda: FollowUp.objects.exclude(asked_utc=None).exists())
    killed.kill()
    wait_for(lambda: not FollowUp.objects.pending().exists())
    wait_for(lambda: not Session.objects.exclude(reply_due=None).exists())
    for one, follow_up in zip(sessions, made, strict=True):
        said = shapes(one, follow_up.trace_id)
        assert said.count(SAID) == 1, said
        assert said[-1] == "ready"
        assert said.count("acknowledged") == said.count("ready")
