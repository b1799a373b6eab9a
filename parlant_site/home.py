"""The home page: what needs attention, each number with the list behind it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.db.models import Count, F, Q
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from customers.admin.segments.figures import Figures
from customers.jobs.models import DataJob, State
from customers.models import Customer, Segment
from customers.segments.history import SegmentDay
from parlant_site.common.console.markup import list_of
from sessions_app.admin.sessions import customer_link, tags_of
from sessions_app.events import Mode
from sessions_app.message_days import MessageDay, last_days
from sessions_app.models import Session

WAITING_SHOWN = 8
MOVED_SHOWN = 5
BAR_WIDTH, BAR_GAP, HEIGHT = 36, 8, 120


@dataclass(frozen=True)
class Number:
    """A number and the list behind it."""

    label: Any
    value: str
    link: str
    is_urgent: bool = False


@dataclass(frozen=True)
class Bar:
    """A day of the chart, in the chart's own units."""

    day: date
    count: int | None
    link: str
    x: int
    y: int
    height: int


def home(request: HttpRequest) -> dict[str, Any]:
    """Answer what the page shows to this operator."""
    context: dict[str, Any] = {"title": _("Home")}
    numbers: list[Number] = []
    if request.user.has_perm("sessions_app.view_session"):
        numbers += _session_numbers()
        waiting = Session.objects.filter(waiting_since__isnull=False).select_related("customer", "agent")
        rows = waiting.prefetch_related("customer__tag_links__tag").order_by("waiting_since", "pk")[:WAITING_SHOWN]
        context["waiting"] = [(session, customer_link(request, session), tags_of(session)) for session in rows]
        context["may_see_sessions"] = True
        context |= _chart()
    if request.user.has_perm("customers.view_customer"):
        newcomers = _some(Customer.objects.filter(creation_utc__gte=timezone.now() - timedelta(days=7)))
        seen = _some(Customer.objects.filter(last_seen__gte=timezone.now() - timedelta(days=7)))
        numbers.append(Number(_("New customers, 7 days"), newcomers, list_of("customers_customer", created=7)))
        numbers.append(Number(_("Customers who wrote, 7 days"), seen, list_of("customers_customer", seen=7)))
    if request.user.has_perm("customers.view_segment"):
        context["moved"] = _moved_today()
    if request.user.has_perm("customers.view_datajob"):
        recent = DataJob.objects.filter(state=State.FAILED, creation_utc__gte=timezone.now() - timedelta(days=7))
        failed = _some(recent)
        link = list_of("customers_datajob", state="failed", when=7)
        numbers.append(Number(_("Failed data jobs, 7 days"), failed, link, failed != "0"))
    context["numbers"] = numbers
    return context


def _moved_today() -> list[dict[str, Any]]:
    """Answer the segments that moved most today, with their last 30 days."""
    today = SegmentDay.objects.filter(day=timezone.localdate()).order_by()
    days = list(today.annotate(moves=F("entered") + F("left")).order_by("-moves", "segment_id")[:MOVED_SHOWN])
    segments = Segment.objects.in_bulk([day.segment_id for day in days])
    figures = Figures().of(segments.values())
    return [
        {"segment": segment, "line": figures.line(segment), "moved": figures.moved(segment)}
        for day in days
        if (segment := segments.get(day.segment_id)) and day.entered + day.left
    ]


def _session_numbers() -> list[Number]:
    now = timezone.now()
    waiting = Session.objects.filter(waiting_since__isnull=False).aggregate(
        all=Count("pk"),
        hour=Count("pk", filter=Q(waiting_since__lt=now - timedelta(hours=1))),
    )
    manual = _some(Session.objects.filter(mode=Mode.MANUAL))
    opened = _some(Session.objects.filter(creation_utc__gte=now - timedelta(days=1)))
    return [
        Number(
            _("Waiting"),
            f"{waiting['all']:,}",
            list_of("sessions_app_session", state="waiting", order="waiting"),
            bool(waiting["all"]),
        ),
        Number(
            _("Waiting over an hour"),
            f"{waiting['hour']:,}",
            list_of("sessions_app_session", state="waiting-hour", order="waiting"),
            bool(waiting["hour"]),
        ),
        Number(_("With operators"), manual, list_of("sessions_app_session", state="manual")),
        Number(_("Opened in the last day"), opened, list_of("sessions_app_session", opened=1)),
    ]


def _some(rows: Any) -> str:
    counted = rows.order_by()[:10_001].count()
    return "10,000+" if counted > 10_000 else f"{counted:,}"


def _chart() -> dict[str, Any]:
    """Answer messages per day as bars; the same numbers stand in a table. A day that nobody counted yet has no bar."""
    days = last_days()
    rows = {row.day: row for row in MessageDay.objects.filter(day__in=days)}
    most = max([row.messages for row in rows.values()] or [0]) or 1
    bars = []
    for place, day in enumerate(days):
        row = rows.get(day)
        count = row.messages if row else None
        height = max(round((count or 0) / most * (HEIGHT - 16)), 2 if count else 1)
        link = list_of("sessions_app_session", said=day.isoformat())
        bars.append(Bar(day, count, link, place * (BAR_WIDTH + BAR_GAP), HEIGHT - height, height))
    today = rows.get(days[-1])
    return {
        "bars": bars if rows else [],
        "bar_width": BAR_WIDTH,
        "chart_width": len(bars) * (BAR_WIDTH + BAR_GAP) - BAR_GAP,
        "chart_height": HEIGHT,
        "messages_in_all": sum(row.messages for row in rows.values()),
        "counted": today.counted_utc if today else None,
    }
