"""Random rules and nasty customers."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from customers.models import Customer, CustomerTag, Segment, SegmentMember
from customers.rules.fields import FIELDS, SOURCES, Kind, field_named
from customers.rules.operators import OPERATORS, Shape, operators_of
from customers.rules.tree import Group, Leaf
from sessions_app.models import Agent, Session
from tags.models import Tag

NOW = datetime(2026, 3, 29, 12, 30, 15, 123456, tzinfo=UTC)  # the day on which clocks change in Europe
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Pacific/Kiritimati", "Pacific/Pago_Pago"]

KEYS = [
    "mrr",
    "plan",
    "a.b",
    'quo"te',
    "per%cent",
    "%s",
    "dol$lar",
    "sp ace",
    "",
    "é",
    "it's",
    "back\\slash",
    "[0]",
    "😀",
]
NUMBERS = [
    "0",
    "1",
    "-1",
    "950",
    "950.0",
    "9.5e2",
    "1e9",
    "1E-3",
    ".5",
    "7.",
    "+7",
    "007",
    "123.457",
    "0.1",
    "1e99",
    "-0",
    "1234567890123456789012345678",
    "0.30000000000000004",
    "9" * 64,
]
NOT_NUMBERS = [
    "",
    "null",
    "NaN",
    "Infinity",
    "-inf",
    " 7 ",
    "7\n",
    "0x10",
    "١٢",
    "1_000",
    "1,000",
    "1e999",
    "1e100",
    "--1",
    "1.2.3",
    "e5",
    ".",
    "9" * 65,
]
DATES = [
    "2026-03-29",
    "2026-03-28",
    "2026-03-30",
    "2026-03-22",
    "2026-02-28",
    "2024-02-29",
    "2026-02-29",
    "1900-02-29",
    "2000-02-29",
    "2026-13-01",
    "2026-04-31",
    "0999-01-01",
    "9999-12-31",
    "1000-01-01",
    "2026-3-1",
    "2026-03-29T02:30",
    "2026-03-29T12:30:15.123456Z",
    "2026-03-29T12:30:15.123457Z",
    "2026-03-22T12:30:15.123456+00:00",
    "2026-03-29 00:00:00",
    "2026-03-29T00:00:00+14:00",
    "2026-03-28T23:59:59.999999-11:00",
    "9999-12-31T23:59:59-14:59",
    "2026-03-29T24:00:00",
    "2026-03-29T12:60",
    "2026-03-29T12:30:15z",
    "2026-03-29T12:30:15+15:00",
    "2026-03-29\n",
    "2026-03-01T00:00:00.1Z",
    "2026-01-01",
    "2025-12-31",
    "2025-03-29",
    "20260329",
    "1000-01-01T00:00:00+14:00",
]
TEXTS = [
    "a",
    "A",
    "abc",
    "ABC",
    "xabcx",
    "é",
    "É",
    "ß",
    "İ",
    "😀",
    "e\u0301",
    "%",
    "_",
    "a%c",
    "'; --",
    '"',
    "\\",
    "x\ny",
    "true",
    "True",
    "tRUE",
    "false",
    "FALSE",
    "yes",
    "x" * 10_000,
    " ",
    "pro",
    "enterprise",
]
VALUES = NUMBERS + NOT_NUMBERS + DATES + TEXTS
PATTERNS = [
    "a",
    "^a",
    "c$",
    "(?i)ABC",
    "[a-c]{2,3}",
    "^.$",
    "^[^a]+$",
    r"\d+\.\d",
    r"^\s",
    "a|é",
    r"\\",
    "(?:ab|x)+c?",
    "^(?:a*)*b",
    "[é-ü]",
    r"[\]\-%]",
    "😀",
    "^x.y$",
    r"\D\w\S",
]
MOMENTS = [
    NOW - timedelta(days=7),
    NOW - timedelta(days=7, microseconds=1),
    NOW,
    NOW + timedelta(days=1),
    NOW - timedelta(hours=13),
    NOW - timedelta(days=30),
    NOW - timedelta(days=400),
    datetime(2026, 3, 29, tzinfo=UTC),
    datetime(2026, 3, 28, 23, tzinfo=UTC),
]
TAG_IDS = ["t1", "t2", "t3"]
SEGMENT_IDS = ["s1", "s2"]


def make_customers(number: int, seed: int = 7) -> None:
    """Write tags, segments and customers with every nasty value under some key."""
    random_ = random.Random(seed)
    tags = Tag.objects.bulk_create(Tag(id=key, name=f"Tag {key}") for key in TAG_IDS)
    segments = Segment.objects.bulk_create(
        Segment(id=key, name=f"Segment {key}", kind="static", time_zone="UTC") for key in SEGMENT_IDS
    )
    agent = Agent.create(name="Agent")
    customers = []
    for index in range(number):
        metadata: dict[str, Any] = {key: random_.choice(VALUES) for key in KEYS if random_.random() < 0.6}
        metadata["mrr"] = VALUES[index % len(VALUES)]
        if index % 11 == 0:
            metadata["plan"] = random_.choice([5, True, None, ["pro"], {"a": "b"}, 2.5])  # nobody's API writes these
        if index % 13 == 0:
            metadata = {}
        customers.append(
            Customer(
                id=f"c{index}" if index % 5 else f"ID {index} é%",
                name=random_.choice(TEXTS[:-5])[:100] or "x",
                creation_utc=random_.choice(MOMENTS),
                metadata=metadata,
                first_seen=random_.choice([None, *MOMENTS]),
                last_seen=random_.choice([None, *MOMENTS]),
                last_message_utc=random_.choice([None, *MOMENTS]),
                last_message_source=random_.choice(["", *SOURCES]),
                session_count=random_.randrange(4),
                manual_session_count=random_.randrange(3),
                customer_message_count=random_.randrange(1000),
                ai_message_count=random_.randrange(3),
                human_message_count=random_.randrange(3),
            )
        )
    Customer.objects.bulk_create(customers)
    CustomerTag.objects.bulk_create(
        CustomerTag(customer=customer, tag=tag) for customer in customers for tag in tags if random_.random() < 0.4
    )
    SegmentMember.objects.bulk_create(
        SegmentMember(segment=segment, customer=customer, since=NOW, via="list")
        for customer in customers
        for segment in segments
        if random_.random() < 0.4
    )
    for customer in [*customers[::3], Customer.guest()]:
        for _ in range(random_.randrange(3)):
            session = Session.open(agent=agent, customer=customer)
            Session.objects.filter(pk=session.pk).update(waiting_since=random_.choice([None, *MOMENTS]))


numbers = st.one_of(
    st.sampled_from([0, 1, 950, 950.0, 0.1, -1, 2.5, 123.457, 1e9, 10**15, 7]),
    st.integers(-1000, 1000),
    st.floats(-1000, 1000, allow_nan=False),
)
good_dates = st.sampled_from(
    [
        "2026-03-29",
        "2026-03-22",
        "2026-02-28",
        "2024-02-29",
        "2026-03-29T12:30:15.123456Z",
        "2026-03-29T02:30",
        "2025-01-01",
        "2026-03-28T23:59:59.999999-11:00",
        "1000-01-02",
        "9997-12-31",
    ]
)
texts = st.one_of(
    st.sampled_from([text for text in VALUES if len(text) < 1000]),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=5),
)
lengths = st.builds(
    lambda n, unit: f"{n} {unit}" if n != 1 else f"1 {unit[:-1]}",
    st.sampled_from([1, 7, 30, 13]),
    st.sampled_from(["minutes", "hours", "days", "weeks", "months", "years"]),
)


@st.composite
def leaves(draw: Any) -> Leaf:
    """A valid leaf."""
    name = draw(st.sampled_from([*FIELDS, *(f"metadata.{key}" for key in KEYS)]))
    field = field_named(name)
    assert field
    operator = draw(st.sampled_from(operators_of(field)))
    return Leaf(name, operator, draw(values(field, operator)))


def values(field: Any, operator: str) -> st.SearchStrategy[Any]:
    """The values that an operator of a field takes."""
    shape = OPERATORS[operator].shape
    if field.choices and shape in (Shape.LITERAL, Shape.TEXTS):
        chosen = st.sampled_from(field.choices)
        return chosen if shape is Shape.LITERAL else st.lists(chosen, min_size=1, max_size=3)
    if operator in ("matches", "doesNotMatch"):
        return st.sampled_from(PATTERNS)
    pairs = st.tuples(numbers, numbers).map(lambda pair: sorted(pair))
    date_pairs = st.tuples(good_dates, good_dates).map(lambda pair: sorted(pair, key=lambda text: text[:10]))
    date_pairs = date_pairs.filter(lambda pair: pair[0][:10] < pair[1][:10])
    return {
        Shape.NOTHING: st.none(),
        Shape.TEXT: texts.filter(bool),
        Shape.TEXTS: st.lists(texts, min_size=1, max_size=14),
        Shape.NUMBER: numbers,
        Shape.DATE: good_dates.map(lambda text: text[:10]) if operator == "on" else good_dates,
        Shape.LENGTH: lengths,
        Shape.PERIOD: st.sampled_from(["day", "week", "month", "year"]),
        Shape.LITERAL: {Kind.TEXT: texts, Kind.NUMBER: numbers}.get(field.kind, st.one_of(texts, numbers)),
        Shape.RANGE: {Kind.NUMBER: pairs, Kind.MOMENT: date_pairs}.get(field.kind, st.one_of(pairs, date_pairs)),
        Shape.NAMES: st.lists(
            st.sampled_from(TAG_IDS if field.kind is Kind.TAGS else SEGMENT_IDS), min_size=1, max_size=3, unique=True
        ),
    }[shape]


def groups(depth: int) -> st.SearchStrategy[Group]:
    """A valid group of at most so many levels."""
    children = leaves() if depth == 1 else st.one_of(leaves(), leaves(), groups(depth - 1))
    return st.builds(
        Group,
        combinator=st.sampled_from(["and", "or"]),
        rules=st.lists(children, max_size=3).map(tuple),
        negated=st.booleans(),
    )


rules = groups(4)
