"""Tags in the console."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import Count, OuterRef, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from parlant_site.common.console.forms import ContractForm
from parlant_site.common.console.keyset import Order
from parlant_site.common.console.listing import COUNTED, Column
from parlant_site.common.console.markup import NOTHING, ago, chip, list_of, page_of
from parlant_site.common.console.pages import NEWEST, OLDEST, ConsoleAdmin
from tags.models import NAME_LENGTH, Tag
from tags.serializers import TagName


class TagForm(ContractForm):
    """Name a tag."""

    shape = TagName

    class Meta:
        model = Tag
        fields: ClassVar[list[str]] = ["name"]

    name = forms.CharField(
        label=_("Name"), max_length=NAME_LENGTH, help_text=_("Up to 50 characters; no two tags have the same name.")
    )

    def write(self) -> Tag:
        """Add or rename the tag."""
        name = self.cleaned_data["name"]
        return Tag.add(name=name) if self.instance._state.adding else self.instance.rename(name)


def bearers(links: Any) -> Any:
    """Answer the number of links to a tag, counted to 10,000 at most, so that a list costs the same for any tag."""
    some = links.objects.filter(tag=OuterRef(OuterRef("pk"))).order_by().values("pk")[: COUNTED + 1]
    counted = links.objects.filter(pk__in=some).order_by().values("tag").annotate(n=Count("pk")).values("n")
    return Coalesce(Subquery(counted), 0)


@admin.register(Tag)
class TagAdmin(ConsoleAdmin):
    """Tags, with how many bear them."""

    form = TagForm
    read_fields = ("name",)
    change_form_template = "admin/tags/tag/change_form.html"
    orders: Sequence[Order] = (
        Order("name", _("Name"), "name", descending=False),
        Order("-name", _("Name"), "name"),
        NEWEST,
        OLDEST,
    )
    search_hint = _("Search by name")
    deleting = _("It is taken off all that bear it.")
    empty_text = _("No tags yet. Tags divide customers and agents into groups; agents can personalise by them.")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Tag]:
        """Answer the tags with their counts."""
        return Tag.objects.annotate(
            customer_count=bearers(Tag.customers.through), agent_count=bearers(Tag.agents.through)
        )

    def search(self, rows: QuerySet[Tag], words: str) -> QuerySet[Tag]:
        """Answer the tags with the words in their name."""
        return rows.filter(name__icontains=words)

    def columns(self, request: HttpRequest) -> Sequence[Column]:
        """Answer the columns of the list."""
        return (
            Column("name", _("Name"), self._name, order="name"),
            Column("customers", _("Customers"), partial(self._customers, request)),
            Column("agents", _("Agents"), lambda tag: tag.agent_count or NOTHING),
            Column("id", _("Id"), lambda tag: format_html("<code>{}</code>", tag.pk)),
            Column("created", _("Created"), lambda tag: ago(tag.creation_utc), order="created"),
        )

    def _name(self, tag: Tag) -> SafeString:
        return chip(tag.name, key=tag.pk, link=page_of(tag))

    def _customers(self, request: HttpRequest, tag: Any) -> SafeString | str:
        if not tag.customer_count:
            return NOTHING
        count = f"{COUNTED:,}+" if tag.customer_count > COUNTED else f"{tag.customer_count:,}"
        if not request.user.has_perm("customers.view_customer"):
            return count
        return format_html('<a href="{}">{}</a>', list_of("customers_customer", tag=tag.pk), count)
