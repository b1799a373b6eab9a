"""Customers who nearly match a rule: one leaf alone keeps them out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import DEFAULT_DB_ALIAS

from customers.insight.counting import LIMIT, Count, Counter, sample_matching
from customers.models import Customer
from customers.rules.periods import Moment
from customers.rules.tree import Group, Leaf, Node, Path, key_of, leaves
from parlant_site.common.json import JSONValue

SAMPLES = 5


@dataclass(frozen=True)
class NearMiss:
    """How many customers do not match only because of this leaf, and some of them."""

    path: Path
    leaf: Leaf
    count: Count
    sample: Sequence[Customer]

    def to_json(self) -> dict[str, JSONValue]:
        """Answer {path, field, operator, value, count, exact, sample: [{id, name}]}."""
        return {
            "path": [*self.path],
            "field": self.leaf.field,
            "operator": self.leaf.operator,
            "value": self.leaf.value,
            **self.count.to_json(),
            "sample": [{"id": customer.pk, "name": customer.name} for customer in self.sample],
        }


def near_misses(
    rule: Group, moment: Moment, *, limit: float = LIMIT, samples: int = SAMPLES, using: str = DEFAULT_DB_ALIAS
) -> list[NearMiss]:
    """Answer for each leaf of a valid rule who does not match, but would if this one leaf turned out otherwise.

    In a rule of leaves joined by `and` these are the customers who fail this leaf alone. Counts are exact within
    `limit` seconds in all, else estimated, and say so.
    """
    wanted = {path: (leaf, _near(rule, path)) for path, leaf in leaves(rule)}
    counted = Counter(moment, using, time.monotonic() + limit)
    found = counted.every({key_of(near): near for _, near in wanted.values()})
    total = counted.total()
    missed = []
    for path, (leaf, near) in wanted.items():
        count = found[key_of(near)]
        shown: Sequence[Customer] = []
        if samples and count.number:
            shown = sample_matching(near, moment, samples, is_rare=count.is_rare_among(total), using=using)
        missed.append(NearMiss(path, leaf, count, shown))
    return missed


def _near(rule: Group, path: Path) -> Node:
    """Answer the rule of those who match when the leaf is turned, and do not as it is."""
    return Group("and", (turned(rule, path), Group(rule.combinator, rule.rules, not rule.negated)))


def turned(node: Node, path: Path) -> Node:
    """Answer a rule with the leaf at a path turned round."""
    if not path:
        return Group("and", (node,), negated=True)
    assert isinstance(node, Group)
    children = list(node.rules)
    children[path[0]] = turned(children[path[0]], path[1:])
    return Group(node.combinator, tuple(children), node.negated)
