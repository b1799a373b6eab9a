"""What is kept about messages equals what the events say, whatever happened in whatever order."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest

from customers.models import Customer
from sessions_app.events import Kind, Mode, Source
from sessions_app.models import Agent, Event, Session, TurnWouldBeCut

START = datetime(2026, 3, 1, 12, 0, 0, 5, tzinfo=UTC)
SHAPES = [(Kind.MESSAGE, source) for source in Source] + [(Kind.STATUS, Source.AI_AGENT), (Kind.TOOL, Source.SYSTEM)]
COUNTERS = {
    Source.CUSTOMER: "customer_message_count",
    Source.AI_AGENT: "ai_message_count",
    Source.HUMAN_AGENT: "human_message_count",
    Source.HUMAN_AGENT_ON_BEHALF_OF_AI_AGENT: "human_message_count",
}


def counts(messages: list[Event]) -> dict[str, int]:
    """Count the messages by the column that counts them."""
    found = dict.fromkeys(COUNTERS.values(), 0)
    for event in messages:
        if name := COUNTERS.get(Source(event.source)):
            found[name] += 1
    return found


def of_session(session: Session) -> dict[str, Any]:
    """Work out, from nothing but the events, what the session must say."""
    messages = [
        event for event in session.events.order_by("offset") if event.kind == Kind.MESSAGE and not event.deleted
    ]
    waiting = None
    for event in messages:
        if event.source == Source.CUSTOMER:
            waiting = waiting or event.creation_utc
        elif Source(event.source).is_agent:
            waiting = None
    last = messages[-1] if messages else None
    return {
        **counts(messages),
        "waiting_since": waiting,
        "last_message": last.data["message"] if last else "",  # type: ignore[index, call-overload]
        "last_message_source": last.source if last else "",
        "last_message_utc": last.creation_utc if last else None,
    }


def of_customer(customer: Customer) -> dict[str, Any]:
    """Work out, from nothing but the sessions and events, what the customer must say."""
    rows = list(customer.sessions.all())
    messages = [event for row in rows for event in row.events.all() if event.kind == Kind.MESSAGE and not event.deleted]
    heard = [event.creation_utc for event in messages if event.source == Source.CUSTOMER]
    last = max(messages, key=lambda event: event.creation_utc, default=None)
    return {
        **counts(messages),
        "session_count": len(rows),
        "manual_session_count": sum(row.mode == Mode.MANUAL for row in rows),
        "first_seen": min(heard, default=None),
        "last_seen": max(heard, default=None),
        "last_message_source": last.source if last else "",
        "last_message_utc": last.creation_utc if last else None,
    }


def check() -> None:
    """Compare everything that is kept with what the events say."""
    for session in Session.objects.all():
        wanted = of_session(session)
        assert {name: getattr(session, name) for name in wanted} == wanted
        assert list(session.events.order_by("offset").values_list("offset", flat=True)) == list(
            range(session.next_offset)
        )
    for customer in Customer.objects.exclude(pk="guest"):
        wanted = of_customer(customer)
        assert {name: getattr(customer, name) for name in wanted} == wanted
    guest = Customer.guest()
    assert (guest.session_count, guest.customer_message_count, guest.last_seen) == (0, 0, None)


@pytest.mark.django_db
@pytest.mark.parametrize("seed", range(12))
def test_what_is_kept_equals_recomputation_after_anything(seed: int) -> None:
    random = Random(seed)
    agent = Agent.create(name="Iris")
    for name in "abc":
        Customer.register(name=name, id=name)
    moments = [START + timedelta(seconds=place * 7, microseconds=place) for place in range(400)]
    if seed % 2:  # clocks differ, and imports append what happened long ago
        random.shuffle(moments)
    for place in range(90):
        rows = list(Session.objects.order_by("creation_utc", "id"))
        people = list(Customer.objects.order_by("id"))
        session = random.choice(rows) if rows else None
        match random.choices(range(7), (40, 6, 8, 6, 4, 2, 1))[0] if session else 1:
            case 0:
                assert session
                kind, source = random.choice(SHAPES)
                trace = random.choice(["t1", "t2", None])
                data = {"message": f"m{place}"}
                session.append_event(kind=kind, source=source, data=data, trace_id=trace, creation_utc=moments.pop())
            case 1:
                Session.open(agent=agent, customer=random.choice(people))
            case 2:
                assert session
                with suppress(TurnWouldBeCut):
                    session.delete_events_from(random.randrange(session.next_offset + 1))
            case 3:
                assert session
                changes = {"mode": random.choice(list(Mode)), "customer": random.choice(people), "title": "x"}
                session.amend(**{name: changes[name] for name in random.sample(sorted(changes), random.randint(1, 3))})
            case 4:
                assert session
                session.remove()
            case 5:
                Session.objects.filter(customer=random.choice(people)).remove()
            case 6:
                person = random.choice(people)
                if not person.is_guest:
                    person.remove()
                    Customer.register(name=person.name, id=person.pk)
        if place % 10 == 9:
            check()
    check()
