"""How much up to four segments overlap."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _

from customers.models import Segment
from customers.segments.overlapping import MOST, overlap

OFFERED = 300


def overlap_page(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """Choose segments, and show how many are in each of them, in two of them, and so on."""
    keys = [key for key in dict.fromkeys(request.GET.getlist("segment")) if "\0" not in key]
    chosen = list(Segment.objects.filter(pk__in=keys[: MOST + 1]).order_by("name"))
    rows: list[dict[str, Any]] = []
    if 2 <= len(chosen) <= MOST:
        found = overlap(chosen)
        most = max([each.members for each in found]) or 1
        rows = [
            {
                "segments": each.segments,
                "members": each.members,
                "only": each.only,
                "width": round(each.members / most * 100, 1),
                "is_single": len(each.segments) == 1,
                "share": _share(each.members, min(one.size for one in each.segments)),
            }
            for each in found
        ]
    problem = _("Choose %d segments at most.") % MOST if len(chosen) > MOST else ""
    return TemplateResponse(
        request,
        "admin/customers/segment/overlap.html",
        {
            **context,
            "title": _("Overlap of segments"),
            "offered": list(Segment.objects.order_by("name")[:OFFERED]),
            "chosen": {one.pk for one in chosen},
            "rows": rows,
            "problem": problem,
            "most": MOST,
        },
    )


def _share(members: int, smallest: int) -> str:
    return f"{100 * members / smallest:.0f} %" if smallest else ""
