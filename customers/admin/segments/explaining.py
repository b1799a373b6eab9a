"""Why a customer is, or is not, in a segment: the rule as a tree with yes or no, her value, and how far it is off."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib import messages
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.dateparse import parse_datetime
from django.utils.formats import date_format
from django.utils.http import urlencode
from django.utils.timesince import timesince
from django.utils.timezone import localtime
from django.utils.translation import gettext as _

from customers.admin.segments.drafts import KINDS
from customers.models import Customer, Segment
from customers.rules.distances import Distance
from customers.rules.explaining import Explanation, explain
from customers.rules.faces import DatabaseNames, Names, write_leaf
from customers.rules.fields import Kind, field_named
from customers.rules.tree import Group, Leaf
from customers.segments.pinning import pin, unpin
from parlant_site.common.errors import Refusal
from parlant_site.common.personal import MASK, sight

FOUND = 10


def explain_page(request: HttpRequest, context: dict[str, Any], segment: Segment) -> HttpResponse:
    """Find a customer, then explain; pins are set and taken out here."""
    if request.method == "POST":
        return _pin(request, segment)
    words = request.GET.get("q", "").replace("\0", "").strip()
    key = request.GET.get("customer", "").replace("\0", "")
    found: list[Customer] = []
    customer = Customer.objects.filter(pk=key or words).first()
    if customer is None and words:
        found = list(Customer.objects.search(words).order_by("name", "pk")[:FOUND])
        if len(found) == 1:
            customer = found[0]
    context |= {"tab": "explain", "words": words or (key if customer is None else ""), "found": found}
    if customer is not None:
        context |= explained(segment, customer)
    return TemplateResponse(request, "admin/customers/segment/explain.html", context)


explain_page.names_customers = True  # type: ignore[attr-defined]


def explained(segment: Segment, customer: Customer) -> dict[str, Any]:
    """Answer what the page says of a customer: member or not, her pin, and the rule as a tree."""
    names = DatabaseNames()
    explanation = None if segment.is_static else explain(segment.tree, customer.pk, segment.moment())
    return {
        "customer": customer,
        "member": segment.members.filter(customer_id=customer.pk).first(),
        "pin": segment.pins.filter(customer_id=customer.pk).first(),
        "explanation": explanation,
        "tree": None if explanation is None else shown(explanation, names),
    }


def shown(explanation: Explanation, names: Names) -> dict[str, Any]:
    """Answer an explanation for the template."""
    node = explanation.node
    if isinstance(node, Group):
        return {
            "holds": explanation.holds,
            "kind": KINDS[node.combinator, node.negated],
            "parts": [shown(part, names) for part in explanation.parts],
        }
    field = field_named(node.field)
    if field is not None and field.key and sight().hides(field.key):
        return {"holds": explanation.holds, "words": f"{node.field} {MASK}", "actual": MASK, "distance": ""}
    return {
        "holds": explanation.holds,
        "words": write_leaf(node, names, sentence=True),
        "actual": _actual(explanation, node, names),
        "distance": _distance(explanation, node, names),
        "decides": explanation.decides,
    }


def _distance(explanation: Explanation, leaf: Leaf, names: Names) -> str:
    distance = explanation.distance
    if distance is None or (distance.kind == "missing" and explanation.actual is None):
        return ""  # that there is nothing was said already
    return in_words(distance, leaf, names)


def _actual(explanation: Explanation, leaf: Leaf, names: Names) -> str:
    value, field = explanation.actual, field_named(leaf.field)
    if isinstance(value, list):
        return _named(value, leaf, names) or _("none")
    if value is None:
        return _("nothing")
    if explanation.type == "date" and field is not None and field.kind is Kind.MOMENT:
        instant = parse_datetime(str(value))
        return date_format(localtime(instant), "DATETIME_FORMAT") if instant else str(value)
    return str(value) or _("an empty text")


def _named(keys: list[Any], leaf: Leaf, names: Names) -> str:
    field = field_named(leaf.field)
    assert field is not None
    return ", ".join(names.name_of(field.kind, str(key)) or str(key) for key in keys)


def in_words(distance: Distance, leaf: Leaf, names: Names) -> str:
    """Answer how far a leaf is from holding."""
    by = distance.by
    if distance.kind == "number" and isinstance(by, (int, float)):
        return _("%s too little") % f"{by:,}" if by > 0 else _("%s too much") % f"{abs(by):,}" if by else _("just")
    if distance.kind == "time" and isinstance(by, (int, float)):
        try:
            lasting = _lasting(timedelta(seconds=abs(by)))
        except OverflowError:
            return ""
        return _("%s too early") % lasting if by > 0 else _("%s too late") % lasting
    if isinstance(by, list):
        said = {"add": _("lacks %s"), "add one of": _("has none of %s"), "remove": _("has %s")}
        return said.get(distance.kind, "%s") % _named(by, leaf, names)
    if distance.kind == "type":
        return _("is not a date") if by == "date" else _("is not a number")
    return {
        "missing": _("has no value"),
        "present": _("has a value"),
        "case": _("differs in upper and lower case alone"),
        "spaces": _("differs in spaces alone"),
    }.get(distance.kind, "")


def _lasting(length: timedelta) -> str:
    from django.utils import timezone

    now = timezone.now()
    return timesince(now - length, now, depth=1) if length < timedelta(days=365_000) else _("ages")


def _pin(request: HttpRequest, segment: Segment) -> HttpResponseRedirect:
    """Pin a customer in or out, or take the pin out."""
    key, do = request.POST.get("customer", "").replace("\0", ""), request.POST.get("do", "")
    try:
        if do == "unpin":
            unpin(segment, key)
            messages.success(request, _("The rule alone decides again."))
        else:
            reason = request.POST.get("reason", "").replace("\0", "")
            pin(segment, key, is_in=do == "in", reason=reason)
            messages.success(request, _("Pinned."))
    except Refusal as refusal:
        messages.error(request, said(refusal))
    back = request.path if request.POST.get("back") == "list" else f"{request.path}?{urlencode({'customer': key})}"
    return HttpResponseRedirect(back)


def said(refusal: Refusal) -> str:
    """Answer what a refusal says to people: of wrong fields only what to write."""
    problems = getattr(refusal, "problems", None)
    return " ".join(str(problem["msg"]) for problem in problems) if problems else refusal.detail


def explain_link(segment: Model, customer_id: str) -> str:
    """Answer the address that explains a customer."""
    from django.contrib.admin.utils import quote
    from django.urls import reverse

    address = reverse("admin:customers_segment_explain", args=[quote(segment.pk)])
    return f"{address}?{urlencode({'customer': customer_id})}"
