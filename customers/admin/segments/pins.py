"""The pins of a segment: who is in it, or out of it, whatever the rule says, and why."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from customers.admin.segments.explaining import explain_page
from customers.models import Segment

SHOWN = 200


def pins_page(request: HttpRequest, context: dict[str, Any], segment: Segment) -> HttpResponse:
    """Show the pins; pin somebody by her id."""
    if request.method == "POST":
        return explain_page(request, context, segment)
    rows = list(segment.pins.select_related("customer").order_by("-at", "-id")[: SHOWN + 1])
    context |= {"tab": "pins", "pins": rows[:SHOWN], "more": len(rows) > SHOWN}
    return TemplateResponse(request, "admin/customers/segment/pins.html", context)


pins_page.is_for_rules = pins_page.names_customers = True  # type: ignore[attr-defined]
