"""What is kept about customers, part by part, so that a bundle, an erasure and a merge of two reach all of it.

Other apps register what they keep: customers know nothing of sessions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from django.db import models

from parlant_site.common.json import JSONValue

if TYPE_CHECKING:
    from customers.merging.models import CustomerMerge
    from customers.models import Customer


class Conversations(models.TextChoices):
    """What an erasure makes of a customer's conversations."""

    DELETE = "delete", "Delete them"
    REDACT = "redact", "Keep their course, without any text"


@dataclass(frozen=True)
class Subject:
    """A person: the customer of an id, if there is one now, with the ids of those who were merged into her.

    `words` are texts by which she is known, to find her where no id tells; `pseudonym` stands for her ids afterwards.
    `values` are the keys and values of metadata that she has, or had as far as the audit remembers.
    """

    id: str
    ids: tuple[str, ...]
    customer: Customer | None
    words: tuple[str, ...]
    pseudonym: str
    values: frozenset[tuple[str, str]] = frozenset()


class Part:
    """Something that is kept about customers. A part answers to what it has something to say to."""

    name: ClassVar[str]

    def bundle(self, subject: Subject) -> dict[str, Any]:
        """Answer sections of her bundle by their names: JSON values, or iterators of them."""
        return {}

    def lock(self, ids: Collection[str]) -> None:
        """Lock rows that are locked before a customer's own elsewhere too, lest two wait for each other."""

    def count(self, subject: Subject) -> Counter[str]:
        """Answer how many rows of which sort there are about her; numbers, never her data."""
        return Counter()

    def erase(self, subject: Subject, conversations: Conversations) -> Counter[str]:
        """Remove what is kept about her, and answer how many rows of which sort."""
        return Counter()

    def sweep(self, subjects: Collection[Subject]) -> Mapping[str, Counter[str]]:
        """Remove what mentions these persons beside what is their own; answer how much, by the subject's id.

        Asked once for all who are erased together: it may have to look through everything.
        """
        return {}

    def move(self, merge: CustomerMerge) -> JSONValue:
        """Give the survivor of a merge what the other one had; what is answered is kept for the way back."""
        return None

    def put_back(self, merge: CustomerMerge, kept: Any) -> Iterator[str]:
        """Give back what a merge moved, unless it changed since; yield sentences about what stays."""
        return iter(())

    def forget_merges(self, merge_ids: Collection[str]) -> None:
        """Forget what was kept to put back what these merges moved."""


_parts: list[Part] = []


def part(made: type[Part]) -> type[Part]:
    """Register a part."""
    _parts.append(made())
    return made


def parts() -> tuple[Part, ...]:
    """Answer all parts, in the order of the apps."""
    return tuple(_parts)
