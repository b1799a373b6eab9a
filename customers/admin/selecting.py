"""What a list of customers shows, as the selection that an action is for, and in words."""

from __future__ import annotations

from typing import Any

from django.http import QueryDict
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from customers.admin.filters import (
    AnsweredByFilter,
    CreatedFilter,
    CustomerFilter,
    LastSeenFilter,
    SegmentFilter,
    TagFilter,
)
from customers.admin.from_list import rule_in
from customers.selection import Selection
from parlant_site.common.json import JSONValue

FILTERS: tuple[type[CustomerFilter], ...] = (TagFilter, SegmentFilter, LastSeenFilter, CreatedFilter, AnsweredByFilter)


def words_of(data: QueryDict) -> str:
    """Answer what is searched for."""
    return data.get("q", "").replace("\0", "").strip()


def selection_of(data: QueryDict) -> Selection:
    """Answer the customers whose rows were ticked (`ids`), or without any all whom the list's address matches.

    `as_of` is the instant at which the list was shown; who came later is not in the selection.
    """
    ids = [key for key in data.getlist("ids") if key and "\0" not in key]
    return Selection.of(ids) if ids else Selection.matching(query_of(data), as_of=_instant(data.get("as_of", "")))


def query_of(data: QueryDict) -> dict[str, JSONValue]:
    """Answer the terms that say what the parameters of the list say."""
    query: dict[str, JSONValue] = {}
    if words := words_of(data):
        query["search" if rule_in(words) is None else "q"] = words
    for each in FILTERS:
        values = [value for value in data.getlist(each.name) if value and "\0" not in value]
        if values and (value := each().value_of(values)) is not None:
            query[each.term] = value
    return query


def in_words(kept: dict[str, Any]) -> list[str]:
    """Answer what a selection that a job keeps says, term by term; nothing for everybody."""
    if "ids" in kept:
        return [_("chosen one by one")]
    by_term = {each.term: each() for each in FILTERS}
    said = []
    for name, value in kept.get("query", {}).items():
        if name == "search":
            said.append(_("Search: %s") % value)
        elif name == "q":
            said.append(_("Rule: %s") % value)
        else:
            said.append(by_term[name].in_words(value) if name in by_term else f"{name}: {value}")
    return said


def _instant(text: str) -> Any:
    now = timezone.now()
    try:
        instant = parse_datetime(text)
    except (ValueError, OverflowError):
        return now
    return min(instant, now) if instant and instant.tzinfo else now
