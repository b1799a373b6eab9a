"""Segments on the list of customers: as tabs, and made from what the list shows."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.http import urlencode

from customers.admin.filters import shown_count
from customers.admin.from_list import problem_in, rule_in, text_of
from customers.admin.within import within
from customers.insight.catalogue import metadata_keys
from customers.insight.counting import Count
from customers.models import Segment
from customers.rules.faces import write_leaf
from customers.rules.fields import METADATA_PREFIX
from customers.rules.tree import Leaf
from customers.segments.models import NAME_LENGTH
from parlant_site.common.console.listing import Listing

TABS = 8
KEYS, VALUES, MOST_DIFFERENT = 5, 6, 20
Choices = list[tuple[str, list[tuple[str, str, str]]]]  # (key, [(value, how many it would show, address)])


def list_segments(request: HttpRequest, listing: Listing) -> dict[str, Any]:
    """Answer the tabs, where to save what is shown as a segment, and common metadata values to narrow by."""
    from customers.admin.selecting import in_words, query_of, words_of

    words = words_of(request.GET)
    found: dict[str, Any] = {
        "rule_problem": problem_in(words) if words else "",
        "metadata_choices": _metadata_choices(request, words, listing),
    }
    if not request.user.has_perm("customers.view_segment"):
        return found
    here = request.GET.get("segment", "").replace("\0", "")
    tabs = list(Segment.objects.order_by("-size", "name")[:TABS])
    if here and here not in {each.pk for each in tabs}:
        tabs += Segment.objects.filter(pk=here)
    found |= {"segment_tabs": tabs, "segment_here": here if here in {each.pk for each in tabs} else ""}
    query = query_of(request.GET)
    if query and set(query) != {"segment"} and request.user.has_perm("customers.add_segment"):
        name = ", ".join(each.partition(": ")[2] or each for each in in_words({"query": query}))[:NAME_LENGTH]
        parameters = urlencode({"name": name, "text": text_of(query)})
        found["save_link"] = f"{reverse('admin:customers_segment_add')}?{parameters}"
    return found


def _metadata_choices(
    request: HttpRequest, words: str, listing: Listing
) -> list[tuple[str, list[tuple[str, str, str]]]]:
    """Answer the keys that have few different values: (key, [(value, how many it would show, address)])."""
    shown: list[tuple[str, list[tuple[str, str, str]]]] = []
    for row in metadata_keys():
        values = row.top_values(MOST_DIFFERENT + 1)
        if len(shown) == KEYS or not 1 < len(values) <= MOST_DIFFERENT:
            continue
        offered = {value: Count(number, not row.is_estimated) for value, number in values[:VALUES] if value}
        counts = within(listing).values(row.key, offered) if listing.is_narrowed else offered
        choices = [
            (
                value,
                shown_count(counts[value]) if value in counts else "",
                _narrowing(request, words, Leaf(METADATA_PREFIX + row.key, "=", value)),
            )
            for value in offered
        ]
        shown.append((row.key, choices))
    return shown


def _narrowing(request: HttpRequest, words: str, leaf: Leaf) -> str:
    """Answer the address of the list narrowed by one more leaf; words give way to it."""
    query = request.GET.copy()
    for name in ("after", "before"):
        query.pop(name, None)
    rule = rule_in(words) if words else None
    inner = words if rule is not None and (rule.combinator == "and" or len(rule.rules) < 2) else f"({words})"
    query["q"] = write_leaf(leaf) if rule is None else f"{inner} and {write_leaf(leaf)}"
    return f"?{query.urlencode()}"
