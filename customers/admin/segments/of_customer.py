"""A customer's segments: in which she is, in which she nearly is, and when she entered and left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern
from django.utils.html import format_html
from django.utils.translation import gettext as _

from customers.admin.customer_pages import customer_page
from customers.admin.segments.explaining import explain_link, in_words
from customers.admin.segments.figures import cause_label
from customers.admin.timeline import Moment, add_source
from customers.models import Customer, Segment, SegmentMember
from customers.rules.explaining import Explanation, explainer
from customers.rules.faces import DatabaseNames, Names, write_leaf
from customers.rules.facts import facts_of
from customers.rules.fields import field_named
from customers.rules.tree import Leaf
from customers.segments.history import MembershipEvent, Move
from parlant_site.common.console.markup import badge, page_of
from parlant_site.common.console.pages import ConsoleAdmin
from parlant_site.common.personal import MASK, sight

PERMISSION = "customers.view_segment"
MOST = 200


@dataclass(frozen=True)
class Place:
    """A segment as seen from a customer: member or not, and what alone keeps her out (a leaf in words)."""

    segment: Segment
    link: str
    member: SegmentMember | None
    nearly: str = ""


def segment_pages(admin: ConsoleAdmin) -> list[URLPattern]:
    """Answer the paths of a customer's segments."""
    return [customer_page(admin, "segments", segments_view, permission=PERMISSION)]


def segments_view(request: HttpRequest, customer: Customer, context: dict[str, Any]) -> HttpResponse:
    """Show the segments: those she is in, those she nearly is in, the others; each with the way to its explanation."""
    places = places_of(customer)
    context |= {
        "title": customer.name,
        "groups": [
            (_("In"), "manual", [place for place in places if place.member]),
            (_("Nearly in"), "waiting", [place for place in places if not place.member and place.nearly]),
            (_("Not in"), "plain", [place for place in places if not place.member and not place.nearly]),
        ],
        "is_empty": not places,
    }
    return TemplateResponse(request, "admin/customers/customer/segments.html", context)


def places_of(customer: Customer) -> list[Place]:
    """Answer all segments, the first 200 by name; some queries, however many they are."""
    segments = list(Segment.objects.order_by("name")[:MOST])
    members = {row.segment_id: row for row in customer.memberships.filter(segment__in=segments)}
    facts, names = facts_of([customer.pk]).get(customer.pk), DatabaseNames()
    places = []
    for segment in segments:
        member, nearly = members.get(segment.pk), ""
        if member is None and facts is not None and not segment.is_static:
            nearly = _nearly(explainer(segment.tree, segment.moment())(facts), names)
        places.append(Place(segment, explain_link(segment, customer.pk), member, nearly))
    return places


def _nearly(explanation: Explanation, names: Names) -> str:
    """Answer the leaf that alone keeps her out, in words; "" when there is none, or many would do."""
    found = [leaf for leaf in explanation.leaves() if leaf.decides and not leaf.holds]
    if len(found) != 1 or explanation.holds:
        return ""
    (one,) = found
    assert isinstance(one.node, Leaf)
    is_off_by_some = one.distance is not None and one.distance.kind in ("number", "time")
    if not is_off_by_some and sum(1 for _leaf in explanation.leaves()) < 2:
        return ""  # a rule of one row is always nearly fulfilled
    field = field_named(one.node.field)
    if field is not None and field.key and sight().hides(field.key):
        return f"{one.node.field} {MASK}"
    off = in_words(one.distance, one.node, names) if one.distance else ""
    return write_leaf(one.node, names, sentence=True) + (f" ({off})" if off else "")


@add_source
def moves(request: HttpRequest, customer: Customer, before: datetime | None, limit: int) -> Sequence[Moment]:
    """Answer when she entered and left segments, to those who may see them."""
    if not request.user.has_perm(PERMISSION):
        return []
    events = MembershipEvent.objects.filter(customer_ref=customer.pk)
    if before is not None:
        events = events.filter(at__lt=before)
    return [
        Moment(
            event.at,
            "segment",
            format_html(
                '{} <a href="{}" dir="auto">{}</a> <span class="quiet">· {}</span>',
                badge(_("Entered"), "manual") if event.move == Move.ENTERED else badge(_("Left"), "off"),
                page_of(event.segment),
                event.segment.name,
                cause_label(event.cause),
            ),
        )
        for event in events.select_related("segment").order_by("-at", "segment_id", "-offset")[:limit]
    ]
