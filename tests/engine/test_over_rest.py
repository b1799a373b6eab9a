"""Agents as callers of the API meet them, in a real server process that runs them."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from parlant.client import ParlantClient

from tests.processes import Server, database_url, serve


@pytest.fixture
def replying(database: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server in whose process agents reply."""
    home = str(tmp_path_factory.mktemp("home"))
    with serve(PARLANT_HOME=home, PARLANT_DATABASE_URL=database_url(), PARLANT_LOG_LEVEL="WARNING") as server:
        yield server


def test_agents_answer_greet_and_say_what_they_are_told(replying: Server) -> None:
    client = ParlantClient(base_url=replying.url)
    agent = client.agents.create(name="Iris")
    session = client.sessions.create(agent_id=agent.id, allow_greeting=True)
    (greeting,) = client.sessions.list_events(session.id, kinds="message", wait_for_data=20)
    assert greeting.data["message"] == "Hello! I am Iris. How can I help you?"
    asked = client.sessions.create_event(session.id, kind="message", source="customer", message="Thank you")
    (answered,) = client.sessions.list_events(
        session.id, kinds="message", source="ai_agent", min_offset=asked.offset, wait_for_data=20
    )
    assert (answered.data["message"], answered.trace_id) == ("You're welcome!", asked.trace_id)
    begun = client.sessions.create_event(session.id, kind="message", source="ai_agent")
    assert begun.data == {"status": "acknowledged", "data": {}}
    body = {"kind": "message", "source": "ai_agent", "guidelines": [{"action": "Wait", "rationale": "buy_time"}]}
    said = httpx.post(f"{replying.url}/sessions/{session.id}/events", json=body, timeout=30)
    assert said.status_code == 201
    assert said.json()["data"]["message"] == "One moment, please. I am looking into it."
