"""How many customers a rule matches, in all and node by node, while somebody edits it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from django.db import DEFAULT_DB_ALIAS
from django.db.models import Count as CountOf

from customers.insight.limits import TookTooLong, time_limited
from customers.insight.remembering import keep, kept
from customers.insight.sampling import all_customers, are_few, sample_of
from customers.models import Customer
from customers.querysets import CustomerQuerySet
from customers.rules.compiling import condition
from customers.rules.periods import Moment
from customers.rules.tree import Group, Node, Path, key_of, leaves, nodes
from parlant_site.common.json import JSONValue

LIMIT = 0.4
SAMPLES = 20
MOST_TOGETHER = 400
_SHORTEST = 0.005
_LIMIT_OF_SAMPLES = 0.3
_KEPT = 10.0
_RARE = 500
_LONGEST = 2.0


@dataclass(frozen=True)
class Count:
    """A number of customers, and whether they were counted or estimated from a sample."""

    number: int
    is_exact: bool

    def is_rare_among(self, total: Count) -> bool:
        """Whether so few of all are meant that going through all takes long until some are found."""
        return self.number * _RARE < total.number

    def to_json(self) -> dict[str, JSONValue]:
        """Answer {count, exact}."""
        return {"count": self.number, "exact": self.is_exact}


@dataclass(frozen=True)
class Preview:
    """What a rule comes to: how many it matches, each of its nodes by path (the root is ()), and some customers."""

    count: Count
    total: Count
    nodes: dict[Path, Count]
    sample: Sequence[Customer]
    as_of: datetime
    took: float

    def to_json(self) -> dict[str, JSONValue]:
        """Answer the preview as callers see it: {count, exact, total, nodes: [{path, count, exact}], sample, as_of}."""
        return {
            **self.count.to_json(),
            "total": self.total.to_json(),
            "nodes": [{"path": [*path], **count.to_json()} for path, count in self.nodes.items()],
            "sample": [{"id": customer.pk, "name": customer.name} for customer in self.sample],
            "as_of": self.as_of.isoformat(),
            "took_ms": round(self.took * 1000),
        }


def preview(
    rule: Group,
    moment: Moment,
    *,
    limit: float = LIMIT,
    samples: int = SAMPLES,
    using: str = DEFAULT_DB_ALIAS,
) -> Preview:
    """Count the customers whom a valid rule matches, and each of its nodes; show the newest of them.

    Exact when the rule is counted within `limit` seconds, and its nodes in what remains of them; else estimated from a
    sample, and marked so. Counts of single nodes are kept for a few seconds: while somebody types, only what changed is
    counted again. TookTooLong for a rule, such as a monstrous pattern, that takes seconds for a few hundred customers.
    """
    started = time.monotonic()
    wanted = dict(nodes(rule))
    counted = Counter(moment, using, started + limit)
    found = counted.every({key_of(node): node for node in wanted.values()})  # the root is the first
    total = counted.total()
    count = found[key_of(rule)]
    shown: Sequence[Customer] = []
    if samples and (count.number or not count.is_exact):
        shown = sample_matching(rule, moment, samples, is_rare=count.is_rare_among(total), using=using)
    return Preview(
        count=count,
        total=total,
        nodes={path: found[key_of(node)] for path, node in wanted.items()},
        sample=shown,
        as_of=moment.now,
        took=time.monotonic() - started,
    )


def count_of(rule: Node, moment: Moment, *, limit: float = LIMIT, using: str = DEFAULT_DB_ALIAS) -> Count:
    """Count the customers whom a valid node matches: exactly within the limit, else estimated."""
    return Counter(moment, using, time.monotonic() + limit).every({"": rule})[""]


class Counter:
    """Counts nodes until a point in time (of time.monotonic()), and estimates what is left then."""

    def __init__(self, moment: Moment, using: str, end: float) -> None:
        self.moment = moment
        self.using = using
        self.end = end

    def every(self, wanted: Mapping[str, Node]) -> dict[str, Count]:
        """Count nodes, the most important one first."""
        if self.are_few:
            try:
                found: dict[str, Count] = {}
                for chunk in _chunks(wanted):
                    with time_limited(self.remaining, using=self.using):
                        numbers, _ = self.together(chunk, all_customers(self.using))
                    found.update({name: Count(number, True) for name, number in numbers.items()})
                return found
            except TookTooLong:
                return self._estimated(wanted)
        found = {}
        for name, node in wanted.items():
            number = self._exact(node)
            if number is not None:
                found[name] = Count(number, True)
        missing = {name: node for name, node in wanted.items() if name not in found}
        return {**found, **self._estimated(missing)} if missing else found

    @cached_property
    def are_few(self) -> bool:
        """Whether everybody can be counted for every node at once."""
        return are_few(self.using)

    @property
    def remaining(self) -> float:
        """The seconds that are left for exact counts."""
        return max(0.0, self.end - time.monotonic())

    def total(self) -> Count:
        """Count everybody."""
        if self.are_few:
            return Count(all_customers(self.using).count(), True)
        return Count(sample_of(self.using).total, False)

    def _exact(self, node: Node) -> int | None:
        """Count within what is left of the time; None when that is too little, as it was for this node just now."""
        key = (self.using, key_of(node), str(self.moment.zone))
        too_little = kept(("took longer", key), 0, lambda: _SHORTEST)
        if self.remaining < too_little:
            return None

        def count() -> int:
            with time_limited(self.remaining, using=self.using):
                return all_customers(self.using).filter(condition(node, self.moment)).count()

        given = self.remaining
        try:
            return kept(("count", key), _KEPT, count)
        except TookTooLong:
            keep(("took longer", key), _KEPT, given)
            return None

    def _estimated(self, wanted: Mapping[str, Node]) -> dict[str, Count]:
        sample = sample_of(self.using)
        found = {}
        for chunk in _chunks(wanted):
            try:
                with time_limited(LIMIT, using=self.using):
                    numbers, sampled = self.together(chunk, sample.customers)
            except TookTooLong:
                with time_limited(_LONGEST, using=self.using):
                    numbers, sampled = self.together(chunk, sample.smaller().customers)
            found.update({name: Count(sample.scaled(number, sampled), False) for name, number in numbers.items()})
        return found

    def together(self, wanted: Mapping[str, Node], customers: CustomerQuerySet) -> tuple[dict[str, int], int]:
        """Count several nodes, and the customers, in one statement."""
        counts = {
            f"n{place}": CountOf("pk", filter=condition(node, self.moment))
            for place, node in enumerate(wanted.values())
        }
        row = customers.aggregate(everybody=CountOf("pk"), **counts)
        return {name: row[f"n{place}"] for place, name in enumerate(wanted)}, row["everybody"]


def _chunks(wanted: Mapping[str, Node]) -> Iterator[dict[str, Node]]:
    """Answer the nodes in groups of so many leaves that one statement can ask for them all."""
    chunk: dict[str, Node] = {}
    size = 0
    for name, node in wanted.items():
        number = sum(1 for _ in leaves(node))
        if chunk and size + number > MOST_TOGETHER:
            yield chunk
            chunk, size = {}, 0
        chunk[name] = node
        size += number
    if chunk:
        yield chunk


def sample_matching(
    rule: Node, moment: Moment, number: int, *, is_rare: bool = False, using: str = DEFAULT_DB_ALIAS
) -> Sequence[Customer]:
    """Answer the newest customers whom a node matches, so many at most; of rare ones, and when that takes long, any."""
    matching = condition(rule, moment)
    try:
        with time_limited(_LIMIT_OF_SAMPLES, using=using):
            found = all_customers(using).filter(matching)
            # Going through all customers, the newest first, is quick when many match.
            return list((found if is_rare else found.order_by("-creation_utc", "-id"))[:number])
    except TookTooLong:
        pass
    try:
        with time_limited(_LIMIT_OF_SAMPLES, using=using):
            return list(sample_of(using).customers.filter(matching)[:number])
    except TookTooLong:
        return []
