"""manage.py seed_demo: believable, the same every time, and consistent with what appending keeps."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db.models import Count, Max, Min, Q

from customers.models import GUEST_ID, Customer
from parlant_site.demo.answers import answers
from parlant_site.demo.scripts import scripts
from sessions_app.engine import templates
from sessions_app.events import Kind, Mode, Purpose, Source
from sessions_app.models import CannedResponse, Event, Session

AS_OF = "2026-05-01T12:00:00Z"
pytestmark = pytest.mark.django_db


def seed(customers: int, as_of: str = AS_OF) -> str:
    """Run the command and answer what it says."""
    out = StringIO()
    call_command("seed_demo", customers=customers, as_of=as_of, stdout=out, stderr=StringIO(), verbosity=0)
    return out.getvalue()


@pytest.mark.one_database
def test_it_writes_the_same_every_time() -> None:
    seed(60)
    first = list(Event.objects.order_by("id").values("id", "session_id", "offset", "data", "trace_id", "creation_utc"))
    people = list(Customer.objects.values("id", "name", "metadata", "creation_utc").exclude(pk=GUEST_ID))
    for session in Session.objects.all():
        session.remove()
    Customer.objects.exclude(pk=GUEST_ID).delete()
    seed(60)
    assert people == list(Customer.objects.values("id", "name", "metadata", "creation_utc").exclude(pk=GUEST_ID))
    assert first == list(
        Event.objects.order_by("id").values("id", "session_id", "offset", "data", "trace_id", "creation_utc")
    )


def test_ids_do_not_depend_on_the_day() -> None:
    seed(40)
    ids = set(Customer.objects.values_list("pk", flat=True))
    assert "nothing was written" in seed(40, as_of="2026-08-09T03:00:00Z")
    assert set(Customer.objects.values_list("pk", flat=True)) == ids


def test_a_second_run_writes_nothing_and_a_larger_one_adds() -> None:
    assert "Wrote 30 customers" in seed(30)
    before = Session.objects.count(), Event.objects.count()
    assert seed(30) == "The demo is there already, with 30 customers: nothing was written.\n"
    assert (Session.objects.count(), Event.objects.count()) == before
    assert "Wrote 20 customers" in seed(50)
    assert Customer.objects.exclude(pk=GUEST_ID).count() == 50


def test_who_was_deleted_stays_deleted() -> None:
    seed(30)
    Customer.objects.exclude(pk=GUEST_ID).order_by("id")[3].remove()
    assert "nothing was written" in seed(30)


@pytest.mark.parametrize("customers", [0, -5, 10**9])
def test_a_silly_number_is_refused(customers: int) -> None:
    with pytest.raises(CommandError, match="--customers must be between"):
        seed(customers)


def test_a_silly_instant_is_refused() -> None:
    with pytest.raises(CommandError, match="is not a date and time"):
        seed(1, as_of="next week")


def test_every_shape_is_there_however_small_the_demo() -> None:
    seed(40)
    waiting = Session.objects.filter(waiting_since__isnull=False)
    assert waiting.exists()
    assert all(session.mode == Mode.MANUAL for session in waiting), "an agent would answer old messages at the start"
    assert Session.objects.filter(mode=Mode.MANUAL, human_message_count__gt=0).exists()
    assert Session.objects.filter(mode=Mode.AUTO, ai_message_count__gt=0).exists()
    assert Session.objects.filter(customer_id=GUEST_ID).exists()
    assert Session.objects.filter(next_offset__gt=300).exists()
    assert {Kind(kind) for kind in Event.objects.values_list("kind", flat=True).distinct()} == set(Kind)
    assert {Source(source) for source in Event.objects.values_list("source", flat=True).distinct()} == set(Source)
    statuses = set(Event.objects.filter(kind=Kind.STATUS).values_list("data__status", flat=True))
    assert statuses >= {"acknowledged", "processing", "typing", "ready", "cancelled", "error"}


def test_what_is_kept_agrees_with_the_events() -> None:
    """Recomputed from nothing but the events."""
    seed(150)
    for session in Session.objects.prefetch_related("events"):
        events = sorted(session.events.all(), key=lambda event: event.offset)
        messages = [event for event in events if event.kind == Kind.MESSAGE]
        assert [event.offset for event in events] == list(range(session.next_offset))
        assert [e.creation_utc for e in events] == sorted(e.creation_utc for e in events)
        assert session.creation_utc <= events[0].creation_utc
        assert session.last_event_utc == events[-1].creation_utc
        assert session.last_message_utc == messages[-1].creation_utc
        assert session.last_message_source == messages[-1].source
        waits = None
        for event in messages:
            waits = (waits or event.creation_utc) if event.source == Source.CUSTOMER else None
        assert session.waiting_since == waits
        assert session.client_offset <= session.next_offset
    of_events = Event.objects.filter(kind=Kind.MESSAGE).order_by().values("session__customer_id")
    counted = {
        row["session__customer_id"]: row
        for row in of_events.annotate(
            customer=Count("pk", filter=Q(source=Source.CUSTOMER)),
            ai=Count("pk", filter=Q(source=Source.AI_AGENT)),
            human=Count("pk", filter=Q(source__startswith="human_agent")),
            first=Min("creation_utc", filter=Q(source=Source.CUSTOMER)),
            last=Max("creation_utc", filter=Q(source=Source.CUSTOMER)),
            newest=Max("creation_utc"),
        )
    }
    nothing = {"customer": 0, "ai": 0, "human": 0, "first": None, "last": None, "newest": None}
    for customer in Customer.objects.exclude(pk=GUEST_ID):
        row = counted.get(customer.pk, nothing)
        assert customer.customer_message_count == row["customer"]
        assert customer.ai_message_count == row["ai"]
        assert customer.human_message_count == row["human"]
        assert (customer.first_seen, customer.last_seen, customer.last_message_utc) == (
            row["first"],
            row["last"],
            row["newest"],
        )
        assert customer.session_count == customer.sessions.count()
        assert customer.manual_session_count == customer.sessions.filter(mode=Mode.MANUAL).count()


def test_each_turn_bears_the_trace_of_the_message_it_answers() -> None:
    seed(40)
    for session in Session.objects.prefetch_related("events"):
        begun: set[str] = set()
        for event in sorted(session.events.all(), key=lambda event: event.offset):
            if event.kind == Kind.MESSAGE and event.source == Source.CUSTOMER:
                begun.add(event.trace_id)
            elif event.source in (Source.AI_AGENT, Source.SYSTEM):
                assert event.trace_id in begun


def test_agents_have_answers_and_were_seen_to_give_them() -> None:
    seed(60)
    known = CannedResponse.objects.in_bulk()
    assert len(known) == len(answers()) > 25
    assert {purpose for purpose in Purpose.values if purpose not in {one.purpose for one in known.values()}} == set()
    assert any(one.tag_ids() for one in known.values())
    assert all(templates.problem_of(one.value) is None for one in known.values())
    said = Event.objects.filter(data__has_key="canned_responses")
    assert said.count() > 20
    for event in said:
        ((key, text),) = event.data["canned_responses"]
        assert event.data["message"] == text
        assert key in known
        assert "{" not in text
    first = min(known.values(), key=lambda one: one.creation_utc)
    first.remove()
    seed(61)
    assert not CannedResponse.objects.filter(pk=first.pk).exists()


def test_scripts_read_whole() -> None:
    assert len(scripts()) > 20
    assert all(script.lines for script in scripts().values())
    assert sum(script.waits for script in scripts().values()) >= 4
