"""Customers who changed: whose segments are looked at again.

What changed stands in the low byte of `Customer.stale`, set in the transaction of the change. A look moves it to the
high byte, asks the segments whose rules use it, and takes the high byte away. What changes meanwhile is a new low byte,
and what a killed process had begun is found in the high one. One process looks at a time, under a lease.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.db.models import F

from customers.rules.evaluating import Facts, predicate
from customers.rules.facts import facts_of
from customers.segments import leases
from customers.segments.history import Cause
from customers.segments.membership import Among, look_at
from customers.segments.models import Segment, SegmentPin
from customers.segments.writing import Moved

BATCH = 2000
NAME = "stale customers"
LOW = 127
HIGH = LOW << 8


class Stale:
    """Looks at stale customers, as long as the lease is its own. `cursor` goes round: nobody starves."""

    def __init__(self, token: int) -> None:
        self.token = token
        self.cursor = ""

    def look(self, limit: int = BATCH) -> int:
        """Look at some of them, and answer at how many."""
        claimed = self._claim(limit)
        if not claimed and self.cursor:
            self.cursor = ""
            claimed = self._claim(limit)
        if not claimed:
            return 0
        settle(claimed)
        self._clear([*claimed])
        self.cursor = max(claimed)
        return len(claimed)

    def _claim(self, limit: int) -> dict[str, int]:
        """Move what changed to the high byte; answer the bits of each customer."""
        from customers.models import Customer

        stale = Customer.objects.stale().filter(pk__gt=self.cursor).order_by("pk")
        if not stale.exists():  # on SQLite the transaction below would take the write lock
            return {}
        with transaction.atomic():
            leases.hold(NAME, self.token)
            # Who is being changed right now is looked at when that is done.
            rows = dict(stale.select_for_update(skip_locked=True, no_key=True).values_list("pk", "stale")[:limit])
            shifted: Any = F("stale").bitand(LOW).bitleftshift(8)
            Customer.objects.filter(Among(rows).of("id")).update(stale=F("stale").bitand(HIGH).bitor(shifted))
        return {key: (stale & LOW) | (stale >> 8) for key, stale in rows.items()}

    def _clear(self, ids: list[str]) -> None:
        from customers.models import Customer

        with transaction.atomic():
            leases.hold(NAME, self.token)
            rows = Customer.objects.filter(Among(ids).of("id")).order_by("pk")
            free = list(rows.select_for_update(skip_locked=True, no_key=True).values_list("pk", flat=True))
            Customer.objects.filter(Among(free).of("id")).update(stale=F("stale").bitand(LOW))


def settle(changed: Mapping[str, int]) -> Moved:
    """Look at customers for the segments that ask for what changed (bits by id), and answer how many moved.

    Python finds out whom a change concerns, from one reading for all segments; for those the segment asks again, under
    its lock.
    """
    bits = 0
    for some in changed.values():
        bits |= some
    moved = Moved()
    segments = list(Segment.objects.asking_for(bits).order_by("pk"))
    if not segments:
        return moved
    facts = facts_of(changed)
    pins = _pins(changed)
    for segment in segments:
        concerned = {key: known for key, known in facts.items() if changed[key] & segment.uses}
        if differing := differing_from(segment, concerned, pins):
            moved += look_again(segment.pk, differing, Cause.CUSTOMER)
    return moved


def differing_from(segment: Segment, facts: Mapping[str, Facts], pins: Mapping[str, Mapping[str, bool]]) -> list[str]:
    """Answer the ids of customers who are members and should not be, or the other way round."""
    holds = predicate(segment.tree, segment.next_moment())
    pinned = pins.get(segment.pk, {})
    return [
        key
        for key, known in facts.items()
        if (pinned[key] if key in pinned else holds(known)) is not (segment.pk in known.segments)
    ]


def look_again(segment_id: str, ids: list[str], cause: Cause) -> Moved:
    """Look at customers for one segment, in a transaction of its own."""
    with transaction.atomic():
        segment = Segment.objects.select_for_update().filter(pk=segment_id).first()
        return look_at(segment, Among(ids), cause) if segment and not segment.is_static else Moved()


def _pins(ids: Mapping[str, int]) -> dict[str, dict[str, bool]]:
    found: dict[str, dict[str, bool]] = defaultdict(dict)
    rows = SegmentPin.objects.filter(customer_id__in=list(ids)).order_by()
    for segment_id, customer_id, is_in in rows.values_list("segment_id", "customer_id", "is_in"):
        found[segment_id][customer_id] = is_in
    return found
