"""What a leaf asks, once its value has been read: the one definition that Python and SQL carry out.

Every operator becomes one of a few tests, perhaps turned round. A test of a value that is missing, or that does not
parse as what the operator asks for, does not hold; its complement therefore does.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias, cast

from customers.rules.fields import Field, Kind, field_named
from customers.rules.operators import OPERATORS, Shape, operators_of
from customers.rules.patterns import Pattern, read_pattern
from customers.rules.periods import PERIODS, Length, Moment, day_or_instant, edges_of, is_day, period
from customers.rules.tree import Leaf
from customers.rules.values import FALSE_TEXTS, TRUE_TEXTS, Span, fold_ascii
from parlant_site.common.json import JSONValue

LONGEST_TEXT = 1000
LONGEST_LIST = 1000
LARGEST_NUMBER = 10**15


class WrongLeaf(ValueError):
    """A part of a leaf is wrong: `part` is "field", "operator" or "value", the message says what to write."""

    def __init__(self, part: str, message: str) -> None:
        super().__init__(message)
        self.part = part


@dataclass(frozen=True)
class Equals:
    """The text is one of these, exactly."""

    texts: tuple[str, ...]


@dataclass(frozen=True)
class Contains:
    """The text has this in it, `at` its start, its end or anywhere; A-Z and a-z are the same. `text` is folded."""

    at: str
    text: str


@dataclass(frozen=True)
class Matches:
    """The pattern is found in the text."""

    pattern: Pattern


@dataclass(frozen=True)
class Within:
    """The number lies between two bounds; `open` bounds are not within."""

    low: float | None
    high: float | None
    is_open: bool = False


@dataclass(frozen=True)
class During:
    """The date lies in a stretch of time; `leaf` tells which, given the moment."""

    leaf: Leaf

    @property
    def is_relative(self) -> bool:
        """Whether the stretch moves as time passes."""
        return self.leaf.operator in ("withinLast", "moreThanAgo", "this", "last")

    def span(self, moment: Moment) -> Span:
        """Answer the stretch of time."""
        operator, value = self.leaf.operator, self.leaf.value
        if operator == "withinLast":
            return Span(Length.read(value).before(moment), moment.edge(moment.now))
        if operator == "moreThanAgo":
            return Span(None, Length.read(value).before(moment))
        if operator in ("this", "last"):
            return period(str(value), moment, back=int(operator == "last"))
        if operator in ("between", "notBetween"):
            first, last = cast(list[str], value)
            return Span(edges_of(first, moment)[0], edges_of(last, moment)[1])
        start, end = edges_of(str(value), moment)
        return {"before": Span(None, start), "after": Span(end, None), "on": Span(start, end)}[operator]


@dataclass(frozen=True)
class Known:
    """There is a value."""


@dataclass(frozen=True)
class Bears:
    """The customer has these tags, or is in these segments: any of them, or all."""

    ids: tuple[str, ...]
    every: bool


Test: TypeAlias = Equals | Contains | Matches | Within | During | Known | Bears


@dataclass(frozen=True)
class Asked:
    """A field, a test of it, and whether the leaf asks for the complement."""

    field: Field
    test: Test
    negated: bool


def asked_by(leaf: Leaf) -> Asked:
    """Answer what a leaf asks; WrongLeaf for one that cannot be asked."""
    field = field_named(leaf.field)
    if field is None:
        raise WrongLeaf("field", f"There is no field {leaf.field!r}")
    operator = OPERATORS.get(leaf.operator)
    if operator is None or operator.name not in (offered := operators_of(field)):
        offered = operators_of(field)
        raise WrongLeaf("operator", f"{field.label} takes one of: {', '.join(offered)}")
    name = operator.complement_of or operator.name
    return Asked(field, _test(field, name, operator.shape, leaf), negated=bool(operator.complement_of))


def _test(field: Field, name: str, shape: Shape, leaf: Leaf) -> Test:
    value = leaf.value
    if shape is Shape.NOTHING:
        if value is not None:
            raise WrongLeaf("value", f"{leaf.operator} takes no value: leave it out or write null")
        nothing: dict[str, Test] = {
            "exists": Known(),
            "empty": Equals(("",)),
            "isTrue": Equals(TRUE_TEXTS),
            "isFalse": Equals(FALSE_TEXTS),
        }
        return nothing[name]
    if shape is Shape.NAMES:
        return Bears(_texts(value, "id"), every=name == "all")
    if shape is Shape.TEXTS:
        return Equals(_chosen(field, _texts(value, "text")))
    if shape is Shape.TEXT:
        text = _text(value)
        if not text:
            raise WrongLeaf("value", "Write at least one character")
        if name == "matches":
            return _matches(text)
        return Contains({"contains": "anywhere", "beginsWith": "start", "endsWith": "end"}[name], fold_ascii(text))
    if shape is Shape.LITERAL and (field.kind is Kind.TEXT or (field.kind is Kind.METADATA and isinstance(value, str))):
        return Equals(_chosen(field, (_text(value),)))
    if shape in (Shape.LITERAL, Shape.NUMBER):
        return _bounds(name, _number(value))
    if shape is Shape.RANGE:
        return _range(field, leaf)
    return _during(shape, leaf)


def _bounds(name: str, number: float) -> Within:
    low = number if name in ("=", ">", ">=") else None
    high = number if name in ("=", "<", "<=") else None
    return Within(low, high, is_open=name in ("<", ">"))


def _range(field: Field, leaf: Leaf) -> Test:
    value = leaf.value
    if not isinstance(value, list) or len(value) != 2:
        raise WrongLeaf("value", "Write a list of two: from and to")
    if field.kind is Kind.MOMENT or (field.kind is Kind.METADATA and isinstance(value[0], str)):
        return _during(Shape.RANGE, leaf)
    low, high = _number(value[0]), _number(value[1])
    if low > high:
        raise WrongLeaf("value", "The first number is larger than the second")
    return Within(low, high)


def _during(shape: Shape, leaf: Leaf) -> During:
    value = leaf.value
    try:
        if shape is Shape.LENGTH:
            if str(Length.read(value)) != value:
                raise ValueError(f'Write "{Length.read(value)}"')
        elif shape is Shape.PERIOD:
            if value not in PERIODS:
                raise ValueError(f"Write one of: {', '.join(PERIODS)}")
        elif shape is Shape.RANGE:
            first, last = cast(list[JSONValue], value)
            if _is_later(day_or_instant(first), day_or_instant(last)):
                raise ValueError("The first date is later than the second")
        else:
            day_or_instant(value)
            if leaf.operator == "on" and not is_day(str(value)):
                raise ValueError('Write a date without a time, such as "2026-03-01"')
    except ValueError as error:
        raise WrongLeaf("value", str(error)) from None
    for text in value if isinstance(value, list) else [value]:
        if shape in (Shape.DATE, Shape.RANGE) and not "1000-01-02" <= str(text) < "9998":
            raise WrongLeaf("value", "Write a year from 1000 to 9997")
    return During(leaf)


def _is_later(one: datetime, other: datetime) -> bool:
    """Whether a date is later than another, as it is written and as an instant; of two kinds of dates nobody knows."""
    if (one.tzinfo is None) is not (other.tzinfo is None):
        return False
    return one > other and one.replace(tzinfo=None) > other.replace(tzinfo=None)


def _matches(text: str) -> Matches:
    try:
        return Matches(read_pattern(text))
    except ValueError as error:
        raise WrongLeaf("value", str(error)) from None


def _chosen(field: Field, texts: tuple[str, ...]) -> tuple[str, ...]:
    if field.choices and (unknown := [text for text in texts if text not in field.choices]):
        raise WrongLeaf("value", f"{unknown[0]!r} is none of: {', '.join(field.choices)}")
    return texts


def _text(value: JSONValue) -> str:
    if not isinstance(value, str):
        raise WrongLeaf("value", "Write a text")
    if len(value) > LONGEST_TEXT:
        raise WrongLeaf("value", f"A text may have {LONGEST_TEXT} characters at most")
    return value


def _texts(value: JSONValue, what: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise WrongLeaf("value", f"Write a list of at least one {what}")
    if len(value) > LONGEST_LIST:
        raise WrongLeaf("value", f"A list may have {LONGEST_LIST} entries at most")
    return tuple(_text(entry) for entry in value)


def _number(value: JSONValue) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise WrongLeaf("value", "Write a number, without quotes")
    if abs(value) > LARGEST_NUMBER:
        raise WrongLeaf("value", "A number may be 10^15 at most")
    return float(value)
