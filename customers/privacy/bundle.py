"""The bundle: everything that is kept about one customer, as one JSON document that is written as it is read.

{"format": "parlant-site-customer", "version": 1, "exported_utc", "customer": {...} or null, and a section per part:
"audit", "data_jobs", "merges", "sessions" (with all their events)...}
"""

from __future__ import annotations

from collections.abc import Iterator

from django.utils import timezone

from customers.models import Customer
from customers.parts import Subject, parts
from customers.privacy.subjects import subject_of
from parlant_site.common.audit import Act, record
from parlant_site.common.personal import sight
from parlant_site.common.streaming import stream_json

FORMAT, VERSION = "parlant-site-customer", 1


def write_bundle(customer_id: str) -> Iterator[bytes]:
    """Answer the pieces of a customer's bundle, and record that she was exported; NotFound when there is nothing.

    Who may not see personal data gets masks in their place.
    """
    subject = subject_of(customer_id)
    record(Act.EXPORTED, subject.customer or Customer(id=subject.id, name=""))
    return stream_json(_document(subject))


def _document(subject: Subject) -> dict[str, object]:
    document: dict[str, object] = {
        "format": FORMAT,
        "version": VERSION,
        "exported_utc": timezone.now(),
        "id": subject.id,
        "former_ids": [*subject.ids[1:]],
        "customer": _profile(subject.customer),
    }
    for each in parts():
        document |= each.bundle(subject)
    return document


def _profile(customer: Customer | None) -> dict[str, object] | None:
    if customer is None:
        return None
    tags = customer.tag_links.select_related("tag").order_by("id")
    activity = (
        "first_seen", "last_seen", "session_count", "manual_session_count", "customer_message_count",
        "ai_message_count", "human_message_count", "last_message_source", "last_message_utc",
    )  # fmt: skip
    return {
        "id": customer.pk,
        "creation_utc": customer.creation_utc,
        "name": customer.name,
        "metadata": sight().metadata(customer.metadata),
        "tags": [{"id": link.tag_id, "name": link.tag.name} for link in tags],
        "activity": {name: getattr(customer, name) for name in activity},
    }
