"""Agents with a language model, against an OpenAI-compatible server over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pytest_django.fixtures import Settings

import parlant_site.sdk as p
from sessions_app import actions
from sessions_app.engine import tools
from sessions_app.engine.responders import llm  # noqa: F401 - takes seconds to import: not while a test waits
from sessions_app.models import CannedResponse, Event, Session
from sessions_app.moderation import Verdict
from tags.models import Tag
from tests.engine.conftest import Agents, shapes, wait_for, wait_until_ready
from tests.engine.model_server import ModelServer, Say, model_server
from tests.segments.membership import made, rule


@pytest.fixture
def model(settings: Settings) -> Iterator[ModelServer]:
    """A language model, which all agents use."""
    with model_server() as server:
        settings.PARLANT_RESPONDER = "llm"
        settings.PARLANT_LLM_BASE_URL = server.url
        settings.PARLANT_LLM_MODEL = "stub"
        settings.PARLANT_LLM_RETRIES = 0
        settings.PARLANT_LLM_TIMEOUT = 10
        yield server


@pytest.fixture
def own_tools(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The tools that a test makes."""
    made: dict[str, Any] = {}
    monkeypatch.setattr(tools, "_tools", made)
    return made


def say(session: Session, message: str, **more: Any) -> Event:
    return actions.post_customer_message(session, message=message, **more)


def ask(session: Session, message: str = "Hello") -> list[str]:
    return wait_until_ready(session, say(session, message).trace_id)


def answer_of(session: Session) -> Event:
    return session.events.filter(kind="message", source="ai_agent", deleted=False).latest("offset")


def test_a_model_answers_and_is_told_who_asks(agents: Agents, session: Session, model: ModelServer) -> None:
    vip = Tag.add(name="VIP")
    session.customer.amend(add_tags=[vip.pk])
    session.agent.amend(description="Sells lamps.")
    made("Americans", rule("metadata.location", "=", "USA"))
    made("Europeans", rule("metadata.location", "=", "EU"))
    model.says = [Say("Hello Alice.")]
    assert ask(session, "Hi") == [
        "customer: Hi",
        "acknowledged",
        "processing",
        "typing",
        "ai_agent: Hello Alice.",
        "ready",
    ]
    told = str(model.asked[0]["messages"])
    for known in ("Iris", "Sells lamps.", "Alice Smith", "VIP", '"segments": ["Americans"]', '"location": "USA"'):
        assert known in told
    assert answer_of(session).metadata == {
        "model": "stub",
        "usage": {"requests": 1, "input_tokens": 12, "output_tokens": 7},
    }
    ask(session, "Again")
    assert [one["content"] for one in model.asked[1]["messages"]][-3:] == ["Hi", "Hello Alice.", "Again"]


def test_the_tool_of_the_documents_runs(
    agents: Agents, session: Session, model: ModelServer, own_tools: dict[str, Any]
) -> None:
    @p.tool
    async def get_customer_location(context: p.ToolContext) -> p.ToolResult:
        server = p.ToolContextAccessor(context).server

        if customer := await server.find_customer(id=context.customer_id):
            return p.ToolResult(customer.metadata.get("location", "Unknown location"))

        return p.ToolResult("Customer not found")

    model.says = [Say(calls=[("get_customer_location", {})]), Say("You are in the USA.")]
    assert ask(session, "Where am I?") == [
        "customer: Where am I?",
        "acknowledged",
        "processing",
        "tool",
        "typing",
        "ai_agent: You are in the USA.",
        "ready",
    ]
    called = session.events.get(kind="tool")
    assert called.source == "system"
    assert called.data == {
        "tool_calls": [{"tool_id": "get_customer_location", "arguments": {}, "result": {"data": "USA", "metadata": {}}}]
    }


def test_a_tool_that_fails_or_is_called_wrongly_does_not_end_the_turn(
    agents: Agents, session: Session, model: ModelServer, own_tools: dict[str, Any]
) -> None:
    @p.tool
    def double(context: p.ToolContext, number: int) -> p.ToolResult:
        if number == 13:
            raise RuntimeError("secret inner text")
        return p.ToolResult(number * 2, metadata={"unit": "EUR"})

    session.agent.amend(max_engine_iterations=5)
    model.says = [
        Say(calls=[("double", {"number": "many"})]),
        Say(calls=[("double", {"number": 13})]),
        Say(calls=[("double", {"number": 21})]),
        Say("42"),
    ]
    assert ask(session)[-5:] == ["tool", "tool", "typing", "ai_agent: 42", "ready"]
    results = [event.data["tool_calls"][0]["result"] for event in session.events.filter(kind="tool").order_by("offset")]
    assert results[0]["data"]["error"].startswith("The arguments are wrong. number:")
    assert results[1]["data"] == {"error": "double failed: RuntimeError"}
    assert results[2] == {"data": 42, "metadata": {"unit": "EUR"}}


def test_a_tool_speaks_and_hands_over(
    agents: Agents, session: Session, model: ModelServer, own_tools: dict[str, Any]
) -> None:
    @p.tool
    async def escalate(context: p.ToolContext) -> p.ToolResult:
        await context.emit_message("One moment.")
        await context.emit_status("processing", {"stage": "Looking for a colleague"})
        return p.ToolResult("done", control={"mode": "manual"})

    model.says = [Say(calls=[("escalate", {})]), Say("A colleague will answer.")]
    said = ask(session)
    assert said[3:] == [
        "ai_agent: One moment.",
        "processing",
        "tool",
        "typing",
        "ai_agent: A colleague will answer.",
        "custom",
        "ready",
    ]
    session.refresh_from_db()
    assert session.mode == "manual"


def test_tools_are_bound_to_agents_and_to_tags_of_customers(
    agents: Agents, session: Session, model: ModelServer, own_tools: dict[str, Any]
) -> None:
    @p.tool(agents=["Otto"])
    def of_otto(context: p.ToolContext) -> str:
        return ""

    @p.tool(customer_tags=["VIP"])
    def for_vips(context: p.ToolContext) -> str:
        return ""

    @p.tool
    def for_all(context: p.ToolContext) -> str:
        return ""

    model.says = [Say("Hello")]
    ask(session)
    session.customer.amend(add_tags=[Tag.add(name="VIP").pk])
    ask(session)
    offered = [[one["function"]["name"] for one in asked["tools"]] for asked in model.asked]
    assert offered == [["for_all"], ["for_vips", "for_all"]]


def test_a_streamed_message_is_one_event_that_grows(agents: Agents, session: Session, model: ModelServer) -> None:
    session.agent.amend(message_output_mode="stream")
    model.says = [Say("One two three four", pace=0.15)]
    asked = say(session, "Count")
    growing = wait_for(lambda: session.events.filter(kind="message", source="ai_agent").first())
    wait_for(lambda: Event.objects.get(pk=growing.pk).data["message"].startswith("One"))
    assert Event.objects.get(pk=growing.pk).data["chunks"][-1:] != [None]
    assert wait_until_ready(session, asked.trace_id)[-3:] == ["typing", "ai_agent: One two three four", "ready"]
    done = Event.objects.get(pk=growing.pk)
    assert done.data["chunks"][-1] is None
    assert "".join(done.data["chunks"][:-1]) == done.data["message"] == "One two three four"
    assert len(done.data["chunks"]) > 2
    assert done.metadata["model"] == "stub"
    session.refresh_from_db()
    assert (session.last_message, session.ai_message_count) == ("One two three four", 1)


def test_nothing_is_left_of_a_streamed_message_that_was_cancelled(
    agents: Agents, session: Session, model: ModelServer
) -> None:
    session.agent.amend(message_output_mode="stream")
    model.says = [Say("One two three four five six seven eight", pace=0.3), Say("Nine")]
    first = say(session, "Count")
    wait_for(lambda: session.events.filter(kind="message", source="ai_agent").exists())
    second = say(session, "Stop")
    assert wait_until_ready(session, second.trace_id)[-2:] == ["ai_agent: Nine", "ready"]
    assert shapes(session, first.trace_id) == [
        "customer: Count",
        "acknowledged",
        "processing",
        "typing",
        "cancelled",
        "ready",
    ]
    session.refresh_from_db()
    assert (session.last_message, session.ai_message_count) == ("Nine", 1)


@pytest.mark.parametrize(
    ("say_", "reason"),
    [
        (Say(status=500), "The language model's server failed (status 500)"),
        (Say(status=401), "The language model's server did not accept the key (status 401)"),
        (Say(status=429), "The language model's server is asked too much at the moment (status 429)"),
        (Say("Too late", after=3), "The language model did not answer in time"),
    ],
)
def test_what_goes_wrong_with_the_model_is_told_in_words(
    agents: Agents, session: Session, model: ModelServer, settings: Settings, say_: Say, reason: str
) -> None:
    settings.PARLANT_LLM_TIMEOUT = 1
    session.agent.amend(max_engine_iterations=1)
    model.says = [say_]
    assert ask(session)[-2:] == ["error", "ready"]
    errors = [event.data["data"] for event in session.events.all() if event.data.get("status") == "error"]
    assert errors == [{"exception": reason}]


def test_a_stream_that_breaks_off_is_an_error_and_leaves_nothing(
    agents: Agents, session: Session, model: ModelServer, settings: Settings
) -> None:
    settings.PARLANT_LLM_TIMEOUT = 2
    session.agent.amend(message_output_mode="stream", max_engine_iterations=1)
    model.says = [Say("One two three", pace=1.5)]
    assert ask(session)[-3:] == ["typing", "error", "ready"]
    session.refresh_from_db()
    assert session.ai_message_count == 0


def test_a_model_that_fails_for_a_moment_is_asked_again(
    agents: Agents, session: Session, model: ModelServer, settings: Settings
) -> None:
    settings.PARLANT_LLM_RETRIES = 2
    model.says = [Say(status=503), Say("Here I am again")]
    assert ask(session)[-2:] == ["ai_agent: Here I am again", "ready"]


def test_an_agent_that_only_calls_tools_comes_to_an_end(
    agents: Agents, session: Session, model: ModelServer, own_tools: dict[str, Any]
) -> None:
    @p.tool
    def again(context: p.ToolContext) -> str:
        return "again"

    model.says = [Say(calls=[("again", {})])]
    assert ask(session)[-2:] == ["error", "ready"]
    errors = [event.data["data"] for event in session.events.all() if event.data.get("status") == "error"]
    assert errors == [{"exception": "The agent did not come to an answer within 3 steps"}]


def test_strict_agents_say_only_canned_responses(agents: Agents, session: Session, model: ModelServer) -> None:
    CannedResponse.create(value="We ship on Tuesdays, {{ customer.first_name }}.", signals=["When do you ship?"])
    session.agent.amend(composition_mode="strict_canned")
    model.says = [Say("1"), Say("0")]
    assert ask(session, "When do you ship?")[-2:] == ["ai_agent: We ship on Tuesdays, Alice.", "ready"]
    assert answer_of(session).data["draft"] == "1"
    assert ask(session, "When do you ship to the moon?")[-2:] == ["custom", "ready"]
    session.refresh_from_db()
    assert session.mode == "manual"


@pytest.mark.parametrize("mode", ["canned_fluid", "composited_canned"])
def test_other_modes_show_canned_responses_to_the_model(
    agents: Agents, session: Session, model: ModelServer, mode: str
) -> None:
    known = CannedResponse.create(value="We ship on Tuesdays.", signals=["When do you ship?"])
    session.agent.amend(composition_mode=mode)
    model.says = [Say("We ship on Tuesdays.")]
    ask(session, "When do you ship?")
    assert "We ship on Tuesdays." in str(model.asked[0]["messages"])
    assert answer_of(session).data["canned_responses"] == [[known.pk, "We ship on Tuesdays."]]


def test_a_flagged_message_is_hidden_from_the_model(agents: Agents, session: Session, model: ModelServer) -> None:
    model.says = [Say("Fine")]
    first = say(session, "Something vile", verdict=Verdict(True, ("hate",)))
    wait_until_ready(session, first.trace_id)
    assert (first.data["flagged"], first.data["tags"]) == (True, ["hate"])
    ask(session, "Hello")
    assert "vile" not in str(model.asked)


async def test_moderation_flags_and_fails_closed_only_for_the_paranoid(model: ModelServer, settings: Settings) -> None:
    from sessions_app.events import Moderation
    from sessions_app.moderation import moderate

    assert await moderate("hate", Moderation.AUTO) == Verdict()
    settings.PARLANT_MODERATION = "openai"
    assert await moderate("hate", Moderation.AUTO) == Verdict(True, ("hate",))
    assert await moderate("hate", Moderation.NONE) == Verdict()
    assert await moderate("rude", Moderation.AUTO) == Verdict()
    assert await moderate("rude", Moderation.PARANOID) == Verdict(True, ("harassment",))
    settings.PARLANT_LLM_BASE_URL = "http://127.0.0.1:9/v1"
    assert await moderate("hate", Moderation.AUTO) == Verdict()
    assert await moderate("hate", Moderation.PARANOID) == Verdict(True, ("moderation-unavailable",))
