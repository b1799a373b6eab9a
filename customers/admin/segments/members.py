"""The members of a segment: now, or as of an instant."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from customers.admin.bulk import offers
from customers.admin.filters import SegmentFilter
from customers.admin.from_list import found_by, problem_in
from customers.admin.segments.explaining import said
from customers.admin.segments.figures import cause_label
from customers.models import Customer, Segment, SegmentMember
from customers.querysets import CustomerQuerySet
from customers.searching import few_or_many
from customers.segments.listing import add, take_off
from customers.segments.models import Via
from customers.segments.past import members_as_of
from parlant_site.common.console.keyset import Order
from parlant_site.common.console.listing import Column, Listing
from parlant_site.common.console.markup import NOTHING, ago, badge, named, page_of
from parlant_site.common.console.pages import NEWEST, OLDEST
from parlant_site.common.errors import Refusal

PAGE = 50
MOST_WRITTEN = 10_000
VIAS = {Via.RULE: gettext_lazy("Rule"), Via.PIN: gettext_lazy("Pin"), Via.LIST: gettext_lazy("List")}
ORDERS = (
    NEWEST,
    OLDEST,
    Order("seen", gettext_lazy("Last seen"), "last_seen", nullable=True),
    Order("-seen", gettext_lazy("Last seen"), "last_seen", descending=False, nullable=True),
    Order("name", gettext_lazy("Name"), "name", descending=False),
    Order("-name", gettext_lazy("Name"), "name"),
)


def members_page(request: HttpRequest, context: dict[str, Any], segment: Segment) -> HttpResponse:
    """Show who is in a segment, or who was; add to a list, and take off it."""
    if request.method == "POST":
        if not context["may_see_customers"]:
            raise PermissionDenied
        return _edit_list(request, segment)
    context |= {"days": _days(), "tab": "members", "at_text": request.GET.get("as_of", "")}
    if context["may_see_customers"]:
        context["take_off"] = request.path if segment.is_static and context["may_change"] else ""
        instant = instant_of(request.GET.get("as_of", ""))
        context |= {"at": instant, **(_then(request, segment, instant) if instant else _now(request, segment))}
    return TemplateResponse(request, "admin/customers/segment/members.html", context)


def _edit_list(request: HttpRequest, segment: Segment) -> HttpResponseRedirect:
    """Add the customers whose ids were written, or take off those who were ticked."""
    try:
        if request.POST.get("do") == "off":
            moved = take_off(segment, [key for key in request.POST.getlist("ids") if "\0" not in key])
            messages.success(request, ngettext("%d was taken off.", "%d were taken off.", moved.left) % moved.left)
        else:
            written = request.POST.get("written", "").replace("\0", "").split("\n")
            ids = [line.strip() for line in written if line.strip()]
            moved = add(segment, ids[:MOST_WRITTEN])
            messages.success(request, ngettext("%d was added.", "%d were added.", moved.entered) % moved.entered)
    except Refusal as refusal:
        messages.error(request, said(refusal))
    return HttpResponseRedirect(request.path)


def instant_of(text: str) -> datetime | None:
    """Answer the instant that the address names: a date is the end of that day; None for now, and for what is none."""
    try:
        if day := parse_date(text):
            instant = timezone.make_aware(datetime.combine(day, time.max))
        else:
            read = parse_datetime(text)
            instant = read if read is None or read.tzinfo else timezone.make_aware(read)  # type: ignore[assignment]
        return instant if instant and 1900 < instant.year < 9000 else None
    except (ValueError, OverflowError):
        return None


def _days() -> list[tuple[str, str]]:
    """Answer the last seven days, with their names."""
    today = timezone.localdate()
    days = [today - timedelta(days=number) for number in range(1, 8)]
    return [(day.isoformat(), date_format(day, "l, j F")) for day in days]


def _now(request: HttpRequest, segment: Segment) -> dict[str, Any]:
    rows: CustomerQuerySet = few_or_many(Customer.objects.all(), segment.members.all(), "customer_id")
    members: dict[str, SegmentMember] = {}

    def member(customer: Customer) -> SegmentMember | None:
        if not members:
            keys = [row.pk for row in listing.page.rows]
            members.update({row.customer_id: row for row in segment.members.filter(customer_id__in=keys)})
        return members.get(customer.pk)

    def since(customer: Customer) -> SafeString:
        row = member(customer)
        return ago(row.since if row else None)

    def via(customer: Customer) -> SafeString:
        row = member(customer)
        return badge(VIAS[Via(row.via)], "manual" if row.via == Via.PIN else "plain") if row else NOTHING

    listing = Listing(
        request,
        rows,
        columns=(
            Column("name", _("Name"), lambda row: named(row.name, row.pk, page_of(row)), order="name"),
            Column("since", _("Member since"), since),
            Column("via", _("By"), via),
            Column("seen", _("Last seen"), lambda row: ago(row.last_seen), order="seen"),
            Column("created", _("Created"), lambda row: ago(row.creation_utc), order="created"),
        ),
        orders=ORDERS,
        search=found_by,  # type: ignore[arg-type]
        whole=segment.size,
    )
    words = listing.words
    return {
        "listing": listing,
        "rule_problem": problem_in(words) if words else "",
        "offers": offers(request.user),
        "carried": [*([("q", words)] if words else []), (SegmentFilter.name, segment.pk)],
        "as_of": timezone.now().isoformat(),
    }


def _then(request: HttpRequest, segment: Segment, instant: datetime) -> dict[str, Any]:
    events = members_as_of(segment, min(instant, timezone.now()))
    after = request.GET.get("after", "").replace("\0", "")
    page = list((events.filter(customer_ref__gt=after) if after else events)[: PAGE + 1])
    names = dict(Customer.objects.filter(pk__in=[event.customer_ref for event in page]).values_list("pk", "name"))
    rows = [
        (
            named(names[event.customer_ref], event.customer_ref, page_of(Customer(pk=event.customer_ref)))
            if event.customer_ref in names
            else format_html('<span class="key">{}</span>', event.customer_ref),
            ago(event.at),
            cause_label(event.cause),
        )
        for event in page[:PAGE]
    ]
    return {
        "then": rows,
        "after": page[PAGE - 1].customer_ref if len(page) > PAGE else "",
        "is_first": not after,
        "count_then": events.count(),
    }
