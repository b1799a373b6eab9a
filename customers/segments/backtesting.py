"""How large a segment of a rule would have been on each of the last days, from what was recorded.

Exact are: name, metadata and tags, from the audit; that customers came and were deleted; segments, from their events;
messages, first and last seen and who waits, from the messages that are still there. Of manual sessions nothing is
recorded: today's number stands for all days. What was erased, or written past the product, is not known either.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Q
from django.utils import timezone

from customers.rules.evaluating import Facts, predicate
from customers.rules.facts import facts_of
from customers.rules.periods import Moment
from customers.rules.reading import asked_in, is_relative
from customers.rules.tree import Group
from customers.segments.history import MembershipEvent, Move
from parlant_site.common.audit import Act, AuditEntry

LONGEST = 90
MOST_CUSTOMERS = 5000
BATCH = 500
_COUNTERS = {
    "customer": "customer_message_count",
    "ai_agent": "ai_message_count",
    "human_agent": "human_message_count",
    "human_agent_on_behalf_of_ai_agent": "human_message_count",
}
_Message = tuple[str, str, datetime]  # session, source, when


@dataclass(frozen=True)
class Day:
    """A day: how many were in at its end, and how many of them had not been a day before, or were no longer."""

    day: date
    size: int
    entered: int
    left: int


@dataclass(frozen=True)
class Backtest:
    """The days, oldest first. `sampled` of `customers` were asked: with fewer than all the figures are estimates.

    `as_of_today` names the fields of the rule of which no past is recorded.
    """

    days: list[Day]
    sampled: int
    customers: int
    as_of_today: list[str]

    @property
    def is_exact(self) -> bool:
        """Whether all were asked, of fields that are recorded."""
        return self.sampled == self.customers and not self.as_of_today


@dataclass
class _Past:
    """What was recorded of one customer within the days; entries and moves newest first, messages oldest first."""

    now: Facts | None
    entries: list[AuditEntry]
    moves: list[tuple[str, str, datetime]]
    messages: list[_Message]
    sessions: list[datetime]

    def instants(self) -> list[datetime]:
        """Answer when something changed."""
        own = [self.now.creation_utc] if self.now else []
        at = [entry.at for entry in self.entries] + [at for _, _, at in self.moves]
        return own + at + [at for _, _, at in self.messages] + self.sessions

    def at(self, instant: datetime) -> Facts | None:
        """Answer what she was at an instant; None: she was not there."""
        facts = self.now
        for entry in self.entries:
            if entry.at <= instant:
                break
            facts = _before(facts, entry)
        if facts is None or facts.creation_utc > instant:
            return None
        segments = set(facts.segments)
        for segment_id, move, at in self.moves:
            if at > instant:
                (segments.discard if move == Move.ENTERED else segments.add)(segment_id)
        return replace(facts, segments=frozenset(segments), **self._activity(instant))

    def _activity(self, instant: datetime) -> dict[str, Any]:
        counts = dict.fromkeys(_COUNTERS.values(), 0)
        heard: list[datetime] = []
        waiting: dict[str, datetime] = {}
        last: _Message | None = None
        for message in self.messages:
            session, source, at = message
            if at > instant:
                break
            last = message
            if counter := _COUNTERS.get(source):
                counts[counter] += 1
            if source == "customer":
                heard.append(at)
                waiting.setdefault(session, at)
            elif source in _COUNTERS:
                waiting.pop(session, None)
        return {
            **counts,
            "session_count": sum(1 for at in self.sessions if at <= instant),
            "first_seen": heard[0] if heard else None,
            "last_seen": heard[-1] if heard else None,
            "last_message_source": last[1] if last else "",
            "last_message_utc": last[2] if last else None,
            "waiting_since": min(waiting.values(), default=None),
        }


def backtest(
    rule: Group, *, zone: ZoneInfo, days: int = LONGEST, most: int = MOST_CUSTOMERS, now: datetime | None = None
) -> Backtest:
    """Answer how large the rule's segment would have been at the end of each of the last days (90 at most), and now.

    Of more than `most` customers some, spread evenly over their ids, stand for all.
    """
    moment = Moment(now or timezone.now(), zone)
    ends = _ends(moment, min(days, LONGEST))
    ids, customers = _sample(ends[0], most)
    sizes, entered, left = ([0] * len(ends) for _ in range(3))
    holds = [predicate(rule, Moment(end, zone)) for end in ends]
    moves_by_itself = is_relative(rule)
    for start in range(0, len(ids), BATCH):
        for past in _pasts(ids[start : start + BATCH], ends[0]):
            was_in, changed = False, sorted(past.instants())
            for index, end in enumerate(ends):
                is_in = was_in
                quiet = index and not any(ends[index - 1] < at <= end for at in changed)
                if moves_by_itself or not quiet:
                    facts = past.at(end)
                    is_in = facts is not None and holds[index](facts)
                sizes[index] += is_in
                entered[index] += is_in and not was_in
                left[index] += was_in and not is_in
                was_in = is_in
    factor = customers / len(ids) if ids else 1
    found = [
        Day(end.astimezone(zone).date(), *(round(number[index] * factor) for number in (sizes, entered, left)))
        for index, end in enumerate(ends)
    ]
    unknown = {asked.field.name for asked in asked_in(rule)} & {"manual_session_count"}
    return Backtest(found[1:], len(ids), customers, sorted(unknown))


def _ends(moment: Moment, days: int) -> list[datetime]:
    """Answer the end of the day before the first, and of each of the days; now for today."""
    midnight = moment.now.astimezone(moment.zone).replace(tzinfo=None, hour=0, minute=0, second=0, microsecond=0)
    back = range(days - 1, -1, -1)
    ends = [moment.edge_on_wall(midnight - timedelta(days=number)).utc - timedelta(microseconds=1) for number in back]
    return [*ends, moment.now]


def _sample(since: datetime, most: int) -> tuple[list[str], int]:
    from customers.models import Customer

    gone = AuditEntry.objects.filter(kind="customer", act__in=[Act.DELETED, Act.MERGED], at__gt=since, redacted=False)
    deleted = set(gone.order_by().values_list("object_id", flat=True))
    deleted -= set(Customer.objects.filter(pk__in=deleted).values_list("pk", flat=True))
    keys = [*Customer.objects.order_by("pk").values_list("pk", flat=True), *sorted(deleted)]
    if len(keys) <= most:
        return keys, len(keys)
    return [keys[index * len(keys) // most] for index in range(most)], len(keys)


def _pasts(ids: list[str], since: datetime) -> Iterable[_Past]:
    facts = facts_of(ids)
    entries: Mapping[str, list[AuditEntry]] = defaultdict(list)
    for entry in AuditEntry.objects.filter(kind="customer", object_id__in=ids, at__gt=since).order_by("-id"):
        entries[entry.object_id].append(entry)
    moves: Mapping[str, list[tuple[str, str, datetime]]] = defaultdict(list)
    events = MembershipEvent.objects.filter(customer_ref__in=ids, at__gt=since).order_by("-at", "-offset")
    for key, segment_id, move, at in events.values_list("customer_ref", "segment_id", "move", "at"):
        moves[key].append((segment_id, move, at))
    messages, sessions = _conversations(ids)
    for key in ids:
        yield _Past(facts.get(key), entries[key], moves[key], messages[key], sessions[key])


def _conversations(ids: list[str]) -> tuple[Mapping[str, list[_Message]], Mapping[str, list[datetime]]]:
    from customers.models import GUEST_ID, Customer

    session: Any = Customer._meta.get_field("sessions").related_model
    event: Any = session._meta.get_field("events").related_model
    messages: Mapping[str, list[_Message]] = defaultdict(list)
    sessions: Mapping[str, list[datetime]] = defaultdict(list)
    # The sessions of who was deleted are known by the id that they keep.
    hers = Q(customer_ref__in=[key for key in ids if key != GUEST_ID])
    for key, created in session.objects.filter(hers).order_by().values_list("customer_ref", "creation_utc"):
        sessions[key].append(created)
    rows = event.objects.filter(session__in=session.objects.filter(hers), kind="message", deleted=False)
    columns = ("session__customer_ref", "session_id", "source", "creation_utc")
    for key, session_id, source, at in rows.order_by("creation_utc", "session_id", "offset").values_list(*columns):
        messages[key].append((session_id, source, at))
    return messages, sessions


def _before(facts: Facts | None, entry: AuditEntry) -> Facts | None:
    """Answer what she was before an entry of the audit; after it she was this."""
    before: dict[str, Any] = entry.before or {}
    after: dict[str, Any] = entry.after or {}
    if entry.act == Act.CREATED or (entry.act == Act.UNMERGED and "unmerged" not in after):
        return None
    if entry.act == Act.DELETED or (entry.act == Act.MERGED and "into" in after):
        known = {"name": before.get("name", ""), "metadata": before.get("metadata") or {}}
        created = datetime.min.replace(tzinfo=entry.at.tzinfo)
        return Facts(entry.object_id, creation_utc=created, tags=frozenset(before.get("tags") or ()), **known)
    if facts is None:
        return None
    metadata = {**facts.metadata, **(before.get("metadata") or {})}
    return replace(
        facts,
        name=before.get("name") or facts.name,
        metadata={key: value for key, value in metadata.items() if value is not None},
        tags=(facts.tags - set(after.get("tags") or ())) | set(before.get("tags") or ()),
    )
