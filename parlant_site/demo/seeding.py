"""Writing the demo: some customers with all that is theirs in each transaction; what is there already is left alone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from django.db import transaction

from customers.models import Changed, Customer, CustomerTag
from parlant_site.common.ids import make_id
from parlant_site.demo.answers import write_answers
from parlant_site.demo.customers import EPOCH_MS, TAGS, Profile, id_of, profile
from parlant_site.demo.sessions import timelines
from sessions_app.appending.many import append_many
from sessions_app.events import CompositionMode, Mode
from sessions_app.models import Agent, Session, SessionLabel
from tags.models import Tag

CHUNK = 250
AGENTS = {
    "quill": ("Quill", "Answers questions of hotels about Lanternstay, day and night.", CompositionMode.FLUID),
    "ledger": ("Ledger", "Invoices, payouts and plans. Careful with money.", CompositionMode.STRICT_CANNED),
    "scout": ("Scout", "Shows new hotels around and moves their data in.", CompositionMode.CANNED_FLUID),
}


class Written(NamedTuple):
    """How much a step wrote, and how many customers it looked at."""

    looked_at: int
    customers: int = 0
    sessions: int = 0
    events: int = 0


def seed(number: int, *, anchor: datetime) -> Iterator[Written]:
    """Write the first `number` customers of the demo that are missing, step by step; times count back from the anchor.

    A step is one transaction: whoever interrupts and starts again continues where it stopped.
    """
    agents, tags = _agents(), _tags()
    write_answers(tags, anchor)
    for start in range(0, number, CHUNK):
        numbers = range(start, min(start + CHUNK, number))
        yield _write([profile(n, anchor) for n in _missing(numbers)], agents, tags, anchor, len(numbers))


def _missing(numbers: range) -> range:
    ids = {id_of(number): number for number in numbers}
    there = Customer.objects.filter(pk__in=ids).values_list("pk", flat=True)
    # Who was deleted since stays deleted: customers are written in order, so only those after the last are missing.
    return range(max((ids[key] for key in there), default=numbers.start - 1) + 1, numbers.stop)


@transaction.atomic
def _write(
    people: list[Profile], agents: dict[str, Agent], tags: dict[str, Tag], anchor: datetime, looked_at: int
) -> Written:
    customers, sessions, labels, links, events = [], [], [], [], []
    for person in people:
        customer = Customer(
            id=person.id,
            name=person.name,
            metadata=person.metadata,
            creation_utc=person.creation_utc,
            stale=sum(Changed),
        )
        customers.append(customer)
        links += [CustomerTag(customer=customer, tag=tags[name]) for name in person.tags]
        for timeline in timelines(person, customer, agents, anchor):
            session = timeline.session
            sessions.append(session)
            session.client_offset = len(timeline.events)
            if session.customer_ref == customer.pk:
                customer.session_count += 1
                customer.manual_session_count += session.mode == Mode.MANUAL
            labels += [SessionLabel(session=session, label=label) for label in timeline.labels]
            events += timeline.events
    Customer.objects.bulk_create(customers)
    CustomerTag.objects.bulk_create(links)
    Session.objects.bulk_create(sessions)
    SessionLabel.objects.bulk_create(labels)
    append_many(events)
    return Written(looked_at, len(customers), len(sessions), len(events))


def _agents() -> dict[str, Agent]:
    found = Agent.objects.in_bulk(list(AGENTS))
    for key, (name, description, mode) in AGENTS.items():
        if key not in found:
            found[key] = Agent.create(id=key, name=name, description=description, composition_mode=mode)
    return found


def _tags() -> dict[str, Tag]:
    found = {tag.name: tag for tag in Tag.objects.filter(name__in=TAGS)}
    for place, name in enumerate(TAGS):
        if name not in found:
            found[name] = Tag(id=make_id(EPOCH_MS, 7_919 * (place + 1) ** 9), name=name)
            found[name].save(force_insert=True)
    return found
