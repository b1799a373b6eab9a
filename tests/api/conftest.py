"""What the tests of the REST API share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from customers.models import Customer
from sessions_app.models import Agent, Session


@pytest.fixture
def agent(database: None) -> Agent:
    """An agent."""
    return Agent.create(name="Iris")


@pytest.fixture
def session(agent: Agent) -> Session:
    """A session of the guest with the agent."""
    return Session.open(agent=agent, customer=Customer.guest())


@pytest.fixture
def events(session: Session) -> str:
    """The path of the session's events."""
    return f"/sessions/{session.pk}/events"


@pytest.fixture
def post(http: httpx.Client, events: str) -> Callable[..., httpx.Response]:
    """Post an event into the session: a customer's message unless told otherwise."""

    def post(**body: Any) -> httpx.Response:
        return http.post(events, json={"kind": "message", "source": "customer", **body})

    return post
