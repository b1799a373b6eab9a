"""Several agents in one session, and another one from now on, as callers of the API see them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from typing import Any

import httpx
import pytest

from sessions_app import actions
from sessions_app.engine import turn as turns
from sessions_app.engine.replies import NoReply, Reply
from sessions_app.models import Agent, CannedResponse, Session
from tests.api.shapes import invalid, refused, shown
from tests.engine.conftest import Agents, shapes, wait_for, wait_until_ready

MESSAGE = {"kind": "message", "source": "customer"}


@pytest.fixture
def otto(database: None) -> Agent:
    """Another agent."""
    return Agent.create(name="Otto")


def says(monkeypatch: pytest.MonkeyPatch, **replies: Reply | NoReply) -> None:
    """Have agents answer what stands under their names."""

    async def respond(turn: turns.Turn, agent: Agent) -> Reply:
        reply = replies[agent.name]
        if isinstance(reply, NoReply):
            raise reply
        return reply

    monkeypatch.setattr(turns, "responder_of", lambda agent: respond)


def ask(http: httpx.Client, session_id: str, message: str = "Hello") -> list[dict[str, Any]]:
    """Post a customer's message and answer the events of the reply."""
    asked = shown(http.post(f"/sessions/{session_id}/events", json={**MESSAGE, "message": message}), 201)
    wait_until_ready(Session(pk=session_id), asked["trace_id"])
    found: list[dict[str, Any]] = shown(http.get(f"/sessions/{session_id}/events?trace_id={asked['trace_id']}"))
    return found[1:]


def spoken(events: Sequence[dict[str, Any]]) -> list[str]:
    """Answer what the agents said."""
    return [event["data"]["message"] for event in events if event["kind"] == "message"]


def test_participants_are_a_field_of_sessions(http: httpx.Client, session: Session, otto: Agent) -> None:
    ida = Agent.create(name="Ida")
    made = shown(http.post("/sessions", json={"agent_id": session.agent_ref, "participants": [ida.pk, otto.pk]}), 201)
    assert made["participants"] == [session.agent_ref, ida.pk, otto.pk]
    path = f"/sessions/{made['id']}"
    assert shown(http.get(path)) == made
    changed = shown(http.patch(path, json={"participants": {"remove": [ida.pk]}}))
    assert changed["participants"] == [session.agent_ref, otto.pk]
    changed = shown(http.patch(path, json={"participants": {"add": [ida.pk, ida.pk, otto.pk, session.agent_ref]}}))
    assert changed["participants"] == [session.agent_ref, otto.pk, ida.pk]
    assert [one["participants"] for one in shown(http.get("/sessions"))] == [
        [session.agent_ref],
        [session.agent_ref, otto.pk, ida.pk],
    ]
    # The own agent is named first, whoever it is.
    changed = shown(http.patch(path, json={"agent_id": otto.pk}))
    assert changed["participants"] == [otto.pk, ida.pk]
    ida.remove()
    assert shown(http.get(path))["participants"] == [otto.pk]


def test_who_cannot_answer_is_refused_and_nothing_is_changed(http: httpx.Client, session: Session, otto: Agent) -> None:
    path, before = f"/sessions/{session.pk}", shown(http.get(f"/sessions/{session.pk}"))

    def change(**participants: Any) -> httpx.Response:
        return http.patch(path, json={"title": "New", "participants": participants})

    refused(change(add=[otto.pk, "nope"]), 404, "nope")
    refused(change(remove=[otto.pk]), 404, otto.pk)
    refused(change(add=[otto.pk], remove=[session.agent_ref]), 422, "agent_id")
    invalid(change(add=otto.pk), ["body", "participants", "add"])
    invalid(http.patch(path, json={"participants": [otto.pk]}), ["body", "participants"])
    assert shown(http.get(path)) == before
    opening = {"agent_id": session.agent_ref, "participants": ["nope"]}
    refused(http.post("/sessions", json=opening), 404, "nope")
    invalid(http.post("/sessions", json={**opening, "participants": "nope"}), ["body", "participants"])
    assert Session.objects.count() == 1


def test_two_agents_answer_and_every_event_names_its_own(
    agents: Agents, http: httpx.Client, session: Session, otto: Agent
) -> None:
    CannedResponse.create(value="It costs 5 EUR, says {{ agent.name }}.", signals=["What does it cost?"])
    shown(http.patch(f"/sessions/{session.pk}", json={"participants": {"add": [otto.pk]}}))
    events = ask(http, session.pk, "What does it cost?")
    said = [
        (event["data"].get("status") or event["data"]["message"], event["metadata"]["agent_name"]) for event in events
    ]
    assert said == [
        ("acknowledged", "Iris"),
        ("processing", "Iris"),
        ("typing", "Iris"),
        ("It costs 5 EUR, says Iris.", "Iris"),
        ("processing", "Otto"),
        ("typing", "Otto"),
        ("It costs 5 EUR, says Otto.", "Otto"),
        ("ready", "Otto"),
    ]
    speakers = [event["data"]["participant"] for event in events if event["kind"] == "message"]
    assert speakers == [{"id": session.agent_ref, "display_name": "Iris"}, {"id": otto.pk, "display_name": "Otto"}]
    assert spoken(ask(http, session.pk, "@Otto What does it cost?")) == ["It costs 5 EUR, says Otto."]
    # Alone again, nothing has to say whose it is.
    shown(http.patch(f"/sessions/{session.pk}", json={"participants": {"remove": [otto.pk]}}))
    assert {str(event["metadata"].get("agent_id")) for event in ask(http, session.pk, "Thank you")} == {"None"}


def test_agents_do_not_repeat_each_other_nor_greet_in_chorus(
    agents: Agents, http: httpx.Client, session: Session, otto: Agent
) -> None:
    opening = {"agent_id": session.agent_ref, "participants": [otto.pk]}
    made = shown(http.post("/sessions?allow_greeting=true", json=opening), 201)
    wait_for(lambda: shapes(Session(pk=made["id"]))[-1:] == ["ready"])
    greeting = shown(http.get(f"/sessions/{made['id']}/events"))
    assert spoken(greeting) == ["Hello! I am Iris. How can I help you?"]
    assert {event["metadata"]["agent_name"] for event in greeting} == {"Iris"}
    assert spoken(ask(http, made["id"], "Hello")) == ["Hello! How can I help you?"]


def test_one_who_knows_nothing_hands_over_only_if_nobody_does(
    agents: Agents, http: httpx.Client, session: Session, otto: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.amend_participants(add=[otto])
    nothing = Reply("I do not know.", hand_over="Nothing fits", is_last_resort=True)
    says(monkeypatch, Iris=nothing, Otto=Reply("I do."))
    assert spoken(ask(http, session.pk)) == ["I do."]
    says(monkeypatch, Iris=Reply("I do."), Otto=nothing)
    assert spoken(ask(http, session.pk)) == ["I do."]
    assert shown(http.get(f"/sessions/{session.pk}"))["mode"] == "auto"
    says(monkeypatch, Iris=nothing, Otto=nothing)
    events = ask(http, session.pk)
    assert spoken(events) == ["I do not know."]
    assert [event["kind"] for event in events][-3:] == ["message", "custom", "status"]
    assert shown(http.get(f"/sessions/{session.pk}"))["mode"] == "manual"


def test_one_agent_s_failure_does_not_silence_the_other(
    agents: Agents, http: httpx.Client, session: Session, otto: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.amend_participants(add=[otto])
    says(monkeypatch, Iris=NoReply("The model did not answer in time"), Otto=Reply("Here I am."))
    events = ask(http, session.pk)
    assert spoken(events) == ["Here I am."]
    (error,) = [event for event in events if event["data"].get("status") == "error"]
    assert (error["metadata"]["agent_name"], error["data"]["data"]) == (
        "Iris",
        {"exception": "The model did not answer in time"},
    )
    assert [event["data"].get("status") for event in events].count("ready") == 1


def test_a_session_is_given_to_another_agent_in_the_middle_of_a_reply(
    agents: Agents, http: httpx.Client, session: Session, otto: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = threading.Event()

    async def respond(turn: turns.Turn, agent: Agent) -> Reply:
        if agent.name == "Iris":
            begun.set()
            await asyncio.sleep(600)
        return Reply(f"I am {agent.name}.")

    monkeypatch.setattr(turns, "responder_of", lambda agent: respond)
    path = f"/sessions/{session.pk}"
    asked = shown(http.post(f"{path}/events", json={**MESSAGE, "message": "Hello"}), 201)
    wait_for(begun.is_set)
    assert shown(http.patch(path, json={"agent_id": otto.pk}))["agent_id"] == otto.pk
    wait_for(lambda: shapes(session)[-1] == "ready" and "ai_agent: I am Otto." in shapes(session))
    assert shapes(session) == [
        "customer: Hello",
        "acknowledged",
        "processing",
        "custom",
        "cancelled",
        "ready",
        "acknowledged",
        "processing",
        "typing",
        "ai_agent: I am Otto.",
        "ready",
    ]
    events = shown(http.get(f"{path}/events"))
    (told,) = [event for event in events if event["kind"] == "custom"]
    assert (told["source"], told["data"]) == (
        "system",
        {
            "type": "transfer",
            "from": {"id": session.agent_ref, "name": "Iris"},
            "to": {"id": otto.pk, "name": "Otto"},
        },
    )
    assert all(event["trace_id"] == asked["trace_id"] for event in events if event["kind"] != "custom")
    # Given to whom it has already, nothing is said.
    shown(http.patch(path, json={"agent_id": otto.pk}))
    assert len(shown(http.get(f"{path}/events"))) == len(events)


def test_a_human_s_message_does_not_make_participants_speak(
    agents: Agents, http: httpx.Client, session: Session, otto: Agent
) -> None:
    session.amend_participants(add=[otto])
    actions.post_human_message(session, message="I am here", participant={"display_name": "Olga"})
    ask(http, session.pk, "Thank you")  # the agents are at work
    assert shapes(session)[:2] == ["human_agent: I am here", "customer: Thank you"]
