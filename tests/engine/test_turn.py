"""A reply as customers see it: a timeline of events."""

from __future__ import annotations

import pytest

from customers.segments.worker import settle_all
from sessions_app import actions
from sessions_app.engine import turn as turns
from sessions_app.engine.replies import NoReply, Reply
from sessions_app.events import Source, Status
from sessions_app.models import Agent, CannedResponse, Event, Session
from tags.models import Tag
from tests.engine.conftest import Agents, shapes, wait_for, wait_until_ready
from tests.segments.membership import made, rule


def say(session: Session, message: str) -> Event:
    return actions.post_customer_message(session, message=message)


def test_a_customer_message_is_answered_in_the_order_of_the_contract(agents: Agents, session: Session) -> None:
    CannedResponse.create(value="Your order is on its way, {{ customer.first_name }}.", signals=["Where is my order?"])
    asked = say(session, "where is my order")
    assert wait_until_ready(session, asked.trace_id) == [
        "customer: where is my order",
        "acknowledged",
        "processing",
        "typing",
        "ai_agent: Your order is on its way, Alice.",
        "ready",
    ]
    events = list(session.events.order_by("offset"))
    assert {event.source for event in events[1:]} == {"ai_agent"}
    assert {event.trace_id for event in events} == {asked.trace_id}
    assert events[1].data == {"status": "acknowledged", "data": {}}
    assert events[2].data["data"]["stage"]
    (known,) = CannedResponse.objects.all()
    assert events[4].data == {
        "message": "Your order is on its way, Alice.",
        "participant": {"id": session.agent_ref, "display_name": "Iris"},
        "tags": [],
        "canned_responses": [[known.pk, "Your order is on its way, Alice."]],
    }
    session.refresh_from_db()
    assert (session.reply_due, session.open_trace, session.lease_owner) == (None, "", "")
    assert session.reply_done == session.reply_wanted == asked.offset
    assert session.ai_message_count == 1
    assert session.waiting_since is None


def test_a_newer_message_cancels_the_reply_and_gets_one(
    agents: Agents, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = _block_the_first_reply(monkeypatch)
    first = say(session, "Hello")
    wait_for(begun.is_set)
    second = say(session, "Are you there?")
    assert wait_until_ready(session, second.trace_id)[-2:] == ["ai_agent: Here I am", "ready"]
    assert shapes(session, first.trace_id) == ["customer: Hello", "acknowledged", "processing", "cancelled", "ready"]
    # The old trace is closed before the new one begins.
    assert shapes(session) == [
        "customer: Hello",
        "acknowledged",
        "processing",
        "customer: Are you there?",
        "cancelled",
        "ready",
        "acknowledged",
        "processing",
        "typing",
        "ai_agent: Here I am",
        "ready",
    ]


def _block_the_first_reply(monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    import asyncio
    import threading

    begun = threading.Event()

    async def respond(turn: turns.Turn, agent: Agent) -> Reply:
        if not begun.is_set():
            begun.set()
            await asyncio.sleep(60)
        return Reply("Here I am")

    monkeypatch.setattr(turns, "responder_of", lambda agent: respond)
    return begun


def test_a_human_who_takes_over_cancels_the_reply(
    agents: Agents, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = _block_the_first_reply(monkeypatch)
    asked = say(session, "Hello")
    wait_for(begun.is_set)
    actions.take_over(session)
    assert wait_until_ready(session, asked.trace_id)[-2:] == ["cancelled", "ready"]
    say(session, "Anybody?")
    assert shapes(session)[-1] == "customer: Anybody?"
    session.refresh_from_db()
    assert session.reply_due is None
    actions.hand_back(session)
    wait_for(lambda: shapes(session)[-2:] == ["ai_agent: Here I am", "ready"])


def test_another_agent_begins_again_what_the_former_was_writing(
    agents: Agents, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = _block_the_first_reply(monkeypatch)
    asked = say(session, "Hello")
    wait_for(begun.is_set)
    former, other = session.agent, Agent.create(name="Otto")
    actions.transfer(session, agent=other)
    wait_for(lambda: "ai_agent: Here I am" in shapes(session) and shapes(session)[-1] == "ready")
    assert shapes(session, asked.trace_id)[:5] == [
        "customer: Hello",
        "acknowledged",
        "processing",
        "cancelled",
        "ready",
    ]
    assert session.events.get(kind="custom").data == {
        "type": "transfer",
        "from": {"id": former.pk, "name": "Iris"},
        "to": {"id": other.pk, "name": "Otto"},
    }
    message = session.events.get(kind="message", source="ai_agent")
    assert message.data["participant"] == {"id": other.pk, "display_name": "Otto"}
    assert message.trace_id == asked.trace_id


def test_a_reason_that_an_agent_has_no_answer_is_told(
    agents: Agents, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def respond(turn: turns.Turn, agent: Agent) -> Reply:
        raise NoReply("The language model did not answer in time")

    monkeypatch.setattr(turns, "responder_of", lambda agent: respond)
    asked = say(session, "Hello")
    assert wait_until_ready(session, asked.trace_id)[-2:] == ["error", "ready"]
    (error,) = [event for event in session.events.all() if event.data.get("status") == "error"]
    assert error.data["data"] == {"exception": "The language model did not answer in time"}


def test_a_bug_is_told_without_its_inner_text(
    agents: Agents, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def respond(turn: turns.Turn, agent: Agent) -> Reply:
        raise KeyError("secret inner text")

    monkeypatch.setattr(turns, "responder_of", lambda agent: respond)
    asked = say(session, "Hello")
    assert wait_until_ready(session, asked.trace_id)[-2:] == ["error", "ready"]
    assert "secret" not in str([event.data for event in session.events.all()])


def test_what_nobody_can_answer_is_handed_over(agents: Agents, session: Session) -> None:
    asked = say(session, "Quantum chromodynamics lattice gauge?")
    said = wait_until_ready(session, asked.trace_id)
    assert said[-4:] == [
        "typing",
        "ai_agent: I am sorry, I do not know the answer to that. I am asking a colleague, who will answer you here.",
        "custom",
        "ready",
    ]
    handoff = session.events.get(kind="custom")
    assert handoff.source == "system"
    assert handoff.data["type"] == "handoff"
    session.refresh_from_db()
    assert session.mode == "manual"
    assert session.waiting_since == handoff.creation_utc
    assert session.customer.__class__.objects.get(pk=session.customer_id).manual_session_count == 1


def test_what_is_for_a_tag_is_said_only_where_the_customer_or_the_agent_bears_it(
    agents: Agents, session: Session
) -> None:
    vip = Tag.add(name="VIP")
    CannedResponse.create(value="Your own line is 123.", signals=["What is your phone number?"], tags=[vip])
    CannedResponse.create(value="We answer here.", signals=["What is your phone number to call?"])
    off = CannedResponse.create(value="Old line: 9.", signals=["What is your phone number?"], enabled=False)

    def answer() -> str:
        return wait_until_ready(session, say(session, "What is your phone number?").trace_id)[-2]

    assert answer() == "ai_agent: We answer here."
    session.customer.amend(add_tags=[vip.pk])
    assert answer() == "ai_agent: Your own line is 123."
    session.customer.amend(remove_tags=[vip.pk])
    session.agent.amend(add_tags=[vip.pk])
    assert answer() == "ai_agent: Your own line is 123."
    off.amend(enabled=True, value="New line: 10.", add_tags=[])
    vip.remove()  # what only it restricted is turned off
    assert answer() == "ai_agent: New line: 10."
    off.remove()
    assert answer() == "ai_agent: We answer here."


def test_templates_know_the_segments_of_the_customer(agents: Agents, session: Session) -> None:
    CannedResponse.create(
        value='Parcels {% if "Americans" in customer.segments %}fly{% else %}sail{% endif %}.',
        signals=["How do you ship?"],
    )
    made("Americans", rule("metadata.location", "=", "USA"))
    assert "ai_agent: Parcels fly." in wait_until_ready(session, say(session, "How do you ship?").trace_id)
    session.customer.amend(set_metadata={"location": "EU"})
    settle_all()
    assert "ai_agent: Parcels sail." in wait_until_ready(session, say(session, "How do you ship?").trace_id)


def test_what_needs_a_value_is_said_only_where_it_is_known(agents: Agents, session: Session) -> None:
    CannedResponse.create(value="You are on {{ plan }}.", signals=["Which plan am I on?"], field_dependencies=["plan"])
    CannedResponse.create(value="Look under Settings.", signals=["Which plan am I on now?"])
    for metadata, text in (({}, "Look under Settings."), ({"plan": "pro"}, "You are on pro.")):
        session.customer.amend(set_metadata=metadata)
        asked = say(session, "Which plan am I on?")
        assert wait_until_ready(session, asked.trace_id)[-2] == f"ai_agent: {text}"


def test_the_agent_speaks_first_where_it_is_allowed(agents: Agents, session: Session) -> None:
    greeted = actions.open_session(agent=session.agent, customer=session.customer, allow_greeting=True)
    wait_for(lambda: shapes(greeted)[-1:] == ["ready"])
    assert shapes(greeted) == [
        "acknowledged",
        "processing",
        "typing",
        "ai_agent: Hello Alice! I am Iris. How can I help you?",
        "ready",
    ]
    assert len({event.trace_id for event in greeted.events.all()}) == 1


@pytest.mark.parametrize(
    ("rationale", "words"),
    [
        ("buy_time", "One moment, please. I am looking into it."),
        ("follow_up", "Is there anything else that I can help you with?"),
        ("unspecified", "We ship every Tuesday."),
    ],
)
def test_an_agent_says_what_it_is_told_to(agents: Agents, session: Session, rationale: str, words: str) -> None:
    CannedResponse.create(value="We ship every Tuesday.", signals=["tell when we ship"])
    action = "Tell the customer when we ship" if rationale == "unspecified" else "Zzz"
    begun = actions.request_agent_message(session, guidelines=[{"action": action, "rationale": rationale}])
    assert begun.data == {"status": "acknowledged", "data": {}}
    assert wait_until_ready(session, begun.trace_id) == [
        "acknowledged",
        "processing",
        "typing",
        f"ai_agent: {words}",
        "ready",
    ]


def test_a_customer_whom_the_agent_asked_to_wait_is_answered_then(idle_agents: Agents, session: Session) -> None:
    asked = say(session, "Thank you")
    told = actions.request_agent_message(session, guidelines=[{"action": "Wait", "rationale": "buy_time"}])
    idle_agents.start()
    assert wait_until_ready(session, asked.trace_id)[-2:] == ["ai_agent: You're welcome, Alice!", "ready"]
    assert shapes(session, told.trace_id)[-2:] == ["ai_agent: One moment, please. I am looking into it.", "ready"]
    session.refresh_from_db()
    assert (session.reply_due, session.reply_done) == (None, asked.offset)


def test_an_agent_can_be_made_to_speak_while_a_human_answers(agents: Agents, session: Session) -> None:
    actions.take_over(session)
    begun = actions.request_agent_message(session)
    assert wait_until_ready(session, begun.trace_id)[-1] == "ready"
    session.refresh_from_db()
    assert session.mode == "manual"


def test_two_requests_at_once_are_both_closed(idle_agents: Agents, session: Session) -> None:
    first = actions.request_agent_message(session)
    second = say(session, "Hello")
    idle_agents.start()
    wait_until_ready(session, second.trace_id)
    assert shapes(session, first.trace_id) == ["acknowledged", "cancelled", "ready"]


def test_statuses_that_callers_post_are_not_taken_for_the_agent_s(idle_agents: Agents, session: Session) -> None:
    posted = actions.post_status(session, source=Source.AI_AGENT, status=Status.ACKNOWLEDGED)
    asked = say(session, "Hello")
    idle_agents.start()
    wait_until_ready(session, asked.trace_id)
    assert shapes(session, posted.trace_id) == ["acknowledged"]


def test_each_of_two_agents_answers_and_is_named(agents: Agents, session: Session) -> None:
    CannedResponse.create(value="It costs 5 EUR, says {{ agent.name }}.", signals=["What does it cost?"])
    otto = Agent.create(name="Otto")
    session.amend_participants(add=[otto])
    asked = say(session, "What does it cost?")
    said = wait_until_ready(session, asked.trace_id)
    assert [one for one in said if one.startswith("ai_agent")] == [
        "ai_agent: It costs 5 EUR, says Iris.",
        "ai_agent: It costs 5 EUR, says Otto.",
    ]
    assert said.count("acknowledged") == said.count("ready") == 1
    messages = list(session.events.filter(kind="message", source="ai_agent").order_by("offset"))
    assert [message.metadata["agent_name"] for message in messages] == ["Iris", "Otto"]
    asked = say(session, "@Otto What does it cost?")
    said = wait_until_ready(session, asked.trace_id)
    assert [one for one in said if one.startswith("ai_agent")] == ["ai_agent: It costs 5 EUR, says Otto."]


def test_a_reply_that_keeps_dying_is_given_up(idle_agents: Agents, session: Session) -> None:
    asked = say(session, "Hello")
    Session.objects.filter(pk=session.pk).update(reply_attempts=3)
    idle_agents.start()
    assert wait_until_ready(session, asked.trace_id)[-3:] == ["acknowledged", "error", "ready"]
    session.refresh_from_db()
    assert session.reply_due is None


def test_deleting_the_question_ends_the_reply_without_a_trace(
    agents: Agents, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = _block_the_first_reply(monkeypatch)
    asked = say(session, "Hello")
    wait_for(begun.is_set)
    session.delete_events_from(asked.offset)
    wait_for(lambda: not agents.runner.running)
    assert shapes(session) == []
    later = say(session, "Hello again")
    assert wait_until_ready(session, later.trace_id)[-2:] == ["ai_agent: Here I am", "ready"]


def test_a_session_whose_agent_is_gone_says_so(agents: Agents, session: Session) -> None:
    session.agent.delete()
    session.refresh_from_db()
    asked = say(session, "Hello")
    assert wait_until_ready(session, asked.trace_id)[-3:] == ["acknowledged", "error", "ready"]
