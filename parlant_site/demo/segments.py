"""The demo's segments, with a past of two months: who entered when, and who left again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from random import Random

from django.db import transaction
from django.utils import timezone

from customers.models import GUEST_ID, Customer, Segment, SegmentMember
from customers.rules.compiling import condition
from customers.rules.faces import DatabaseNames, read_text
from customers.rules.tree import to_json
from customers.segments.editing import make
from customers.segments.history import Cause, MembershipEvent, Move, SegmentDay
from customers.segments.models import Kind, Via
from parlant_site.common.ids import make_id
from parlant_site.demo.customers import EPOCH_MS

AGE = timedelta(days=62)
LARGEST_PAST = 20_000  # of more customers the worker counts who is in, without a past
SEGMENTS = (
    ("VIP", "Pays most, or is one of ours", "tag:VIP or metadata.mrr > 2000"),
    ("Going cold", "Pays, and was not seen for a month", "metadata.mrr > 0 and not seen within 30 days"),
    ("On trial", "Tries us out, and may become a customer", "metadata.plan = trial and created within 120 days"),
    ("Large houses", "60 rooms and more", "metadata.rooms >= 60 and not metadata.plan = free"),
    ("Waiting for us", "Somebody should answer them", "waiting exists"),
    ("Invited to the fair", "Who got a ticket by post", None),
)


def write_segments(anchor: datetime) -> None:
    """Write the segments that are missing."""
    for place, (name, description, text) in enumerate(SEGMENTS):
        if Segment.objects.filter(name=name).exists():
            continue
        key = make_id(EPOCH_MS, 104_729 * (place + 1) ** 9)
        rule = None if text is None else to_json(read_text(text, DatabaseNames()))
        if text is not None and Customer.objects.count() > LARGEST_PAST:
            make(id=key, name=name, description=description, rule=rule)
        else:
            kind = Kind.STATIC if text is None else Kind.DYNAMIC
            _write(Segment(id=key, name=name, description=description, kind=kind, rule=rule), anchor)


@transaction.atomic
def _write(segment: Segment, anchor: datetime) -> None:
    begun = anchor - AGE
    segment.creation_utc = segment.reconciled_utc = begun
    random = Random(f"lanternstay/segment/{segment.name}")
    moves = sorted(_moves(segment, random, anchor), key=lambda move: (move[0], move[1]))
    segment.save(force_insert=True)
    events = [
        MembershipEvent(
            segment=segment,
            offset=offset,
            customer_ref=key,
            move=move,
            cause=_cause(segment, at, begun, random),
            via=Via.LIST if segment.is_static else Via.RULE,
            rule_version=1,
            at=at,
        )
        for offset, (at, key, move) in enumerate(moves)
    ]
    MembershipEvent.objects.bulk_create(events)
    inside: dict[str, MembershipEvent] = {}
    days: dict[date, Counter[str]] = {}
    for event in events:
        if event.move == Move.ENTERED:
            inside[event.customer_ref] = event
        else:
            del inside[event.customer_ref]
        day = days.setdefault(timezone.localdate(event.at), Counter())
        day[event.move] += 1
        day["size"] = len(inside)
    SegmentMember.objects.bulk_create(
        SegmentMember(segment=segment, customer_id=key, since=event.at, via=event.via) for key, event in inside.items()
    )
    SegmentDay.objects.bulk_create(
        SegmentDay(segment=segment, day=day, size=n["size"], entered=n[Move.ENTERED], left=n[Move.LEFT])
        for day, n in days.items()
    )
    segment.size, segment.next_offset = len(inside), len(events)
    segment.changed_utc = events[-1].at if events else None
    segment.save(update_fields=["size", "next_offset", "changed_utc"])


def _moves(segment: Segment, random: Random, anchor: datetime) -> Iterator[tuple[datetime, str, Move]]:
    """Answer (when, who, what): members entered at some time since they came, some others came and went."""
    begun = anchor - AGE
    people = Customer.objects.exclude(pk=GUEST_ID).order_by("pk")
    if segment.is_static:
        members = [row for row in people if random.random() < 0.03]
    else:
        members = list(people.filter(condition(segment.tree, segment.moment(anchor))))
    chosen = {row.pk for row in members}
    others = [row for row in people if row.pk not in chosen and random.random() < 0.3 * len(members) / people.count()]
    for row in members:
        first = max(begun, row.creation_utc)
        is_old = row.creation_utc < begun and random.random() < 0.7
        yield (begun if is_old else first + (anchor - first) * random.random()), row.pk, Move.ENTERED
    for row in others:
        first = max(begun, row.creation_utc)
        entered, left = sorted((random.random(), random.random()))
        yield first + (anchor - first) * entered, row.pk, Move.ENTERED
        yield first + (anchor - first) * left + timedelta(seconds=1), row.pk, Move.LEFT


def _cause(segment: Segment, at: datetime, begun: datetime, random: Random) -> Cause:
    if segment.is_static:
        return Cause.LIST
    if at == begun:
        return Cause.MADE
    return Cause.TIME if segment.is_relative and random.random() < 0.8 else Cause.CUSTOMER
