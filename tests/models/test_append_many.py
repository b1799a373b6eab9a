"""Appending many at once keeps what appending one by one keeps."""

from datetime import UTC, datetime, timedelta
from random import Random

import pytest

from customers.models import Customer
from parlant_site.common.errors import NotFound
from sessions_app.appending.many import append_many
from sessions_app.events import Kind, Source
from sessions_app.models import Agent, Event, Session

START = datetime(2026, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)
SHAPES = [(Kind.MESSAGE, source) for source in Source if source.may_post(Kind.MESSAGE)] + [
    (Kind.STATUS, Source.AI_AGENT),
    (Kind.TOOL, Source.SYSTEM),
    (Kind.CUSTOM, Source.CUSTOMER_UI),
]


def drafts(random: Random, keys: list[str], number: int) -> list[dict]:
    """Answer events to be: of any shape, for any of the sessions."""
    made = []
    for place in range(number):
        kind, source = random.choice(SHAPES)
        made.append(
            {
                "key": random.choice(keys),
                "kind": kind,
                "source": source,
                "data": {"message": f"Line  {place} \n é" * random.choice((1, 60))},
                "trace_id": f"t{place}",
                "creation_utc": START + timedelta(seconds=place),
            }
        )
    return made


def world(prefix: str) -> dict[str, Session]:
    """Make three customers' sessions, the guest's, and one whose customer was deleted."""
    agent = Agent.create(name="Iris")
    ann, bob, gone = (Customer.register(name=name, id=f"{prefix}{name}") for name in ("ann", "bob", "gone"))
    who = {"a1": ann, "a2": ann, "b": bob, "guest": Customer.guest(), "gone": gone}
    sessions = {key: Session.open(agent=agent, customer=customer) for key, customer in who.items()}
    gone.remove()
    return {key: Session.objects.get(pk=session.pk) for key, session in sessions.items()}


def kept(sessions: dict[str, Session]) -> dict:
    """Answer every column of the sessions, their customers and events, but ids and creation times."""
    unlike = {"id", "creation_utc", "agent", "agent_ref", "customer", "customer_ref", "session", "name"}

    def columns(row) -> dict:
        skipped = unlike if not isinstance(row, Event) else {"id", "session"}
        return {f.name: getattr(row, f.attname) for f in row._meta.concrete_fields if f.name not in skipped}

    answer = {}
    for key, session in sessions.items():
        session.refresh_from_db()
        answer[key] = (
            columns(session),
            session.customer and columns(session.customer),
            [columns(event) for event in session.events.order_by("offset")],
        )
    return answer


@pytest.mark.django_db
@pytest.mark.parametrize("seed", range(4))
def test_many_at_once_leave_what_one_by_one_leave(seed: int) -> None:
    random = Random(seed)
    one_by_one, at_once = world("1"), world("2")
    for number in (37, 1, 25):  # several batches: the second and third go on from what is there
        batch = drafts(random, list(one_by_one), number)
        for draft in batch:
            one_by_one[draft["key"]].append_event(**{k: v for k, v in draft.items() if k != "key"})
        events = [Event(session=at_once[d["key"]], **{k: v for k, v in d.items() if k != "key"}) for d in batch]
        append_many(events)
        assert all(event.offset is not None for event in events)
    assert kept(at_once) == kept(one_by_one)
    for session in at_once.values():
        assert list(session.events.order_by("offset").values_list("offset", flat=True)) == list(
            range(session.next_offset)
        )


@pytest.mark.django_db
def test_a_missing_session_refuses_all() -> None:
    session = world("1")["a1"]
    ghost = Session(id="ghost")
    draft = {"kind": Kind.MESSAGE, "source": Source.CUSTOMER, "data": {"message": "hi"}, "trace_id": "t"}
    with pytest.raises(NotFound, match="ghost"):
        append_many([Event(session=session, **draft), Event(session=ghost, **draft)])
    session.refresh_from_db()
    assert session.next_offset == 0
    assert not session.events.exists()
