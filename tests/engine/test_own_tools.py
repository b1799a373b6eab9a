"""Tools of an installed application, and messages that grow: a server process of its own, and a model behind HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import httpx
import pytest
from django.db import connection
from pytest_django import DjangoDbBlocker

from sessions_app.models import Agent, Session
from tags.models import Tag
from tests.api.shapes import shown
from tests.conftest import empty_database
from tests.engine.model_server import ModelServer, Say, model_server
from tests.processes import Server, start_server
from tests.realtime.sockets import Socket

MESSAGE = {"kind": "message", "source": "customer", "message": "Hello"}
FOR_ALL = ["get_customer_location", "remind"]


@pytest.fixture(scope="module")
def model() -> Iterator[ModelServer]:
    """A language model."""
    with model_server() as server:
        yield server


@pytest.fixture(scope="module")
def _shop(django_db_setup: None, django_db_blocker: DjangoDbBlocker, model: ModelServer) -> Iterator[Server]:
    environment = {
        "DJANGO_SETTINGS_MODULE": "tests.engine.shop.settings",
        "PARLANT_RESPONDER": "llm",
        "PARLANT_LLM_MODEL": "stub",
        "PARLANT_LLM_BASE_URL": model.url,
    }
    with start_server(agents=True, **environment) as server:
        with django_db_blocker.unblock():
            empty_database()
            connection.close()
        yield server


@pytest.fixture
def shop_server(database: None, _shop: Server, model: ModelServer) -> Server:
    """A site with an application of its own, whose agents reply with a model."""
    model.asked.clear()
    return _shop


@pytest.fixture
def shop(shop_server: Server) -> Iterator[httpx.Client]:
    """A client of it."""
    with httpx.Client(base_url=shop_server.url, timeout=30) as client:
        yield client


def ask(shop: httpx.Client, session: Session) -> dict[str, Any]:
    """Post a customer's message."""
    return dict(shown(shop.post(f"/sessions/{session.pk}/events", json=MESSAGE), 201))


def reply(shop: httpx.Client, session: Session, trace_id: str) -> list[dict[str, Any]]:
    """Wait for the end of a reply and answer its events."""
    events: list[dict[str, Any]] = []
    while not events or events[-1]["data"].get("status") != "ready":
        query = f"min_offset={events[-1]['offset'] + 1 if events else 0}&trace_id={trace_id}&wait_for_data=20"
        events += shown(shop.get(f"/sessions/{session.pk}/events?{query}"))
    return events


def calls(shop: httpx.Client, session: Session) -> list[dict[str, Any]]:
    """Let the agent reply and answer the tools that it called."""
    events = reply(shop, session, ask(shop, session)["trace_id"])
    tools = [event for event in events if event["kind"] == "tool"]
    assert {event["source"] for event in tools} <= {"system"}
    return [call for event in tools for call in event["data"]["tool_calls"]]


@pytest.mark.one_database
def test_the_tools_of_an_installed_application_are_found(
    shop: httpx.Client, model: ModelServer, session: Session
) -> None:
    model.says = [Say(calls=[("get_customer_location", {})]), Say("You are in the USA.")]
    assert calls(shop, session) == [
        {"tool_id": "get_customer_location", "arguments": {}, "result": {"data": "USA", "metadata": {}}}
    ]
    assert model.asked[-1]["messages"][-1]["content"] == "USA"


def offered(model: ModelServer) -> list[str]:
    """Answer the names of the tools that the model was last offered."""
    return sorted(tool["function"]["name"] for tool in model.asked[-1]["tools"])


def test_tools_are_offered_to_their_agents_for_their_customers(
    shop: httpx.Client, model: ModelServer, session: Session
) -> None:
    model.says = [Say("Hello")]
    calls(shop, session)
    assert offered(model) == FOR_ALL
    session.customer.amend(add_tags=[Tag.add(name="VIP").pk])
    calls(shop, session)
    assert offered(model) == ["discount", *FOR_ALL]
    model.says = [Say(calls=[("discount", {"percent": 7})]), Say("Granted.")]
    assert calls(shop, session)[0]["result"] == {"data": {"percent": 7}, "metadata": {"granted": True}}
    otto = Session.open(agent=Agent.create(name="Otto"), customer=session.customer)
    model.says = [Say("Hello")]
    calls(shop, otto)
    assert offered(model) == ["discount", *FOR_ALL, "restart"]


def test_a_tool_that_raises_is_told_without_its_inner_text(
    shop: httpx.Client, model: ModelServer, session: Session
) -> None:
    otto = Session.open(agent=Agent.create(name="Otto"), customer=session.customer)
    model.says = [Say(calls=[("restart", {"machine": "A"})]), Say("That did not work.")]
    (call,) = calls(shop, otto)
    assert call["result"]["data"] == {"error": "restart failed: RuntimeError"}
    listed = shop.get(f"/sessions/{otto.pk}/events").text
    assert "That did not work." in listed
    assert "secret" not in listed


def test_a_tool_schedules_a_follow_up(shop: httpx.Client, model: ModelServer, session: Session) -> None:
    model.says = [Say(calls=[("remind", {})]), Say("I will ask."), Say("How did it go?")]
    (call,) = calls(shop, session)
    told = shown(shop.get(f"/sessions/{session.pk}/follow_ups/{call['result']['data']}"))
    assert (told["guidelines"][0]["action"], told["only_if_silent"]) == ("Ask how it went", True)
    said = [event["data"]["message"] for event in reply(shop, session, told["trace_id"]) if event["kind"] == "message"]
    assert said == ["How did it go?"]
    assert "Ask how it went" in str(model.asked[-1]["messages"])


@pytest.fixture
def growing(shop: httpx.Client, model: ModelServer, session: Session) -> Callable[[], str]:
    """Let the agent begin a long message, and answer where it is."""
    session.agent.amend(message_output_mode="stream")

    def begin() -> str:
        model.says = [Say("One two three four five six seven eight", pace=0.12)]
        ask(shop, session)
        query = "kinds=message&source=ai_agent&wait_for_data=20"
        (message,) = shown(shop.get(f"/sessions/{session.pk}/events?{query}"))
        return f"/sessions/{session.pk}/events/{message['id']}"

    return begin


def is_growth(states: list[list[str | None]]) -> bool:
    """Whether a message grew piece by piece to its end."""
    grew = all(after[: len(before)] == before for before, after in pairwise(states))
    return grew and len(states) >= 3 and states[-1][-1] is None and None not in states[-2]


def test_who_follows_a_message_sees_it_grow(
    shop: httpx.Client, shop_server: Server, growing: Callable[[], str], session: Session
) -> None:
    """By a stream, by a long poll that waits for the end, and by a WebSocket, all at once."""

    def by_stream(path: str) -> list[dict[str, Any]]:
        with httpx.stream("GET", f"{shop_server.url}{path}?sse=true", timeout=30) as answer:
            return [json.loads(line[6:]) for line in answer.iter_lines() if line.startswith("data: ")]

    def by_long_poll(path: str) -> dict[str, Any]:
        return dict(httpx.get(f"{shop_server.url}{path}?wait_for_completion=true&wait_for_data=30", timeout=40).json())

    with Socket(shop_server, f"/ws/sessions/{session.pk}") as socket, ThreadPoolExecutor() as pool:
        path = growing()
        streamed, polled = pool.submit(by_stream, path), pool.submit(by_long_poll, path)
        pushed: list[dict[str, Any]] = []
        while not pushed or pushed[-1]["data"].get("status") != "ready":
            pushed.append(socket.receive(20))
        states = streamed.result()
        whole = polled.result()
    assert is_growth([state["data"]["chunks"] for state in states])
    assert states[-1] == whole == shown(shop.get(path))
    assert (
        whole["data"]["message"] == "One two three four five six seven eight" == "".join(whole["data"]["chunks"][:-1])
    )
    assert whole["metadata"] == {"model": "stub", "usage": {"requests": 1, "input_tokens": 12, "output_tokens": 7}}
    mine = [frame for frame in pushed if frame["id"] == whole["id"]]
    assert is_growth([frame["data"]["chunks"] for frame in mine])
    assert mine[-1] == whole
    assert {frame["offset"] for frame in mine} == {whole["offset"]}
