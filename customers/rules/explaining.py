"""Why a customer is, or is not, matched by a rule: node by node, with the actual value and how far it is off.

The answer of each node is the evaluator's, which agrees with SQL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from customers.rules.asking import asked_by
from customers.rules.distances import Distance, distance
from customers.rules.evaluating import Facts, predicate
from customers.rules.facts import facts_of
from customers.rules.fields import METADATA_PREFIX, Kind
from customers.rules.periods import Moment
from customers.rules.tree import Group, Leaf, Node, Path
from customers.rules.values import FALSE_TEXTS, TRUE_TEXTS, moment_of, number_of
from parlant_site.common.errors import NotFound
from parlant_site.common.json import JSONValue
from parlant_site.common.personal import MASK, sight


@dataclass(frozen=True)
class Explanation:
    """What a rule's node says of a customer.

    Of a leaf also the actual value, what it is (`type`: text, number, date, boolean, missing, list) and, when the leaf
    does not hold, how far it is from holding. `decides`: turning this one leaf would turn the rule.
    """

    node: Node
    path: Path
    holds: bool
    parts: tuple[Explanation, ...] = ()
    actual: JSONValue = None
    type: str = ""
    distance: Distance | None = None
    decides: bool = False

    def to_json(self) -> dict[str, JSONValue]:
        """Answer the explanation as callers see it, as a tree in the shape of the rule."""
        shown: dict[str, JSONValue] = {"path": [*self.path], "holds": self.holds}
        if isinstance(self.node, Group):
            return {
                **shown,
                "combinator": self.node.combinator,
                "not": self.node.negated,
                "rules": [part.to_json() for part in self.parts],
            }
        if self.node.field.startswith(METADATA_PREFIX) and sight().hides(self.node.field.removeprefix(METADATA_PREFIX)):
            masked: dict[str, JSONValue] = {"value": MASK, "actual": None if self.actual is None else MASK}
            kept: dict[str, JSONValue] = {
                "field": self.node.field,
                "operator": self.node.operator,
                "decides": self.decides,
            }
            return {**shown, **kept, **masked, "type": "masked", "distance": None}
        return {
            **shown,
            "field": self.node.field,
            "operator": self.node.operator,
            "value": self.node.value,
            "actual": self.actual,
            "type": self.type,
            "distance": self.distance.to_json() if self.distance else None,
            "decides": self.decides,
        }

    def leaves(self) -> Iterable[Explanation]:
        """Answer the explanations of the leaves, in order."""
        if isinstance(self.node, Leaf):
            yield self
        for part in self.parts:
            yield from part.leaves()


def explain(rule: Group, customer_id: str, moment: Moment) -> Explanation:
    """Explain what a valid rule says of a customer; four queries by key. NotFound for an unknown customer."""
    facts = facts_of([customer_id])
    if customer_id not in facts:
        raise NotFound("Customer", customer_id)
    return explainer(rule, moment)(facts[customer_id])


Explain = Callable[[Facts], Explanation]


def explainer(rule: Group, moment: Moment) -> Explain:
    """Answer a function that explains a valid rule for one customer after another."""
    explain_node = _explainer(rule, (), moment)
    return lambda facts: explain_node(facts, True)


def _explainer(node: Node, path: Path, moment: Moment) -> Callable[[Facts, bool], Explanation]:
    """The function's second argument: whether the rule turns when this node does."""
    if isinstance(node, Leaf):
        return _leaf(node, path, moment)
    parts = [_explainer(child, (*path, index), moment) for index, child in enumerate(node.rules)]
    holds_of = [predicate(child, moment) for child in node.rules]
    neutral = node.combinator == "and"  # what the other parts must be for one part to decide

    def answer(facts: Facts, decides: bool) -> Explanation:
        holds = [holds_of_part(facts) for holds_of_part in holds_of]
        others = [sum(1 for one in holds if one is not neutral) - (one is not neutral) for one in holds]
        explained = tuple(part(facts, decides and other == 0) for part, other in zip(parts, others, strict=True))
        held = all(holds) if neutral else any(holds)
        return Explanation(node, path, held is not node.negated, explained)

    return answer


def _leaf(leaf: Leaf, path: Path, moment: Moment) -> Callable[[Facts, bool], Explanation]:
    asked, holds_of = asked_by(leaf), predicate(leaf, moment)

    def answer(facts: Facts, decides: bool) -> Explanation:
        value, holds = facts.value(asked.field), holds_of(facts)
        return Explanation(
            leaf,
            path,
            holds,
            actual=_shown(value),
            type=_type(value, asked.field.kind),
            distance=None if holds else distance(asked, value, moment),
            decides=decides,
        )

    return answer


def _shown(value: object) -> JSONValue:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, frozenset):
        return sorted(value)
    return value if isinstance(value, (str, int, float)) else None


def _type(value: object, kind: Kind) -> str:
    if value is None:
        return "missing"
    if kind is Kind.METADATA:
        return type_of_text(str(value))
    return {Kind.NUMBER: "number", Kind.MOMENT: "date", Kind.TEXT: "text"}.get(kind, "list")


def type_of_text(text: str) -> str:
    """Answer what a metadata text is: number, date, boolean, empty or text."""
    if not text:
        return "empty"
    if number_of(text) is not None:
        return "number"
    if moment_of(text) is not None:
        return "date"
    return "boolean" if text in TRUE_TEXTS + FALSE_TEXTS else "text"
