"""Which customers an action is for: chosen ones, or all that match a query, as of an instant.

The query travels, not the ids: an action on a million customers is a few words and a time. A query is an object of
terms, all of which must hold; other modules add terms of theirs (a segment, a rule):

    @term("segment")
    def in_segment(customers, value, as_of): ...
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q
from django.utils import timezone

from customers.models import Customer
from customers.querysets import CustomerQuerySet
from parlant_site.common.errors import BadInput
from parlant_site.common.json import JSONValue

Narrow = Callable[[CustomerQuerySet, Any, datetime], CustomerQuerySet]
_terms: dict[str, Narrow] = {}
LARGEST_CHOICE = 10_000
LONGEST_SPAN = 36500  # days


def term(name: str) -> Callable[[Narrow], Narrow]:
    """Register what a term of a query means; it raises BadInput or another Refusal for a value that says nothing."""

    def register(narrow: Narrow) -> Narrow:
        _terms[name] = narrow
        return narrow

    return register


def narrowed(customers: CustomerQuerySet, name: str, value: JSONValue, as_of: datetime) -> CustomerQuerySet:
    """Answer those of the customers for whom a term holds; BadInput for an unknown term or a useless value."""
    if name not in _terms:
        raise BadInput.at("selection", "query", name, msg=f"Unknown term; known are {', '.join(sorted(_terms))}")
    return _terms[name](customers, value, as_of)


@dataclass(frozen=True)
class Selection:
    """Customers chosen by id, or those who match a query.

    Of a query, customers who came after `as_of` are left out, and its relative dates are seen from `as_of`.
    """

    ids: tuple[str, ...] | None = None
    query: Mapping[str, JSONValue] = field(default_factory=dict)
    as_of: datetime = field(default_factory=timezone.now)

    @classmethod
    def of(cls, ids: Iterable[str]) -> Selection:
        """Answer the selection of these customers; BadInput for more than 10,000: use a query."""
        chosen = tuple(dict.fromkeys(ids))
        if len(chosen) > LARGEST_CHOICE:
            raise BadInput.at("selection", "ids", msg=f"At most {LARGEST_CHOICE} customers can be chosen one by one")
        return cls(ids=chosen)

    @classmethod
    def matching(cls, query: Mapping[str, JSONValue], *, as_of: datetime | None = None) -> Selection:
        """Answer the selection of all who match; the empty query is everybody. BadInput for an unknown term."""
        for name in query:
            if name not in _terms:
                raise BadInput.at(
                    "selection", "query", name, msg=f"Unknown term; known are {', '.join(sorted(_terms))}"
                )
        return cls(query=dict(query), as_of=as_of or timezone.now())

    def customers(self) -> CustomerQuerySet:
        """Answer the customers of the selection, in no order."""
        rows: CustomerQuerySet = Customer.objects.order_by()
        if self.ids is not None:
            return rows.filter(pk__in=self.ids)
        rows = rows.filter(creation_utc__lte=self.as_of)
        for name, value in self.query.items():
            rows = narrowed(rows, name, value, self.as_of)
        return rows

    def count(self) -> int:
        """Answer how many customers there are to do; of those chosen one by one, also who is gone."""
        return len(set(self.ids)) if self.ids is not None else self.customers().count()

    def to_json(self) -> dict[str, JSONValue]:
        """Answer the selection as a job keeps it."""
        if self.ids is not None:
            return {"ids": [*self.ids], "as_of": self.as_of.isoformat()}
        return {"query": dict(self.query), "as_of": self.as_of.isoformat()}

    @classmethod
    def from_json(cls, kept: Mapping[str, Any]) -> Selection:
        """Answer the selection that a job kept; BadInput for a term that nobody knows any more."""
        as_of = datetime.fromisoformat(kept["as_of"])
        if "ids" in kept:
            return cls(ids=tuple(kept["ids"]), as_of=as_of)
        return cls.matching(kept["query"], as_of=as_of)


@term("search")
def _search(customers: CustomerQuerySet, value: Any, as_of: datetime) -> CustomerQuerySet:
    return customers.search(str(value))


@term("tags")
def _tags(customers: CustomerQuerySet, value: Any, as_of: datetime) -> CustomerQuerySet:
    """Narrow by {"any": [id], "all": [id], "none": [id]}; each is optional."""
    if not isinstance(value, dict) or not set(value) <= {"any", "all", "none"}:
        raise BadInput.at("selection", "query", "tags", msg="Should be {any, all, none}, each a list of ids of tags")
    if "any" in value:
        customers = customers.tagged_any(value["any"])
    if "none" in value:
        customers = customers.exclude(pk__in=Customer.objects.order_by().tagged_any(value["none"]).values("pk"))
    return customers.tagged_all(value.get("all", []))


@term("seen")
def _seen(customers: CustomerQuerySet, value: Any, as_of: datetime) -> CustomerQuerySet:
    """Narrow to those last seen within so many days ("7"), not for so many ("-30"), or "never"."""
    if value == "never":
        return customers.filter(last_seen__isnull=True)
    days = _days("seen", value)
    since = as_of - timedelta(days=abs(days))
    return customers.filter(last_seen__lt=since) if days < 0 else customers.filter(last_seen__gte=since)


@term("created")
def _created(customers: CustomerQuerySet, value: Any, as_of: datetime) -> CustomerQuerySet:
    """Narrow to those registered within so many days."""
    return customers.filter(creation_utc__gte=as_of - timedelta(days=abs(_days("created", value))))


CONVERSATIONS = {
    "human": Q(manual_session_count__gt=0),
    "any": Q(session_count__gt=0),
    "none": Q(session_count=0),
}


@term("conversations")
def _conversations(customers: CustomerQuerySet, value: Any, as_of: datetime) -> CustomerQuerySet:
    """Narrow to those with an operator now ("human"), with any conversation, or with none."""
    if not isinstance(value, str) or value not in CONVERSATIONS:
        raise BadInput.at("selection", "query", "conversations", msg=f"Should be one of {', '.join(CONVERSATIONS)}")
    return customers.filter(CONVERSATIONS[value])


def _days(name: str, value: Any) -> int:
    try:
        days = int(str(value))
    except ValueError:
        days = 0
    if not 0 < abs(days) <= LONGEST_SPAN:
        raise BadInput.at("selection", "query", name, msg=f"Should be a number of days up to {LONGEST_SPAN}")
    return days
