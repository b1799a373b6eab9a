"""Keys of language models' servers: an agent names the variable of its own; no key is shown or written down."""

from __future__ import annotations

import json
import logging
from typing import Any

import httpx
import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django.fixtures import Settings

from parlant_site.common.audit import AuditEntry
from sessions_app import actions
from sessions_app.models import Agent, Event, Session
from tests.api.shapes import invalid, shown
from tests.data.test_roles import as_role
from tests.engine.conftest import Agents, wait_until_ready
from tests.engine.model_server import ModelServer, Say, model_server
from tests.processes import Server

OWN, COMMON = "sk-own-7f3a9c51e2", "sk-common-0b8d44"
VARIABLE = "PARLANT_LLM_API_KEY_SALES"


@pytest.fixture
def keys(settings: Settings) -> None:
    """Two keys in the environment: the common one, and one that agents may name."""
    settings.PARLANT_RESPONDER = "llm"
    settings.PARLANT_LLM_API_KEY = COMMON
    settings.PARLANT_LLM_API_KEYS = {VARIABLE: OWN}
    settings.PARLANT_LLM_RETRIES = 0
    settings.PARLANT_LLM_TIMEOUT = 10


@pytest.fixture
def model() -> Any:
    """A language model of an agent's own."""
    with model_server() as server:
        yield server


def ask(session: Session) -> list[str]:
    return wait_until_ready(session, actions.post_customer_message(session, message="Hello").trace_id)


def test_each_server_gets_its_own_key_alone(
    agents: Agents, session: Session, keys: None, model: ModelServer, settings: Settings
) -> None:
    model.says = [Say("Hi")]
    session.agent.amend(llm_model="own-model", llm_base_url=model.url, llm_key_variable=VARIABLE)
    assert ask(session)[-2:] == ["ai_agent: Hi", "ready"]
    assert model.asked[0]["model"] == "own-model"
    session.agent.amend(llm_key_variable="")
    ask(session)  # a server that an agent names does not get the common key
    settings.PARLANT_LLM_BASE_URL = model.url
    session.agent.amend(llm_base_url="")
    ask(session)
    assert model.keys == [OWN, "none", COMMON]


def test_a_variable_that_is_not_set_is_told_without_asking_anybody(
    agents: Agents, session: Session, keys: None, model: ModelServer
) -> None:
    session.agent.amend(llm_model="m", llm_base_url=model.url, llm_key_variable="PARLANT_LLM_API_KEY_NONE")
    assert ask(session)[-2:] == ["error", "ready"]
    error = session.events.get(data__status="error")
    assert error.data["data"] == {"exception": "The key of the language model is not set"}
    assert model.asked == []


@pytest.mark.one_database
def test_a_key_leaks_nowhere_although_the_server_repeats_it(
    agents: Agents,
    session: Session,
    keys: None,
    model: ModelServer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    browser = Client()
    browser.force_login(User.objects.create_superuser("mara"))
    agent = session.agent
    for stream in ("block", "stream"):
        agent.amend(llm_model="m", llm_base_url=model.url, llm_key_variable=VARIABLE, message_output_mode=stream)
        for say in (Say(status=401), Say(status=500), Say(status=400), Say("fine")):
            model.says = [say]
            with caplog.at_level(logging.DEBUG):
                ask(session)
    assert set(model.keys) == {OWN}
    assert "secret inner text [key]" in caplog.text
    agent.amend(llm_model="other")
    written = [
        caplog.text,
        json.dumps([[event.data, event.metadata] for event in Event.objects.all()]),
        json.dumps([[entry.before, entry.after] for entry in AuditEntry.objects.all()]),
        browser.get(f"/admin/sessions_app/agent/{agent.pk}/change/").content.decode(),
        browser.get("/agents").content.decode(),
        browser.get("/openapi.json").content.decode(),
    ]
    for text in written:
        assert OWN not in text
        assert COMMON not in text
    assert all(VARIABLE in text for text in written[2:5])


def test_rest_takes_a_model_of_the_agent_s_own(http: httpx.Client) -> None:
    made = shown(http.post("/agents", json={"name": "Iris"}), 201)
    assert made["llm"] == {"model": "", "base_url": "", "key_variable": "", "has_key": False}
    path = f"/agents/{made['id']}"
    given = {"model": "llama3.2", "base_url": "http://127.0.0.1:11434/v1", "key_variable": VARIABLE}
    changed = shown(http.patch(path, json={"llm": given}))
    assert changed == {**made, "llm": {**given, "has_key": False}}
    assert shown(http.get(path)) == changed
    assert shown(http.patch(path, json={"llm": {"key_variable": ""}}))["llm"]["model"] == "llama3.2"
    assert shown(http.get("/agents"))[0]["llm"]["base_url"] == given["base_url"]
    entry = AuditEntry.objects.about("agent", made["id"])[1]
    assert entry.after == {f"llm_{name}": value for name, value in given.items()}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("key_variable", OWN),
        ("key_variable", "HOME"),
        ("key_variable", "PARLANT_SECRET_KEY"),
        ("key_variable", "PARLANT_LLM_API_KEY_"),
        ("base_url", f"https://user:{OWN}@example.com/v1"),
        ("base_url", f"https://example.com/v1?key={OWN}"),
        ("base_url", "file:///etc/passwd"),
        ("base_url", "http://"),
        ("base_url", "http://a b/"),
        ("base_url", "http://example.com:99999/"),
        ("model", "x" * 201),
        ("api_key", OWN),
        ("key", OWN),
    ],
)
def test_what_may_be_a_key_is_refused_and_not_repeated(http: httpx.Client, field: str, value: str) -> None:
    agent = Agent.create(name="Iris")
    for answer in (
        http.post("/agents", json={"name": "Iris", "llm": {field: value}}),
        http.patch(f"/agents/{agent.pk}", json={"llm": {field: value}}),
    ):
        invalid(answer, ["body", "llm", field])
        assert OWN not in answer.text
    answer = http.patch(f"/agents/{agent.pk}", json={"llm": OWN})
    invalid(answer, ["body", "llm"])
    assert OWN not in answer.text


def test_who_may_not_view_agents_does_not_see_their_servers(production_server: Server) -> None:
    agent = Agent.create(name="Iris", llm_base_url="http://model.internal/v1")
    answer = httpx.get(f"{production_server.url}/agents/{agent.pk}")
    assert shown(answer)["llm"] is None
    with as_role(production_server, "Viewer") as http:
        assert shown(http.get(f"/agents/{agent.pk}"))["llm"]["base_url"] == "http://model.internal/v1"


def test_the_console_offers_the_variables_that_are_set(admin_client: Client, keys: None) -> None:
    agent = Agent.create(name="Iris", llm_key_variable="PARLANT_LLM_API_KEY_GONE")
    url = f"/admin/sessions_app/agent/{agent.pk}/change/"
    page = admin_client.get(url).content.decode()
    assert f'<option value="{VARIABLE}">' in page
    assert "PARLANT_LLM_API_KEY_GONE (not set here)" in page
    sent = {
        "name": "Iris", "max_engine_iterations": 3, "composition_mode": "fluid", "message_output_mode": "block",
        "responder": "llm", "llm_model": "m", "llm_base_url": "http://127.0.0.1:1/v1", "llm_key_variable": VARIABLE,
    }  # fmt: skip
    assert admin_client.post(url, sent).status_code == 302
    agent.refresh_from_db()
    assert (agent.llm_model, agent.llm_base_url, agent.llm_key_variable) == ("m", "http://127.0.0.1:1/v1", VARIABLE)
    for wrong in ({"llm_base_url": "http://me:secret@x/v1"}, {"llm_key_variable": OWN}):
        answer = admin_client.post(url, {**sent, **wrong})
        assert answer.status_code == 200
        assert set(answer.context["adminform"].form.errors) == set(wrong)
        assert OWN not in answer.content.decode()
