"""What a selection of customers can say of segments and rules: `segment`, `rule` (JSON) and `q` (text)."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings

from customers.querysets import CustomerQuerySet
from customers.rules.periods import Moment
from customers.rules.reading import InvalidRule
from customers.segments.given import read_face, seen, seen_segment
from customers.selection import term
from parlant_site.common.errors import BadInput, NotFound


@term("segment")
def _segment(customers: CustomerQuerySet, value: Any, as_of: datetime) -> CustomerQuerySet:
    """Narrow to the members of a segment, by its id or name."""
    try:
        return customers.in_segment(seen_segment(str(value), by_name=True))
    except NotFound:
        raise BadInput.at("selection", "query", "segment", msg="There is no such segment", input=str(value)) from None


@term("rule")
def _rule(customers: CustomerQuerySet, value: Any, as_of: datetime) -> CustomerQuerySet:
    """Narrow to those whom a rule matches, given as JSON."""
    return _matching(customers, "rule", value, as_of)


@term("q")
def _text(customers: CustomerQuerySet, value: Any, as_of: datetime) -> CustomerQuerySet:
    """Narrow to those whom a rule matches, given as text."""
    return _matching(customers, "q", value, as_of)


def _matching(customers: CustomerQuerySet, name: str, value: Any, as_of: datetime) -> CustomerQuerySet:
    try:
        rule = seen(read_face("rule" if name == "rule" else "text", value))
    except InvalidRule as invalid:
        raise invalid.under("selection", "query", name) from None
    return customers.matching(rule, Moment(as_of, ZoneInfo(settings.TIME_ZONE)))
