"""Erasing customers: nothing of what is kept about them stays, but that something was."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from django.db import transaction

from customers.jobs.models import DataJob
from customers.models import Customer
from customers.parts import Conversations, Subject, parts
from customers.privacy.models import Erasure
from customers.privacy.subjects import subject_of
from parlant_site.common.audit import Act, record


def preview(customer_id: str) -> dict[str, int]:
    """Answer how many rows of which sort an erasure would remove or redact, by their names."""
    return _counts(subject_of(customer_id))


@transaction.atomic
def erase(customer_ids: Iterable[str], *, conversations: Conversations) -> list[Erasure]:
    """Erase these customers, all or none of them, and answer the proofs.

    What is kept about somebody under her id (also by predecessors who had it) goes, or loses its text. Conversations
    go, or keep their course without text, under a pseudonym. Callers check who may: the permission customers.erase.
    """
    keys = list(dict.fromkeys(customer_ids))
    # A chunk of a job locks the job before its customers: here too, lest each waits for the other.
    list(DataJob.objects.unfinished().exclude(kind="erase").order_by("pk").select_for_update().values_list("pk"))
    for each in parts():
        each.lock(keys)
    Customer.lock_all(keys)
    subjects = list({subject.id: subject for subject in map(subject_of, keys)}.values())
    removed = {subject.id: _erase_one(subject, conversations) for subject in subjects}
    for each in parts():
        for key, swept in each.sweep(subjects).items():
            removed[key] += swept
    return [_prove(subject, conversations, removed[subject.id]) for subject in subjects]


def _erase_one(subject: Subject, conversations: Conversations) -> Counter[str]:
    counts: Counter[str] = Counter()
    for each in parts():
        counts += each.erase(subject, conversations)
    if subject.customer is not None:
        counts["customers"] += 1
        counts["tags"] += subject.customer.tag_links.count()
        subject.customer.delete()
    return counts


def _prove(subject: Subject, conversations: Conversations, counts: Counter[str]) -> Erasure:
    said = {name: number for name, number in sorted(counts.items()) if number}
    nobody = Customer(id=subject.pseudonym, name="")
    record(Act.ERASED, nobody, after={"conversations": str(conversations), **said})
    return Erasure.write(subject.id, conversations=conversations, counts=said)


def _counts(subject: Subject) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for each in parts():
        counts += each.count(subject)
    if subject.customer is not None:
        counts["customers"] += 1
        counts["tags"] += subject.customer.tag_links.count()
    return {name: number for name, number in sorted(counts.items()) if number}
