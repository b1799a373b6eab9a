"""Which conversations a customer of the demo had, and when."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from customers.models import GUEST_ID, Customer
from parlant_site.common.ids import make_id
from parlant_site.demo.customers import EPOCH_MS, Profile
from parlant_site.demo.people import OPERATORS
from parlant_site.demo.scripts import Script, scripts
from parlant_site.demo.timelines import Timeline
from sessions_app.models import Agent, Session

# The first customers play fixed parts, so that the smallest demo shows every shape: (script, days back).
CAST = (
    ("waiting_human", 0), ("waiting_claim", 0), ("angry", 0), ("double_booking", 0), ("waiting_refund", 0),
    ("migration", 1), ("refund", 2), ("cancel", 0), ("payout", 0), ("ar_payment", 3), ("ja_link", 2), ("api", 4),
    ("cancel_saved", 5), ("de_calendar", 0), ("he_calendar", 6), ("upgrade", 2), ("invoice", 9), ("hello", 0),
)  # fmt: skip
LONG_EVERY = 400
GUEST_EVERY = 25
HOURS = range(6, 21)


def timelines(person: Profile, customer: Customer, agents: Mapping[str, Agent], anchor: datetime) -> Iterator[Timeline]:
    """Answer the sessions of a customer, oldest first and one after the other; none reaches beyond the anchor."""
    days = person.age.days
    if person.number % LONG_EVERY == 5:
        yield _long(person, customer, agents, anchor)
    elif person.number < len(CAST):
        key, back = CAST[person.number]
        yield _one(person, customer, agents, anchor, scripts()[key], back)
    else:
        count = person.random.choices((0, 1, 2, 4, 9), weights=(34, 40, 16, 8, 2))[0]
        # One a day at most, and yesterday's before the evening: sessions of one customer never overlap.
        for back in sorted(person.random.sample(range(days), min(count, days)), reverse=True):
            yield _one(person, customer, agents, anchor, _script(person, back), back)
    if person.number % GUEST_EVERY == 7:
        guest = Customer(id=GUEST_ID, name="Guest")
        script = scripts()[person.random.choice(("hello", "question", "password", "api"))]
        yield _one(person, guest, agents, anchor, script, person.random.randint(0, 300))


def _script(person: Profile, back: int) -> Script:
    every = scripts().values()
    if back == 0 and person.random.random() < 0.4:
        return person.random.choice([script for script in every if script.waits])
    closed = [script for script in every if not script.waits]
    native = [script for script in closed if script.language == person.region.language]
    if native and person.random.random() < 0.7:
        return person.random.choice(native)
    return person.random.choice([script for script in closed if script.language == "en"])


def _one(
    person: Profile, customer: Customer, agents: Mapping[str, Agent], anchor: datetime, script: Script, back: int
) -> Timeline:
    random = person.random
    if back:
        midnight = anchor.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=back)
        start = midnight + timedelta(
            hours=random.choice(HOURS[:12] if back == 1 else HOURS), seconds=random.randint(0, 3599)
        )
    else:
        start = anchor - timedelta(minutes=random.randint(4, 170))
    timeline = _open(person, customer, agents[script.agent], max(start, person.creation_utc), script)
    timeline.play(script)
    timeline.shift_before(anchor)
    return timeline


def _long(person: Profile, customer: Customer, agents: Mapping[str, Agent], anchor: datetime) -> Timeline:
    """Answer a customer's one session to which she comes back for weeks, with hundreds of events."""
    first = scripts()["migration"]
    timeline = _open(person, customer, agents[first.agent], anchor - timedelta(days=24), first)
    timeline.play(first)
    closed = [script for script in scripts().values() if not script.waits and script.language == "en"]
    for _ in range(24):
        timeline.clock += timedelta(hours=person.random.randint(5, 30))
        timeline.play(person.random.choice(closed))
    timeline.shift_before(anchor)
    return timeline


def _open(person: Profile, customer: Customer, agent: Agent, start: datetime, script: Script) -> Timeline:
    random = person.random
    operator = random.choice(OPERATORS)
    facts = {
        "first": person.name.split()[-1 if person.region.language == "ja" else 0] if not customer.is_guest else "there",
        "company": person.metadata.get("company", "your house"),
        "plan": person.metadata.get("plan", "free"),
        "rooms": person.metadata.get("rooms", "").strip("~") or "12",
        "email": person.metadata.get("email", "your address"),
        "room": random.randint(1, 24),
        "ref": f"LS-{random.randint(10_000, 99_999)}",
        "amount": random.randint(49, 900),
        "soon": (start + timedelta(days=2)).strftime("%d %b"),
        "operator": operator.split()[0],
    }
    facts["rooms"] = facts["rooms"] if str(facts["rooms"]).isdecimal() else "12"
    metadata = {} if customer.is_guest else person.metadata
    channel = random.choice(("web", "web", "web", "app", "email"))
    session = Session(
        id=make_id(EPOCH_MS, random.getrandbits(64)),
        creation_utc=start,
        agent=agent,
        agent_ref=agent.pk,
        customer=customer,
        customer_ref=customer.pk,
        title=script.title.safe_substitute(facts) if script.title else None,
        metadata={"channel": channel} | ({"csat": random.randint(3, 5)} if random.random() < 0.2 else {}),
    )
    return Timeline(session, script.labels, agent, customer.name, metadata, facts, operator, random, start)
