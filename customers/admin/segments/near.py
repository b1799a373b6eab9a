"""Who nearly matches a rule: row by row, whom this row alone keeps out."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from customers.admin.segments.explaining import explain_link
from customers.insight.limits import TookTooLong
from customers.insight.near import SAMPLES, NearMiss, near_misses
from customers.models import Segment
from customers.rules.faces import DatabaseNames, write_leaf
from customers.rules.tree import leaves
from customers.segments.given import masked

MOST_WITH_SAMPLES = 12


def near_page(request: HttpRequest, context: dict[str, Any], segment: Segment) -> HttpResponse:
    """Show for each row of the rule how many it alone keeps out, and some of them."""
    rule = segment.tree
    samples = SAMPLES if context["may_see_customers"] and sum(1 for _ in leaves(rule)) <= MOST_WITH_SAMPLES else 0
    names = DatabaseNames()
    misses: list[dict[str, Any]] | None = None
    try:
        found = near_misses(rule, segment.moment(), samples=samples)
        most = max([miss.count.number for miss in found], default=0) or 1
        shown = dict(leaves(masked(rule)))
        misses = [_shown(segment, replace(miss, leaf=shown[miss.path]), names, most) for miss in found]
        misses.sort(key=lambda row: -row["count"].number)
    except TookTooLong:
        pass
    return TemplateResponse(request, "admin/customers/segment/near.html", {**context, "tab": "near", "misses": misses})


def _shown(segment: Segment, miss: NearMiss, names: DatabaseNames, most: int) -> dict[str, Any]:
    return {
        "words": write_leaf(miss.leaf, names, sentence=True),
        "count": miss.count,
        "share": round(miss.count.number / most * 100),
        "sample": [(customer.name, explain_link(segment, customer.pk)) for customer in miss.sample],
    }


near_page.is_for_rules = True  # type: ignore[attr-defined]
