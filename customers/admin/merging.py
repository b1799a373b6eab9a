"""Merging two customers in the console: find the other one, choose field by field, take it back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect, QueryDict
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from customers.admin.customer_pages import customer_page, profile_of
from customers.admin.panels import add_panel
from customers.changing import tags_of
from customers.merging.choices import Choices, Side, TagChoice, state_of
from customers.merging.merge import MergeOutdated, merge, unmerge
from customers.merging.models import CustomerMerge
from customers.models import GUEST_ID, Customer
from parlant_site.common.console.markup import chips
from parlant_site.common.console.pages import ConsoleAdmin
from parlant_site.common.errors import Refusal
from parlant_site.common.personal import sight

OFFERED = 20
PERMISSION = "customers.merge"
KEY = "key:"


@dataclass(frozen=True)
class Row:
    """A field to choose: what each of the two has, and whose is chosen."""

    field: str
    label: Any
    hers: str | None
    others: str | None
    chosen: str

    @property
    def is_same(self) -> bool:
        """Whether there is nothing to choose."""
        return self.hers == self.others


def merge_pages(admin: ConsoleAdmin) -> list[URLPattern]:
    """Answer the paths of merging and of its undoing."""
    undo = path(
        "merges/<str:merge_id>/undo/", admin.admin_site.admin_view(undo_view), name="customers_customer_unmerge"
    )
    return [undo, customer_page(admin, "merge", merge_view, permission=PERMISSION)]


def merge_view(request: HttpRequest, customer: Customer, context: dict[str, Any]) -> HttpResponse:
    """Find the other customer, show both side by side, merge."""
    if customer.is_guest:
        messages.error(request, _("The guest stands for everybody who is not registered: nobody is merged with her."))
        return HttpResponseRedirect("../change/")
    context["title"] = _("Merge into %s") % customer.name
    data = request.POST if request.method == "POST" else request.GET
    other = _other(customer, data.get("with", ""))
    if other is None:
        return _search(request, customer, context)
    if request.method == "POST":
        try:
            made = merge(customer.pk, other.pk, _choices(request.POST), seen=request.POST.get("seen", ""))
        except MergeOutdated as outdated:
            messages.warning(request, outdated.detail)
            return HttpResponseRedirect(f"?{_with(other)}")
        except Refusal as refusal:
            messages.error(request, refusal.detail)
            return HttpResponseRedirect(f"?{_with(other)}")
        messages.success(request, _("Merged. The id %s leads here from now on.") % made.gone_id)
        return HttpResponseRedirect("../change/")
    return _compare(request, customer, other, context)


def undo_view(request: HttpRequest, merge_id: str) -> HttpResponse:
    """Take a merge back, and say what stays because it changed since."""
    if not request.user.has_perm(PERMISSION):
        raise PermissionDenied
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    made = CustomerMerge.objects.filter(pk=merge_id.replace("\0", "")).first()
    if made is None:
        raise Http404
    try:
        undone = unmerge(made.pk)
    except Refusal as refusal:
        messages.error(request, refusal.detail)
        return HttpResponseRedirect(profile_of(made.survivor_id))
    messages.success(request, _("Undone: two customers again."))
    for sentence in undone.left:
        messages.warning(request, sentence)
    return HttpResponseRedirect(profile_of(undone.gone_id))


def _search(request: HttpRequest, customer: Customer, context: dict[str, Any]) -> HttpResponse:
    words = request.GET.get("q", "").replace("\0", "").strip()
    rows = Customer.objects.search(words) if words else Customer.objects.filter(name__iexact=customer.name)
    found = rows.exclude(pk__in=[customer.pk, GUEST_ID]).order_by("name", "pk")[:OFFERED]
    context |= {"words": words, "found": list(found)}
    return TemplateResponse(request, "admin/customers/customer/merge_search.html", context)


def _compare(request: HttpRequest, customer: Customer, other: Customer, context: dict[str, Any]) -> HttpResponse:
    tags = tags_of([customer, other])
    context |= {
        "other": other,
        "rows": _rows(customer, other),
        "tags": _tag_rows(customer, other),
        "seen": state_of(customer, other, tags),
        "sessions": customer.session_count + other.session_count,
    }
    return TemplateResponse(request, "admin/customers/customer/merge.html", context)


def _rows(customer: Customer, other: Customer) -> list[Row]:
    hers, others = customer.metadata, other.metadata
    rows = [Row("name", _("Name"), customer.name, other.name, Side.SURVIVOR)]
    for key in dict.fromkeys([*hers, *others]):
        chosen = Side.SURVIVOR if key in hers else Side.OTHER
        same = key in hers and hers.get(key) == others.get(key)
        # Two masks look the same although the values behind them differ.
        shown = sight().value(key, others.get(key))
        if sight().hides(key) and shown is not None and not same:
            shown = f"{shown} ({_('another value')})"
        rows.append(Row(f"{KEY}{key}", key, sight().value(key, hers.get(key)), shown, chosen))
    return rows


def _tag_rows(customer: Customer, other: Customer) -> list[tuple[str, Any, Any]]:
    def shown(*customers: Customer) -> Any:
        links = {link.tag_id: link.tag.name for one in customers for link in one.tag_links.select_related("tag")}
        return chips((key, name, "") for key, name in links.items())

    return [
        (TagChoice.BOTH, _("All of both"), shown(customer, other)),
        (TagChoice.SURVIVOR, _("Those of the survivor"), shown(customer)),
        (TagChoice.OTHER, _("Those of the other"), shown(other)),
    ]


def _choices(data: QueryDict) -> Choices:
    metadata: dict[str, Any] = {name.removeprefix(KEY): value for name, value in data.items() if name.startswith(KEY)}
    return Choices.read({"name": data.get("name", "survivor"), "metadata": metadata, "tags": data.get("tags", "both")})


def _other(customer: Customer, key: str) -> Customer | None:
    if not key or "\0" in key or key in (customer.pk, GUEST_ID):
        return None
    return Customer.objects.filter(pk=key).first()


def _with(other: Customer) -> str:
    query = QueryDict(mutable=True)
    query["with"] = other.pk
    return query.urlencode()


@add_panel
def merges_panel(request: HttpRequest, customer: Customer) -> SafeString | str:
    """Show who was merged into her, with the way back."""
    merges = list(CustomerMerge.objects.filter(survivor_id=customer.pk, undone_utc=None)[:OFFERED])
    if not merges:
        return ""
    rows = [(one, one.gone.get("name", one.gone_id), one.why_not_undo()) for one in merges]
    context = {"rows": rows, "may_merge": request.user.has_perm(PERMISSION)}
    return render_to_string("admin/customers/customer/merges_panel.html", context, request)
