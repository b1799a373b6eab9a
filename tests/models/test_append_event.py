"""Offsets: from 0, without gaps and duplicates, under any number of writers; what is refused takes none."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from customers.models import Customer
from parlant_site.common.errors import NotFound
from sessions_app.events import Kind, Source
from sessions_app.models import Agent, Event, Session
from tests.processes import ROOT, clean_environment, database_url

THREADS, EACH = 16, 50


def sessions(number: int) -> list[Session]:
    """Open sessions of one customer."""
    agent, alice = Agent.create(name="Iris"), Customer.register(name="Alice")
    return [Session.open(agent=agent, customer=alice) for _ in range(number)]


def say(session: Session, text: str = "Hi", source: Source = Source.CUSTOMER) -> Event:
    """Append a message."""
    return session.append_event(kind=Kind.MESSAGE, source=source, data={"message": text})


def in_threads(work: Callable[[int], Any]) -> list[Any]:
    """Run work(0) to work(15) at once, each in a thread with a connection of its own."""

    def run(number: int) -> Any:
        try:
            return work(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(THREADS) as threads:
        return list(threads.map(run, range(THREADS)))


def check_offsets(rows: list[Session], total: int) -> None:
    """Check that the sessions' events are numbered 0, 1, 2... and that everything kept about them is counted right."""
    for session in rows:
        session.refresh_from_db()
        offsets = list(session.events.order_by("offset").values_list("offset", flat=True))
        assert offsets == list(range(session.next_offset))
        assert session.customer_message_count == len(offsets)
    assert sum(session.next_offset for session in rows) == total
    customer = rows[0].customer
    assert customer is not None
    customer.refresh_from_db()
    assert customer.customer_message_count == total


@pytest.mark.parametrize("number", [1, 10])
def test_threads_append_at_once(database: None, number: int) -> None:
    rows = sessions(number)

    def write(thread: int) -> list[tuple[str, int]]:
        events = [say(rows[(thread + place) % number], f"{thread} {place}") for place in range(EACH)]
        return [(event.session_id, event.offset) for event in events]

    answered = [pair for pairs in in_threads(write) for pair in pairs]
    assert max(Counter(answered).values()) == 1, "two callers were told the same offset"
    check_offsets(rows, THREADS * EACH)


WRITER = """
import sys, django
django.setup()
from sessions_app.models import Session
rows = [Session.objects.get(pk=key) for key in sys.argv[1:]]
print("ready", flush=True)
sys.stdin.readline()
for place in range(100):
    event = rows[place % len(rows)].append_event(kind="message", source="customer", data={"message": "Hi"})
    print(event.session_id, event.offset)
"""


def test_processes_append_at_once(database: None) -> None:
    rows = sessions(3)
    environment = clean_environment(
        DJANGO_SETTINGS_MODULE="parlant_site.settings", PARLANT_DATABASE_URL=database_url(), PYTHONPATH=str(ROOT)
    )
    command = [sys.executable, "-c", WRITER, *(row.pk for row in rows)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    writers = [subprocess.Popen(command, cwd=ROOT, env=environment, text=True, **pipes) for _ in range(4)]  # type: ignore[call-overload]
    try:
        for writer in writers:
            assert writer.stdout.readline() == "ready\n", writer.stderr.read()
        for writer in writers:
            writer.stdin.write("go\n")
            writer.stdin.flush()
        outputs = [writer.communicate(timeout=60) for writer in writers]
    finally:
        for writer in writers:
            writer.kill()
            writer.wait()
    for output, complaint in outputs:
        assert "Traceback" not in complaint, complaint
        assert len(output.splitlines()) == 100
    answered = [line for output, _ in outputs for line in output.splitlines()]
    assert len(set(answered)) == 400
    check_offsets(rows, 400)


def test_appending_deleting_and_reading_at_once_loses_nothing(database: None) -> None:
    """Deletion from an offset and appends to the same session do not deadlock."""
    rows = sessions(2)
    agent, alice = rows[0].agent, rows[0].customer
    assert agent is not None
    assert alice is not None

    def work(number: int) -> int:
        for place in range(15):
            if number == 0:
                rows[0].delete_events_from(place)
            elif number == 1:
                Session.open(agent=agent, customer=alice).remove()
            elif number == 2:
                rows[1].amend(mode="manual" if place % 2 == 0 else "auto", upsert_labels=[f"{place}"])
            else:
                say(rows[number % 2])
        return 15

    in_threads(work)
    for session in rows:
        session.refresh_from_db()
        assert list(session.events.order_by("offset").values_list("offset", flat=True)) == list(
            range(session.next_offset)
        )
        assert session.customer_message_count == session.events.filter(deleted=False).count()
    alice.refresh_from_db()
    assert alice.customer_message_count == sum(session.customer_message_count for session in rows)
    assert (alice.session_count, alice.manual_session_count) == (2, 1)


@pytest.mark.django_db(transaction=False)
def test_a_refused_event_takes_no_offset() -> None:
    (session,) = sessions(1)
    bad: list[dict[str, Any]] = [{"kind": "shout"}, {"source": "nobody"}]
    for wrong in bad:
        with pytest.raises((IntegrityError, ValueError)), transaction.atomic():
            session.append_event(**{"kind": Kind.CUSTOM, "source": Source.SYSTEM, "data": {}, **wrong})
    with pytest.raises(TypeError):
        session.append_event(kind=Kind.CUSTOM, source=Source.SYSTEM, data={"a": object()})  # type: ignore[dict-item]
    session.refresh_from_db()
    assert session.next_offset == 0
    assert say(session).offset == 0


@pytest.mark.django_db
def test_appending_to_a_session_that_is_gone_is_refused() -> None:
    (session,) = sessions(1)
    Session.objects.get(pk=session.pk).remove()
    with pytest.raises(NotFound, match=session.pk):
        say(session)
    assert not Event.objects.exists()


@pytest.mark.django_db
def test_an_append_costs_the_same_statements_however_long_the_session_is() -> None:
    short, long = sessions(2)

    def statements(session: Session) -> list[str]:
        with CaptureQueriesContext(connection) as captured:
            say(session)
        return [re.sub(r'".*?"|[\d_]+', "", query["sql"])[:40] for query in captured]

    first = statements(short)
    assert len(first) <= (1 if connection.vendor == "postgresql" else 5)
    for place in range(300):
        say(long, str(place))
    assert statements(long) == first


@pytest.mark.django_db
def test_an_append_and_a_read_of_what_is_new_use_an_index() -> None:
    """Neither looks at events that were there before: the plan names the index on (session, offset) and no scan."""
    (session,) = sessions(1)
    for place in range(200):
        say(session, str(place))
    new = Event.objects.filter(session_id=session.pk, offset__gte=199, deleted=False).order_by("offset")
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("ANALYZE sessions_app_event")
            cursor.execute("SET LOCAL enable_seqscan = off")
    plan = new.explain().lower()
    assert "index" in plan
    assert "scan sessions_app_event" not in plan
    assert "temp b-tree" not in plan
    assert "sort" not in plan


def test_a_set_of_sessions_goes_in_a_number_of_statements_that_does_not_depend_on_it(db: None) -> None:
    counted = []
    for number in (3, 60):
        rows = sessions(number)
        for session in rows:
            say(session)
        with CaptureQueriesContext(connection) as captured:
            assert Session.objects.filter(pk__in=[row.pk for row in rows]).remove() == number
        counted.append(len(captured))
        alice = rows[0].customer
        assert alice is not None
        alice.refresh_from_db()
        assert (alice.session_count, alice.customer_message_count, alice.last_message_source) == (0, 0, "")
    assert counted[0] == counted[1] < 20
    assert not Event.objects.exists()


def test_ten_thousand_sessions_go_all_or_nothing(db: None) -> None:
    agent, alice = Agent.create(name="Iris"), Customer.register(name="Alice")
    kept = Session.open(agent=agent, customer=Customer.guest())
    Session.objects.bulk_create(
        Session(agent=agent, agent_ref=agent.pk, customer=alice, customer_ref=alice.pk) for _ in range(10_000)
    )
    with CaptureQueriesContext(connection) as captured:
        assert Session.objects.of_customer(alice.pk).remove() == 10_000
    assert len(captured) < 300
    assert Session.objects.get() == kept
