"""Whom an id means: a customer, the one into whom she was merged, or somebody who was deleted but left traces."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from customers.merging.models import CustomerAlias, CustomerMerge
from customers.models import GUEST_ID, Customer
from customers.parts import Subject, parts
from customers.privacy.models import pseudonym
from customers.privacy.scrubbing import SHORTEST_WORD
from parlant_site.common.audit import AuditEntry
from parlant_site.common.errors import NotFound, Refusal
from parlant_site.common.personal import personal_keys


class GuestIsNobody(Refusal):
    """The guest stands for everybody who is not registered: there is no person to bundle, erase or merge."""


def subject_of(customer_id: str) -> Subject:
    """Answer the person whom an id means; NotFound when nothing is kept about her, GuestIsNobody for the guest."""
    if customer_id == GUEST_ID:
        raise GuestIsNobody
    if "\0" in customer_id:
        raise NotFound("Customer", customer_id)
    alias = CustomerAlias.objects.filter(pk=customer_id).first()
    key: str = alias.customer_id if alias else customer_id
    customer = Customer.objects.filter(pk=key).first()
    old = list(CustomerAlias.objects.filter(customer_id=key).order_by("pk").values_list("pk", flat=True))
    words = dict.fromkeys(word for word in _words([key, *old], customer) if len(word) >= SHORTEST_WORD)
    subject = Subject(key, (key, *old), customer, tuple(words), pseudonym(key), _values([key, *old], customer))
    if customer is None and not any(each.count(subject).total() for each in parts()):
        raise NotFound("Customer", customer_id)
    return subject


def _words(ids: list[str], customer: Customer | None) -> Iterator[str]:
    """Yield her names and personal values, those of today and those that the audit remembers."""
    personal = personal_keys()
    if customer is not None:
        yield from _of({"name": customer.name, "metadata": customer.metadata}, personal)
    for entry in AuditEntry.objects.filter(kind="customer", object_id__in=ids).iterator(chunk_size=1000):
        yield entry.object_name
        yield from _of(entry.before, personal)
        yield from _of(entry.after, personal)
    for gone in CustomerMerge.objects.filter(gone_id__in=ids).values_list("gone", flat=True):
        yield from _of(gone, personal)


def _values(ids: list[str], customer: Customer | None) -> frozenset[tuple[str, str]]:
    """Answer the keys and values of metadata that she has and that the audit remembers of her."""
    kept: list[Any] = [{"metadata": customer.metadata}] if customer is not None else []
    for entry in AuditEntry.objects.filter(kind="customer", object_id__in=ids).iterator(chunk_size=1000):
        kept += [entry.before, entry.after]
    metadata = [values.get("metadata") for values in kept if isinstance(values, dict)]
    found = (pair for each in metadata if isinstance(each, dict) for pair in each.items())
    return frozenset((key, value) for key, value in found if isinstance(value, str))


def _of(values: Any, personal: frozenset[str]) -> Iterator[str]:
    if isinstance(values, dict):
        if isinstance(name := values.get("name"), str):
            yield name
        metadata = values.get("metadata")
        for key, value in metadata.items() if isinstance(metadata, dict) else ():
            if key in personal and isinstance(value, str):
                yield value
