"""Segments: the list, and the addresses of a segment's pages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils.http import urlencode
from django.utils.translation import gettext_lazy as _

from customers.admin.segments.editor import edit_page
from customers.admin.segments.explaining import explain_page
from customers.admin.segments.figures import Figures
from customers.admin.segments.history import history_page
from customers.admin.segments.members import members_page
from customers.admin.segments.near import near_page
from customers.admin.segments.overlap import overlap_page
from customers.admin.segments.pins import pins_page
from customers.admin.segments.rule import rule_page
from customers.admin.segments.runs import runs_page
from customers.models import Segment
from customers.segments.editing import remove
from customers.segments.given import SEES_CUSTOMERS
from customers.segments.models import Kind
from parlant_site.common.console.keyset import Order
from parlant_site.common.console.listing import Column, Filter, Listing
from parlant_site.common.console.markup import audit_of
from parlant_site.common.console.pages import ConsoleAdmin

Page = Callable[[HttpRequest, dict[str, Any], Segment], HttpResponse]


def _may_open(page: Page, request: HttpRequest) -> bool:
    """Answer whether a page is not all about customers, or its reader may see them."""
    return not getattr(page, "names_customers", False) or request.user.has_perm(SEES_CUSTOMERS)


class KindFilter(Filter):
    """Segments by how their members are found."""

    name = "kind"
    label = _("Kind")

    def choices(self) -> Sequence[tuple[str, Any]]:
        """Answer the kinds."""
        return ((Kind.DYNAMIC.value, _("By a rule")), (Kind.STATIC.value, _("Lists")))

    def apply(self, rows: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Answer those of a kind."""
        return rows.filter(kind=value) if value in Kind.values else rows


@admin.register(Segment)
class SegmentAdmin(ConsoleAdmin):
    """Segments: how many are in each and how that moves; each has pages of its own."""

    orders = (
        Order("name", _("Name"), "name", descending=False),
        Order("-name", _("Name"), "name"),
        Order("size", _("Customers"), "size"),
        Order("-size", _("Customers"), "size", descending=False),
    )
    filters = (KindFilter,)
    search_hint = _("Search by name")
    deleting = _("Its customers stay; who was in it, and when, is forgotten.")
    list_title = _("Segments")
    add_text = _("New segment")
    empty_text = _("No segments yet. Make one by a rule: who pays most, who has not been seen for a month.")
    pages: Sequence[tuple[str, Any, Page]] = (
        ("change", _("Members"), members_page),
        ("rule", _("Rule"), rule_page),
        ("history", _("History"), history_page),
        ("explain", _("Explain"), explain_page),
        ("near", _("Near misses"), near_page),
        ("pins", _("Pins"), pins_page),
        ("runs", _("Runs"), runs_page),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Segment]:
        """Answer the segments."""
        return Segment.objects.select_related("published_tag")

    def search(self, rows: QuerySet[Any], words: str) -> QuerySet[Any]:
        """Answer those whose name has all words in it."""
        for word in words.split():
            rows = rows.filter(name__icontains=word)
        return rows

    def columns(self, request: HttpRequest) -> Sequence[Column]:
        """Answer the columns; what they show beside the row itself is asked for all rows at once."""
        figures: Figures = request.figures  # type: ignore[attr-defined]
        return (
            Column("name", _("Name"), figures.name, order="name"),
            Column("size", _("Customers"), figures.size, order="size"),
            Column("line", _("30 days"), figures.line),
            Column("moved", _("Today"), figures.moved),
            Column("asof", _("Current as of"), figures.as_of),
            Column("used", _("Used by"), figures.used),
        )

    def listing(self, request: HttpRequest) -> Listing:
        """Answer the list; its rows know their figures."""
        request.figures = Figures()  # type: ignore[attr-defined]
        listing = super().listing(request)
        request.figures.of(listing.page.rows)  # type: ignore[attr-defined]
        return listing

    def get_urls(self) -> list[Any]:
        """Answer the list, the editor, and the pages of a segment."""
        made = [
            path(
                f"<path:object_id>/{name}/",
                self.admin_site.admin_view(partial(self.page_view, page=page)),
                name=f"customers_segment_{name}",
            )
            for name, _label, page in self.pages
        ]
        edit = path("<path:object_id>/edit/", self.admin_site.admin_view(self.edit_view), name="customers_segment_edit")
        overlap = path("overlap/", self.admin_site.admin_view(self.overlap_view), name="customers_segment_overlap")
        return [overlap, edit, *made, *super().get_urls()]

    def overlap_view(self, request: HttpRequest) -> HttpResponse:
        """Show how much segments overlap."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return overlap_page(request, {**self.admin_site.each_context(request), "opts": self.opts})

    def page_view(self, request: HttpRequest, object_id: str, page: Page) -> HttpResponse:
        """Show one of a segment's pages."""
        segment = self.get_object(request, unquote(object_id))
        if segment is None:
            return self.missing(request, object_id)
        may = self.has_change_permission if request.method == "POST" else self.has_view_permission
        if not may(request, segment) or not _may_open(page, request):
            raise PermissionDenied
        return page(request, self.context_of(request, segment), segment)

    def context_of(self, request: HttpRequest, segment: Segment) -> dict[str, Any]:
        """Answer what all pages of a segment show."""
        tabs = [
            (reverse(f"admin:customers_segment_{name}", args=[quote(segment.pk)]), label)
            for name, label, page in self.pages
            if not (segment.is_static and getattr(page, "is_for_rules", False)) and _may_open(page, request)
        ]
        figures = Figures().of([segment])
        overlap = f"{reverse('admin:customers_segment_overlap')}?{urlencode({'segment': segment.pk})}"
        audit = audit_of(request.user, "segment", segment.pk)
        return {
            **self.admin_site.each_context(request),
            "title": segment.name,
            "opts": self.opts,
            "segment": segment,
            "as_of_shown": figures.as_of_alone(segment),
            "state_shown": figures.state(segment),
            "tabs": [
                *((link, label, request.path == link) for link, label in tabs),
                (overlap, _("Overlap"), False),
                *([(audit, _("Audit"), False)] if audit else []),
            ],
            "may_change": self.has_change_permission(request, segment),
            "may_delete": self.has_delete_permission(request, segment),
            "may_see_customers": request.user.has_perm(SEES_CUSTOMERS),
        }

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> Any:
        """Show the editor of a new segment."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        kind = Kind.STATIC if request.GET.get("kind") == "static" else Kind.DYNAMIC
        title = _("New list") if kind == Kind.STATIC else _("New segment")
        return edit_page(request, {**self._editor_context(request), "title": title, "is_new": True}, Segment(kind=kind))

    def edit_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show the editor of a segment."""
        segment = self.get_object(request, unquote(object_id))
        if segment is None:
            return self.missing(request, object_id)
        if not self.has_change_permission(request, segment):
            raise PermissionDenied
        title = _("Edit %s") % segment.name
        return edit_page(request, {**self._editor_context(request), "title": title, "is_new": False}, segment)

    def _editor_context(self, request: HttpRequest) -> dict[str, Any]:
        return {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "site_zone": settings.TIME_ZONE,
            "may_see_customers": request.user.has_perm(SEES_CUSTOMERS),
        }

    def delete_model(self, request: HttpRequest, obj: Segment) -> None:
        """Delete a segment; SegmentInUse is said on the list."""
        remove(obj)
