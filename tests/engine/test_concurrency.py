"""How replies share one process: so many at once, the longest waiting first, and nobody waits for another's model."""

from __future__ import annotations

import asyncio
import threading

import pytest
from pytest_django.fixtures import Settings

from sessions_app import actions
from sessions_app.engine import turn as turns
from sessions_app.engine.replies import Reply
from sessions_app.models import Agent, Session
from tests.engine.conftest import Agents, shapes, wait_for, wait_until_ready


class SlowModel:
    """Answers when it is told to, and notes who asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[str] = []
        self.is_let_go = threading.Event()
        self.at_once = 0
        self.most_at_once = 0
        monkeypatch.setattr(turns, "responder_of", lambda agent: self.respond)

    async def respond(self, turn: turns.Turn, agent: Agent) -> Reply:
        """Answer."""
        self.asked.append(turn.conversation.session.pk)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        while not self.is_let_go.is_set():
            await asyncio.sleep(0.01)
        self.at_once -= 1
        return Reply("Finally")


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> SlowModel:
    """A model that is slow for everybody."""
    return SlowModel(monkeypatch)


def opened(session: Session, count: int) -> list[Session]:
    """Open sessions like this one."""
    return [Session.open(agent=session.agent, customer=session.customer) for _ in range(count)]


def test_so_many_reply_at_once_and_who_waits_longest_comes_first(
    idle_agents: Agents, session: Session, slow: SlowModel, settings: Settings
) -> None:
    settings.PARLANT_AGENTS_CONCURRENCY = 3
    sessions = opened(session, 8)
    asked = [actions.post_customer_message(one, message="Hello") for one in reversed(sessions)]
    idle_agents.start()
    wait_for(lambda: len(slow.asked) == 3)
    # Whoever writes again and again gains no place in the queue.
    for one in (sessions[0], sessions[0]):
        asked.append(actions.post_customer_message(one, message="And?"))
    assert [shapes(one)[-1] for one in sessions[1:5]] == ["customer: Hello"] * 4
    slow.is_let_go.set()
    for event in asked[:7] + asked[-1:]:
        assert wait_until_ready(event.session, event.trace_id)[-2:] == ["ai_agent: Finally", "ready"]
    assert slow.most_at_once == 3
    assert set(slow.asked[:3]) == {one.pk for one in sessions[5:]}
    assert set(slow.asked[3:6]) == {one.pk for one in sessions[2:5]}


def test_a_slow_session_delays_no_other(agents: Agents, session: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    async def respond(turn: turns.Turn, agent: Agent) -> Reply:
        if turn.conversation.session.pk == session.pk:
            await asyncio.sleep(600)
        return Reply("Quickly")

    monkeypatch.setattr(turns, "responder_of", lambda agent: respond)
    actions.post_customer_message(session, message="Hello")
    wait_for(lambda: shapes(session)[-1] == "processing")
    for other in opened(session, 5):
        wait_until_ready(other, actions.post_customer_message(other, message="Hello").trace_id)
    assert shapes(session)[-1] == "processing"
