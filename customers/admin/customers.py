"""Customers: the list and the page of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from customers.admin.bulk import bulk_page, carried_by, offers
from customers.admin.customer_pages import profile_of, to_survivor
from customers.admin.forms import CustomerForm
from customers.admin.from_list import found_by
from customers.admin.merging import merge_pages
from customers.admin.metadata_columns import chosen_keys, offered_keys, remember
from customers.admin.privacy import privacy_pages
from customers.admin.segments.of_customer import segment_pages
from customers.admin.segments.on_list import list_segments
from customers.admin.selecting import FILTERS
from customers.admin.timeline import timeline
from customers.models import Customer, CustomerTag, GuestStays
from customers.querysets import CustomerQuerySet
from parlant_site.common.console.keyset import Order
from parlant_site.common.console.listing import Column
from parlant_site.common.console.markup import NOTHING, ago, badge, chips, list_of, named, number, page_of
from parlant_site.common.console.pages import NEWEST, OLDEST, ConsoleAdmin
from parlant_site.common.personal import sight


@admin.register(Customer)
class CustomerAdmin(ConsoleAdmin):
    """Customers: search over id, name and metadata, filters, chosen metadata columns."""

    form = CustomerForm
    opens_on = "timeline"
    read_fields = ("name", "tag_names", "metadata_table")
    change_form_template = "admin/customers/customer/change_form.html"
    orders: Sequence[Order] = (
        Order("seen", _("Last seen"), "last_seen", nullable=True),
        Order("-seen", _("Last seen"), "last_seen", descending=False, nullable=True),
        NEWEST,
        OLDEST,
        Order("name", _("Name"), "name", descending=False),
        Order("-name", _("Name"), "name"),
    )
    filters = FILTERS
    search_hint = _("Name, id, metadata, or a rule: tag:VIP and metadata.mrr > 500")
    deleting = _(
        "Her tags and metadata go. The conversations stay, under her id; to remove those, too, erase her instead."
    )
    empty_text = _("No customers yet. They appear as soon as your application registers them, or you add one here.")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Customer]:
        """Answer the customers with their tags."""
        links = CustomerTag.objects.select_related("tag").order_by("id")
        return Customer.objects.prefetch_related(Prefetch("tag_links", queryset=links))

    def search(self, rows: QuerySet[Any], words: str) -> QuerySet[Any]:
        """Answer those whom a rule matches, else those with every word in id, name or metadata."""
        assert isinstance(rows, CustomerQuerySet)
        return found_by(rows, words)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Show the list with the metadata columns that this operator chose."""
        if "columns" in request.GET:
            return remember(request)
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        listing = self.listing(request)
        return super().changelist_view(
            request,
            {
                "title": _("Customers"),
                "chosen_keys": chosen_keys(request),
                "offered_keys": offered_keys(request),
                "offers": offers(request.user),
                "carried": carried_by(request.GET),
                "listing": listing,
                **list_segments(request, listing),
                "as_of": timezone.now().isoformat(),
                **(extra_context or {}),
            },
        )

    def columns(self, request: HttpRequest) -> Sequence[Column]:
        """Answer the columns: the usual ones with the chosen metadata keys between them."""
        return (
            Column("name", _("Name"), self._name, order="name"),
            Column("tags", _("Tags"), self._tags),
            *(Column("metadata", key, _value_of(key)) for key in chosen_keys(request)),
            Column("sessions", _("Conversations"), self._sessions),
            Column("seen", _("Last seen"), lambda customer: ago(customer.last_seen), order="seen"),
            Column("created", _("Created"), lambda customer: ago(customer.creation_utc), order="created"),
        )

    @admin.display(description=_("Tags"))
    def tag_names(self, customer: Customer) -> SafeString:
        """Answer the tags for those who may only look."""
        return chips((link.tag_id, link.tag.name, "") for link in customer.tag_links.all())

    @admin.display(description=_("Metadata"))
    def metadata_table(self, customer: Customer) -> SafeString:
        """Answer the metadata for those who may only look."""
        rows = format_html_join(
            "", '<dt dir="auto">{}</dt><dd dir="auto">{}</dd>', sight().metadata(customer.metadata).items()
        )
        return format_html('<dl class="facts">{}</dl>', rows) if customer.metadata else NOTHING

    def _name(self, customer: Customer) -> SafeString:
        return named(customer.name, customer.pk, page_of(customer))

    def _tags(self, customer: Customer) -> SafeString:
        return chips((link.tag_id, link.tag.name, f"?tag={link.tag_id}") for link in customer.tag_links.all())

    def _sessions(self, customer: Customer) -> SafeString:
        if customer.is_guest:
            return NOTHING
        link = list_of("sessions_app_session", customer=customer.pk)
        shown = number(customer.session_count)
        if customer.session_count:
            shown = format_html('<a href="{}">{}</a>', link, shown)
        return format_html("{} {}", shown, badge(_("Operator"), "manual")) if customer.manual_session_count else shown

    def get_urls(self) -> list[Any]:
        """Answer the pages of a customer, the timeline among them."""
        page = path(
            "<path:object_id>/timeline/",
            self.admin_site.admin_view(self.timeline_view),
            name="customers_customer_timeline",
        )
        bulk = path("bulk/", self.admin_site.admin_view(self.bulk_view), name="customers_customer_bulk")
        return [bulk, page, *privacy_pages(self), *merge_pages(self), *segment_pages(self), *super().get_urls()]

    def missing(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Lead from the id of a customer who was merged to the survivor; else say that there is none."""
        return to_survivor(object_id) or super().missing(request, object_id)

    def bulk_view(self, request: HttpRequest) -> HttpResponse:
        """Show what an action on many would do, or start it."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        return bulk_page(request, {**self.admin_site.each_context(request), "opts": self.opts})

    def timeline_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show everything about a customer in one stream."""
        customer = self.get_object(request, unquote(object_id))
        if customer is None:
            return self.missing(request, object_id)
        if not self.has_view_permission(request, customer):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            **timeline(request, customer),
            "title": customer.name,
            "opts": self.opts,
            "customer": customer,
        }
        return TemplateResponse(request, "admin/customers/customer/timeline.html", context)

    def response_post_save_change(self, request: HttpRequest, obj: Customer) -> HttpResponseRedirect:
        """Stay on the profile that was saved."""
        return HttpResponseRedirect(profile_of(obj.pk))

    def has_delete_permission(self, request: HttpRequest, obj: Customer | None = None) -> bool:
        """Never for the guest."""
        return super().has_delete_permission(request, obj) and not (obj is not None and obj.is_guest)

    def render_change_form(self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Show the form beside what is known of the customer."""
        customer = kwargs.get("obj")
        if customer is not None:
            from customers.admin.panels import panels

            context |= {
                "panels": panels(request, customer),
                "guest_stays": GuestStays.__doc__ if customer.is_guest else "",
                "show_save_and_continue": False,  # saving stays here anyway
            }
        return super().render_change_form(request, context, *args, **kwargs)


def _value_of(key: str) -> Any:
    def show(customer: Customer) -> Any:
        value = sight().value(key, customer.metadata.get(key))
        return NOTHING if value is None else format_html('<span class="value" dir="auto">{}</span>', value)

    return show
