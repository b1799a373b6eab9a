"""What a list of customers shows, as a rule: so that a filter becomes a segment, and its choices can be counted."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import Any

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS
from django.db.models import Count as CountOf
from django.utils import timezone
from django.utils.timezone import get_default_timezone

from customers.insight.counting import Count, Counter
from customers.insight.limits import TookTooLong, time_limited
from customers.insight.remembering import kept
from customers.insight.sampling import sample_of
from customers.models import CustomerTag
from customers.querysets import CustomerQuerySet
from customers.rules.faces import DatabaseNames, UnreadableRule, read_text, write_text
from customers.rules.fields import BY_TEXT, METADATA_PREFIX
from customers.rules.periods import Moment
from customers.rules.tree import Group, Leaf, Node, leaves
from customers.selection import narrowed
from parlant_site.common.console.listing import COUNTED
from parlant_site.common.errors import BadInput
from parlant_site.common.json import JSONValue

COUNTED_WITHIN = 0.05  # for each filter, of the time in which the page should be there
_SECONDS = 60.0
_CONVERSATIONS = {
    "human": Leaf("manual_session_count", ">", 0),
    "any": Leaf("session_count", ">", 0),
    "none": Leaf("session_count", "=", 0),
}


def rule_in(text: str) -> Group | None:
    """Answer the rule that the query bar holds; None for words to search for.

    A rule names a field, such as "tag:VIP" or "metadata.mrr > 500"; texts that stand alone are words.
    """
    if not any(mark in text for mark in ":=<>") and not _names_a_field(text):
        return None
    try:
        rule = read_text(text, DatabaseNames())
    except UnreadableRule:
        return None
    bare = all(leaf.field == "name" and leaf.operator == "contains" for _path, leaf in leaves(rule))
    return None if bare and "name" not in text.lower() else rule


def found_by(rows: CustomerQuerySet, words: str) -> CustomerQuerySet:
    """Answer the rows that the query bar asks for: those whom its rule matches, else those with all its words."""
    try:
        return rows.search(words) if rule_in(words) is None else matching_rule(rows, words)
    except BadInput:  # a rule about what this operator may not see
        return rows.none()


def matching_rule(rows: CustomerQuerySet, text: str) -> CustomerQuerySet:
    """Answer the rows whom a rule matches.

    So many as the list counts are looked up once, for the page and its number to share; of more, the first ones in the
    list's order are found soon.
    """
    matching = narrowed(rows, "q", text, timezone.now())
    keys = list(matching.order_by().values_list("pk", flat=True)[: COUNTED + 1])
    return rows.among(keys) if len(keys) <= COUNTED else matching


def problem_in(text: str) -> str:
    """Answer why a text that begins like a rule is none; "" for words and for rules."""
    if not _names_a_field(text):
        return ""
    try:
        read_text(text, DatabaseNames())
    except UnreadableRule as unreadable:
        return str(unreadable.problems[0]["msg"])
    return ""


def _names_a_field(text: str) -> bool:
    first = text.lstrip(" (").removeprefix("not ").lstrip(" (")
    if first.startswith(METADATA_PREFIX):
        return True
    word = first.replace(":", " ").split(" ")[0]
    return word in BY_TEXT and len(first.replace(":", " ").split()) > 1


def rule_of(query: Mapping[str, JSONValue]) -> Group:
    """Answer the rule that says what the terms of a list's query say; words are looked for in names and ids."""
    nodes: list[Node] = []
    for term, value in query.items():
        nodes += _nodes_of(term, value)
    if len(nodes) == 1 and isinstance(nodes[0], Group):
        return nodes[0]
    return Group("and", tuple(nodes))


def _nodes_of(term: str, value: Any) -> Iterable[Node]:
    if term == "search":
        for word in str(value).split():
            yield Group("or", (Leaf("name", "contains", word), Leaf("id", "contains", word)))
    elif term == "q":
        rule = read_text(str(value), DatabaseNames())
        yield from rule.rules if rule.combinator == "and" and not rule.negated else (rule,)
    elif term in ("tags", "segment"):
        keys = {"any": [str(value)]} if term == "segment" else value
        for operator, ids in keys.items():
            yield Leaf("segments" if term == "segment" else "tags", operator, [*ids])
    elif term == "seen" and value == "never":
        yield Leaf("last_seen", "missing")
    elif term in ("seen", "created"):
        days = int(value)
        length = f"{abs(days)} day{'' if abs(days) == 1 else 's'}"
        field = "last_seen" if term == "seen" else "creation_utc"
        yield Leaf(field, "moreThanAgo" if days < 0 else "withinLast", length)
    elif term == "conversations":
        yield _CONVERSATIONS[str(value)]


def text_of(query: Mapping[str, JSONValue]) -> str:
    """Answer the rule as text."""
    return write_text(rule_of(query), DatabaseNames())


def counts_of(term: str, values: Iterable[str]) -> dict[str, Count]:
    """Count the customers for each choice of a filter: exactly where that is quick, else estimated; once a minute."""
    wanted = tuple(values)

    def count() -> dict[str, Count]:
        moment = Moment(timezone.now(), get_default_timezone())
        counter = Counter(moment, DEFAULT_DB_ALIAS, time.monotonic() + COUNTED_WITHIN)
        try:
            return counter.every({value: rule_of({term: value}) for value in wanted})
        except TookTooLong:
            return {}

    return kept(("filter", term, wanted, settings.TIME_ZONE), _SECONDS, count)


def counts_of_tags() -> dict[str, Count]:
    """Count the customers of each tag; estimated where that takes long."""

    def count() -> dict[str, Count]:
        rows = CustomerTag.objects.order_by().values_list("tag_id").annotate(CountOf("pk"))
        try:
            with time_limited(COUNTED_WITHIN):
                return {str(key): Count(number, True) for key, number in rows}
        except TookTooLong:
            sample = sample_of(DEFAULT_DB_ALIAS)
            some = rows.filter(customer_id__in=sample.ids)
            return {str(key): Count(sample.scaled(number, len(sample.ids)), False) for key, number in some}

    return kept("filter tags", _SECONDS, count)
