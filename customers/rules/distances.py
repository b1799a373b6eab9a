"""How far a customer's value is from what a leaf asks for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from customers.rules.asking import Asked, Bears, Contains, During, Equals, Known, Matches, Within
from customers.rules.periods import Moment
from customers.rules.values import Span, fold_ascii, moment_of, number_of
from parlant_site.common.json import JSONValue


@dataclass(frozen=True)
class Distance:
    """What keeps a leaf from holding.

    `kind` says what `by` is:

    - "number": so much must be added, or less than 0: taken away; a strict bound lies just beyond
    - "time": so many seconds later, or less than 0: earlier
    - "add", "add one of", "remove": ids of tags or segments
    - "missing": there is no value; "present": there is one
    - "type": the value is none of what `by` says: "number" or "date"
    - "case", "spaces": only upper and lower case, or only spaces around it, differ; "text": more does
    """

    kind: str
    by: JSONValue = None

    def to_json(self) -> dict[str, JSONValue]:
        """Answer {kind, by}."""
        return {"kind": self.kind, "by": self.by}


def distance(asked: Asked, value: object, moment: Moment) -> Distance:
    """Answer how far a value, for which the leaf does not hold, is from it."""
    test = asked.test
    if value is None:
        return Distance("missing")
    if isinstance(test, Known):
        return Distance("present")
    if isinstance(test, Within):
        number = number_of(value) if isinstance(value, str) else float(str(value))
        return _out_of_bounds(test, number, inside=asked.negated)
    if isinstance(test, During):
        return _out_of_span(test.span(moment), value, inside=asked.negated)
    if isinstance(test, Bears):
        return _unlike(test, frozenset(value) if isinstance(value, frozenset) else frozenset(), asked.negated)
    return Distance("text") if asked.negated else _text(test, str(value))


def _out_of_bounds(test: Within, number: float | None, *, inside: bool) -> Distance:
    if number is None:
        return Distance("type", "number")
    steps = [bound - number for bound in (test.low, test.high) if bound is not None]
    if not inside and test.low is not None and number <= test.low:
        steps = [test.low - number]
    elif not inside and test.high is not None:
        steps = [test.high - number]
    return Distance("number", _tidy(min(steps, key=abs)))


def _tidy(number: float) -> int | float:
    number = float(f"{number:.12g}")  # 500 - 499.9 is 0.1 to people
    return int(number) if number.is_integer() else number


def _out_of_span(span: Span, value: object, *, inside: bool) -> Distance:
    instant = moment_of(value) if isinstance(value, str) else value
    if not isinstance(instant, datetime):
        return Distance("type", "date")
    steps = []
    for edge in (span.start, span.end):
        if edge is not None:
            steps.append(_between(instant, edge.wall if instant.tzinfo is None else edge.utc))
    if not inside and len(steps) == 2:
        steps = [steps[0] if steps[0] > timedelta(0) else steps[1]]
    nearest = min(steps, key=abs, default=timedelta(0))
    return Distance("time", _tidy(nearest / timedelta(seconds=1)))


def _between(instant: datetime, edge: datetime) -> timedelta:
    # In local times: an offset can carry the year 9999 beyond what a datetime holds in UTC.
    if instant.tzinfo is None:
        return edge - instant
    offset = instant.utcoffset() or timedelta(0)
    return edge.astimezone(UTC).replace(tzinfo=None) - instant.replace(tzinfo=None) + offset


def _unlike(test: Bears, borne: frozenset[str], negated: bool) -> Distance:
    if negated:
        return Distance("remove", [*sorted(borne & set(test.ids))])
    absent = [key for key in test.ids if key not in borne]
    return Distance("add" if test.every else "add one of", [*absent])


def _text(test: Equals | Contains | Matches, text: str) -> Distance:
    if isinstance(test, Equals):
        if text.strip() in test.texts:
            return Distance("spaces")
        if fold_ascii(text) in {fold_ascii(wanted) for wanted in test.texts}:
            return Distance("case")
    return Distance("text")
