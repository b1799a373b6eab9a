"""Agents that reply in a thread of the test's own process, and what tests ask of a timeline."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from customers.models import Customer
from sessions_app.engine.runner import Runner
from sessions_app.models import Agent, Session
from tests.engine.workers import Nursery, nursery

LIMIT = 45.0


class Agents:
    """A runner on an event loop of its own."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.runner = Runner()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def start(self) -> None:
        """Begin to reply."""
        self._call(self.runner.start())

    def stop(self) -> None:
        """Reply no longer."""
        self._call(self.runner.stop())

    def close(self) -> None:
        """End the thread."""
        self.stop()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(10)
        self.loop.close()

    def _call(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self.loop).result(LIMIT)


@pytest.fixture
def idle_agents(database: None) -> Iterator[Agents]:
    """Agents that do not reply until the test starts them."""
    agents = Agents()
    yield agents
    agents.close()


@pytest.fixture
def agents(idle_agents: Agents) -> Agents:
    """Agents that reply."""
    idle_agents.start()
    return idle_agents


@pytest.fixture(scope="session")
def _workers(django_db_setup: None) -> Iterator[Nursery]:
    with nursery() as found:
        yield found


@pytest.fixture
def workers(database: None, _workers: Nursery) -> Iterator[Nursery]:
    """Processes in which agents reply; those that still run afterwards are killed."""
    yield _workers
    _workers.kill_all()


@pytest.fixture
def session(database: None) -> Session:
    """A session of Alice with the agent Iris."""
    alice = Customer.register(name="Alice Smith", metadata={"location": "USA"})
    return Session.open(agent=Agent.create(name="Iris"), customer=alice)


def shapes(session: Session, trace_id: str | None = None) -> list[str]:
    """Answer the events in short: `customer: text`, `acknowledged`, `tool`, `ai_agent: text`, `custom`."""
    found = session.events.filter(deleted=False).order_by("offset")
    return [_shape(event) for event in (found.filter(trace_id=trace_id) if trace_id else found)]


def _shape(event: Any) -> str:
    if event.kind == "status":
        return str(event.data["status"])
    return f"{event.source}: {event.data['message']}" if event.kind == "message" else str(event.kind)


def wait_for(condition: Callable[[], Any], limit: float = LIMIT) -> Any:
    """Answer what the condition answers as soon as that is true."""
    deadline = time.monotonic() + limit
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError("what was waited for did not come")
        time.sleep(0.01)
    return found


def wait_until_ready(session: Session, trace_id: str) -> list[str]:
    """Wait for the end of the reply under a trace, and answer its events in short."""
    return wait_for(lambda: (said := shapes(session, trace_id)) and said[-1] == "ready" and said)
