"""What is known of customers, read from the database for the evaluator in Python."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db.models import Min

from customers.rules.evaluating import Facts

_COLUMNS = (
    "id",
    "name",
    "creation_utc",
    "metadata",
    "first_seen",
    "last_seen",
    "last_message_utc",
    "last_message_source",
    "session_count",
    "manual_session_count",
    "customer_message_count",
    "ai_message_count",
    "human_message_count",
)


def facts_of(ids: Iterable[str]) -> dict[str, Facts]:
    """Answer the facts of the customers with these ids who exist, in four queries."""
    from customers.models import Customer, CustomerTag, SegmentMember

    wanted = list(ids)
    rows = Customer.objects.filter(pk__in=wanted).order_by().values(*_COLUMNS)
    tags = _grouped(CustomerTag.objects.filter(customer_id__in=wanted).order_by(), "tag_id")
    segments = _grouped(SegmentMember.objects.filter(customer_id__in=wanted).order_by(), "segment_id")
    waiting = _waiting(wanted)
    return {
        row["id"]: Facts(
            **row,
            tags=frozenset(tags[row["id"]]),
            segments=frozenset(segments[row["id"]]),
            waiting_since=waiting.get(row["id"]),
        )
        for row in rows
    }


def _grouped(links: Any, column: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for customer_id, key in links.values_list("customer_id", column):
        found[customer_id].append(key)
    return found


def _waiting(ids: list[str]) -> dict[str, datetime]:
    from customers.models import GUEST_ID, Customer

    sessions: Any = Customer._meta.get_field("sessions").related_model
    waiting = sessions.objects.filter(customer_id__in=ids, waiting_since__isnull=False).exclude(customer_id=GUEST_ID)
    return dict(waiting.order_by().values_list("customer_id").annotate(Min("waiting_since")))
