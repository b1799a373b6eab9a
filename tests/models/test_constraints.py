"""The database itself refuses rows that must not be, whoever writes them and however."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import DatabaseError, transaction
from django.db.models import Model

from customers.models import Customer, CustomerTag
from sessions_app.models import Agent, AgentTag, Event, Session, SessionLabel
from tags.models import Tag

pytestmark = pytest.mark.django_db


@pytest.fixture
def known() -> dict[str, Any]:
    """Rows that others refer to."""
    agent, alice, tag = (
        Agent.create(id="iris", name="Iris"),
        Customer.register(id="alice", name="Alice"),
        Tag.add(name="VIP"),
    )
    session = Session.open(agent=agent, customer=alice, labels=["x"])
    event = session.append_event(kind="custom", source="system", data=1)  # type: ignore[arg-type]
    CustomerTag.objects.create(customer=alice, tag=tag)
    AgentTag.objects.create(agent=agent, tag=tag)
    return {"agent": agent, "alice": alice, "tag": tag, "session": session, "event": event}


def event(**fields: Any) -> dict[str, Any]:
    """Answer the fields of an event."""
    return {
        "session": "session",
        "offset": 9,
        "kind": "custom",
        "source": "system",
        "trace_id": "t",
        "data": 1,
        **fields,
    }


def session(**fields: Any) -> dict[str, Any]:
    """Answer the fields of a session."""
    return {"agent": "agent", "agent_ref": "iris", "customer": "alice", "customer_ref": "alice", **fields}


BAD: list[tuple[type[Model], dict[str, Any]]] = [
    (Tag, {"name": ""}),
    (Tag, {"name": "x" * 51}),
    (Tag, {"name": "VIP"}),
    (Customer, {"name": ""}),
    (Customer, {"name": "x" * 101}),
    (Customer, {"name": "A", "id": ""}),
    (Customer, {"name": "A", "id": "alice"}),
    (Customer, {"name": "A", "id": "guest"}),
    (Customer, {"name": "A", "session_count": -1}),
    (Customer, {"name": "A", "customer_message_count": -1}),
    (CustomerTag, {"customer": "alice", "tag": "tag"}),
    (Agent, {"name": ""}),
    (Agent, {"name": "x" * 101}),
    (Agent, {"name": "A", "id": "iris"}),
    (Agent, {"name": "A", "id": ""}),
    (Agent, {"name": "A", "max_engine_iterations": 0}),
    (Agent, {"name": "A", "composition_mode": "loose"}),
    (Agent, {"name": "A", "message_output_mode": "drip"}),
    (AgentTag, {"agent": "agent", "tag": "tag"}),
    (Session, session(mode="robot")),
    (Session, session(title="x" * 201)),
    (Session, session(client_offset=-1)),
    (Session, session(next_offset=-1)),
    (SessionLabel, {"session": "session", "label": "x"}),
    (SessionLabel, {"session": "session", "label": "x" * 201}),
    (Event, event(offset=0)),
    (Event, event(offset=-1)),
    (Event, event(kind="shout")),
    (Event, event(source="nobody")),
    (Event, event(offset=None)),
    (Event, event(trace_id=None)),
]


@pytest.mark.parametrize(("model", "fields"), BAD, ids=lambda part: str(part)[:60])
def test_a_bad_row_is_refused(known: dict[str, Any], model: type[Model], fields: dict[str, Any]) -> None:
    row = model(**{name: known.get(value, value) if name in RELATIONS else value for name, value in fields.items()})
    before = model._default_manager.count()
    with pytest.raises(DatabaseError), transaction.atomic():
        model._default_manager.bulk_create([row])
    assert model._default_manager.count() == before


RELATIONS = {"session", "agent", "customer", "tag"}


def test_good_rows_are_not(known: dict[str, Any]) -> None:
    Event.objects.bulk_create([Event(**{**event(), "session": known["session"]})])
    Tag.objects.bulk_create([Tag(name="🦊" * 50)])
    Customer.objects.bulk_create([Customer(name="🦊" * 100)])
    Session.objects.bulk_create([Session(agent_ref="gone", customer_ref="gone", title="🦊" * 200)])


def test_ids_are_short_url_safe_time_ordered_and_not_guessed() -> None:
    import re
    import time

    from parlant_site.common.ids import new_id

    made = []
    for _ in range(50):
        made.append(new_id())
        time.sleep(0.0011)  # the next millisecond
    assert made == sorted(made)
    assert len({new_id() for _ in range(10_000)}) == 10_000
    assert all(re.fullmatch(r"[0-9A-Za-z]{18}", key) for key in made)
    assert len({key[7:] for key in made}) == 50
