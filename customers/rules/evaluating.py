"""Carrying out rules in Python: what a rule says of one customer, leaf by leaf."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeAlias

from customers.rules.asking import Asked, Bears, Contains, During, Equals, Known, Matches, Within, asked_by
from customers.rules.fields import Field, Kind
from customers.rules.periods import Moment
from customers.rules.tree import Group, Leaf, Node
from customers.rules.values import fold_ascii, number_of


@dataclass(frozen=True)
class Facts:
    """What is known of one customer; the names are those of the fields."""

    id: str
    name: str
    creation_utc: datetime
    metadata: Mapping[str, object] = field(default_factory=dict)
    tags: frozenset[str] = frozenset()
    segments: frozenset[str] = frozenset()
    first_seen: datetime | None = None
    last_seen: datetime | None = None
    last_message_utc: datetime | None = None
    waiting_since: datetime | None = None
    last_message_source: str = ""
    session_count: int = 0
    manual_session_count: int = 0
    customer_message_count: int = 0
    ai_message_count: int = 0
    human_message_count: int = 0

    def value(self, field: Field) -> object:
        """Answer the value of a field; None when it is missing."""
        if field.kind is Kind.METADATA:
            text = self.metadata.get(field.key)
            return text if isinstance(text, str) else None
        value = getattr(self, field.name)
        return None if value == "" and field.may_miss else value


Predicate: TypeAlias = Callable[[Facts], bool]


def predicate(node: Node, moment: Moment) -> Predicate:
    """Answer a function that tells whether the node holds for a customer at a moment."""
    if isinstance(node, Leaf):
        return _leaf(asked_by(node), moment)
    parts = [predicate(child, moment) for child in node.rules]
    negated = node.negated
    if node.combinator == "and":
        return lambda facts: all(part(facts) for part in parts) is not negated
    return lambda facts: any(part(facts) for part in parts) is not negated


def _leaf(asked: Asked, moment: Moment) -> Predicate:
    holds = test_of(asked, moment)
    field, negated = asked.field, asked.negated

    def answer(facts: Facts) -> bool:
        value = facts.value(field)
        return (value is not None and holds(value)) is not negated

    return answer


def test_of(asked: Asked, moment: Moment) -> Callable[[object], bool]:
    """Answer a function that tells whether a value, which is there, passes the test; the complement is not regarded."""
    test = asked.test
    if isinstance(test, Known):
        return lambda value: True
    if isinstance(test, Equals):
        return lambda value: value in test.texts
    if isinstance(test, Contains):
        return lambda value: _contains(test, fold_ascii(str(value)))
    if isinstance(test, Matches):
        return lambda value: test.pattern.found_in(str(value))
    if isinstance(test, Within):
        return lambda value: _within(test, number_of(value) if isinstance(value, str) else float(str(value)))
    if isinstance(test, Bears):
        wanted = frozenset(test.ids)
        if test.every:
            return lambda value: isinstance(value, frozenset) and wanted <= value
        return lambda value: isinstance(value, frozenset) and bool(wanted & value)
    assert isinstance(test, During)
    span = test.span(moment)
    return lambda value: span.has_text(value) if isinstance(value, str) else span.has_instant(_instant(value))


def _instant(value: object) -> datetime:
    assert isinstance(value, datetime)
    return value


def _contains(test: Contains, folded: str) -> bool:
    if test.at == "start":
        return folded.startswith(test.text)
    return folded.endswith(test.text) if test.at == "end" else test.text in folded


def _within(test: Within, number: float | None) -> bool:
    if number is None:
        return False
    if test.low is not None and (number <= test.low if test.is_open else number < test.low):
        return False
    return not (test.high is not None and (number >= test.high if test.is_open else number > test.high))


def is_in(rule: Group, facts: Facts, moment: Moment) -> bool:
    """Answer whether the rule holds for a customer at a moment."""
    return predicate(rule, moment)(facts)
