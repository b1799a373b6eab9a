"""The operators of rules, how the text and the sentence say them, and which ones are another's complement."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from customers.rules.fields import Field, Kind


class Shape(Enum):
    """What an operator's value looks like."""

    NOTHING = "no value"
    TEXT = "a text"
    TEXTS = "a list of texts"
    NUMBER = "a number"
    DATE = "a date or time"
    LENGTH = "a length of time"
    PERIOD = "day, week, month or year"
    LITERAL = "a text or a number"
    RANGE = "two numbers or two dates"
    NAMES = "a list of ids"


@dataclass(frozen=True)
class Operator:
    """An operator: its name in JSON, its words in the text and in the sentence, its value.

    `{}` in the words stands for the value; without it the value follows. `complement_of` names the operator of which it
    is exactly the opposite.
    """

    name: str
    text: str
    sentence: str
    shape: Shape
    complement_of: str = ""


OPERATORS = {
    operator.name: operator
    for operator in (
        Operator("=", "=", "is", Shape.LITERAL),
        Operator("!=", "!=", "is not", Shape.LITERAL, "="),
        Operator("<", "<", "is less than", Shape.NUMBER),
        Operator("<=", "<=", "is at most", Shape.NUMBER),
        Operator(">", ">", "is more than", Shape.NUMBER),
        Operator(">=", ">=", "is at least", Shape.NUMBER),
        Operator("between", "between", "is between", Shape.RANGE),
        Operator("notBetween", "not between", "is not between", Shape.RANGE, "between"),
        Operator("contains", "contains", "has in it", Shape.TEXT),
        Operator("doesNotContain", "not contains", "does not have in it", Shape.TEXT, "contains"),
        Operator("beginsWith", "starts", "starts with", Shape.TEXT),
        Operator("doesNotBeginWith", "not starts", "does not start with", Shape.TEXT, "beginsWith"),
        Operator("endsWith", "ends", "ends with", Shape.TEXT),
        Operator("doesNotEndWith", "not ends", "does not end with", Shape.TEXT, "endsWith"),
        Operator("in", "in", "is one of", Shape.TEXTS),
        Operator("notIn", "not in", "is none of", Shape.TEXTS, "in"),
        Operator("matches", "matches", "matches the pattern", Shape.TEXT),
        Operator("doesNotMatch", "not matches", "does not match the pattern", Shape.TEXT, "matches"),
        Operator("empty", "is empty", "is an empty text", Shape.NOTHING),
        Operator("notEmpty", "is not empty", "is not an empty text", Shape.NOTHING, "empty"),
        Operator("exists", "exists", "is known", Shape.NOTHING),
        Operator("missing", "is missing", "is not known", Shape.NOTHING, "exists"),
        Operator("isTrue", "is true", "says yes", Shape.NOTHING),
        Operator("isFalse", "is false", "says no", Shape.NOTHING),
        Operator("before", "before", "is before", Shape.DATE),
        Operator("after", "after", "is after", Shape.DATE),
        Operator("on", "on", "is on", Shape.DATE),
        Operator("withinLast", "within {}", "is within the last {}", Shape.LENGTH),
        Operator("moreThanAgo", "more than {} ago", "is longer ago than {}", Shape.LENGTH),
        Operator("this", "this", "is in this", Shape.PERIOD),
        Operator("last", "last", "is in the last", Shape.PERIOD),
        Operator("any", "any", "include any of", Shape.NAMES),
        Operator("all", "all", "include all of", Shape.NAMES),
        Operator("none", "none", "include none of", Shape.NAMES, "any"),
    )
}

_TEXT = [
    "=",
    "!=",
    "contains",
    "doesNotContain",
    "beginsWith",
    "doesNotBeginWith",
    "endsWith",
    "doesNotEndWith",
    "in",
    "notIn",
    "matches",
    "doesNotMatch",
]
_NUMBER = ["=", "!=", "<", "<=", ">", ">=", "between", "notBetween"]
_MOMENT = ["before", "after", "on", "between", "notBetween", "withinLast", "moreThanAgo", "this", "last"]
_PRESENCE = ["exists", "missing"]
_BY_KIND = {
    Kind.TEXT: _TEXT,
    Kind.NUMBER: _NUMBER,
    Kind.MOMENT: _MOMENT,
    Kind.METADATA: list(dict.fromkeys([*_TEXT, "empty", "notEmpty", *_NUMBER, *_MOMENT, "isTrue", "isFalse"])),
    Kind.TAGS: ["any", "all", "none"],
    Kind.SEGMENTS: ["any", "all", "none"],
}


def operators_of(field: Field) -> list[str]:
    """Answer the names of the operators that a field takes."""
    return _BY_KIND[field.kind] + (_PRESENCE if field.may_miss else [])
