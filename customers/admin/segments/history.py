"""How large a segment was day by day, and who entered and left on one of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from customers.admin.segments.figures import cause_label
from customers.admin.segments.members import VIAS
from customers.models import Customer, Segment
from customers.segments.history import MembershipEvent, Move, SegmentDay
from customers.segments.models import Via
from parlant_site.common.console.charts import points
from parlant_site.common.console.markup import named, page_of

SPANS = (30, 90, 365)
SHOWN = 100
WIDTH, HEIGHT, MOVES_HEIGHT = 720, 120, 60


@dataclass(frozen=True)
class Day:
    """A day of the chart: its numbers, and where its bars stand in the chart's own units."""

    day: date
    size: int
    entered: int
    left: int
    x: float
    width: float
    in_height: float
    out_height: float

    @property
    def in_y(self) -> float:
        """Answer the upper edge of the bar of who entered; it stands on the middle line."""
        return MOVES_HEIGHT / 2 - self.in_height

    @property
    def has_moved(self) -> bool:
        """Whether somebody entered or left."""
        return bool(self.entered or self.left)


def history_page(request: HttpRequest, context: dict[str, Any], segment: Segment) -> HttpResponse:
    """Show the size per day as a chart and a table, and the events of a chosen day."""
    span = next((each for each in SPANS if str(each) == request.GET.get("span")), SPANS[0])
    days = days_of(segment, span)
    context |= {
        "tab": "history",
        "days": days,
        "span": span,
        "spans": SPANS,
        "line": points([day.size for day in days], WIDTH, HEIGHT, edge=4),
        "area": f"4,{HEIGHT} {points([day.size for day in days], WIDTH, HEIGHT, edge=4)} {WIDTH - 4},{HEIGHT}",
        "chart": {"width": WIDTH, "height": HEIGHT, "moves": MOVES_HEIGHT, "middle": MOVES_HEIGHT // 2},
        "highest": max(day.size for day in days),
        "lowest": min(day.size for day in days),
        "entered": sum(day.entered for day in days),
        "left": sum(day.left for day in days),
        **_events_of_day(request, segment, context["may_see_customers"]),
    }
    return TemplateResponse(request, "admin/customers/segment/history.html", context)


def days_of(segment: Segment, span: int) -> list[Day]:
    """Answer so many days up to today; on days without movement the size is that of the day before."""
    today = timezone.localdate()
    first = today - timedelta(days=span - 1)
    rows = {row.day: row for row in SegmentDay.objects.filter(segment_id=segment.pk, day__gte=first)}
    earlier = SegmentDay.objects.filter(segment_id=segment.pk, day__lt=first).order_by("-day").first()
    size, width = earlier.size if earlier else 0, WIDTH / span
    most = max([*(max(row.entered, row.left) for row in rows.values()), 1])
    found = []
    for number in range(span):
        day = first + timedelta(days=number)
        row = rows.get(day)
        entered, left = (row.entered, row.left) if row else (0, 0)
        size = row.size if row else size
        heights = [n and max(2.0, n / most * (MOVES_HEIGHT / 2 - 1)) for n in (entered, left)]
        found.append(Day(day, size, entered, left, number * width, width * 0.8, *heights))
    return found


def _events_of_day(request: HttpRequest, segment: Segment, may_see: bool) -> dict[str, Any]:
    try:
        day = parse_date(request.GET.get("day", ""))
    except ValueError:
        day = None
    if day is None or not 1900 < day.year < 9000:
        return {"day": None}
    events = MembershipEvent.objects.filter(segment_id=segment.pk, at__date=day).order_by("-offset")
    before = request.GET.get("before", "")
    if before.isascii() and before.isdigit() and len(before) < 18:
        events = events.filter(offset__lt=int(before))
    page = list(events[: SHOWN + 1])
    keys = [event.customer_ref for event in page]
    names = dict(Customer.objects.filter(pk__in=keys).values_list("pk", "name")) if may_see else {}
    return {
        "day": day,
        "events": [_shown(event, names, may_see) for event in page[:SHOWN]],
        "before": page[SHOWN - 1].offset if len(page) > SHOWN else "",
    }


def _shown(event: MembershipEvent, names: dict[str, str], may_see: bool) -> dict[str, Any]:
    who: SafeString | str = "•••"
    if event.customer_ref in names:
        who = named(names[event.customer_ref], event.customer_ref, page_of(Customer(pk=event.customer_ref)))
    elif may_see:
        who = format_html('<span class="key">{}</span>', event.customer_ref)
    return {
        "who": who,
        "at": event.at,
        "is_in": event.move == Move.ENTERED,
        "why": cause_label(event.cause),
        "via": VIAS[Via(event.via)] if event.via == Via.PIN else "",
        "version": "" if event.via == Via.LIST else _("version %d of the rule") % event.rule_version,
    }
