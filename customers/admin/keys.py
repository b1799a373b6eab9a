"""The metadata keys in the console, to say which of them hold personal data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from customers.insight.catalogue import LONGEST_KEY
from customers.models import MetadataKey
from parlant_site.common.console.forms import ContractForm
from parlant_site.common.console.keyset import Order
from parlant_site.common.console.listing import Column
from parlant_site.common.console.markup import NOTHING, badge, number, page_of
from parlant_site.common.console.pages import ConsoleAdmin
from parlant_site.common.serializers import Input, Text

EXAMPLES = 3
LONGEST_EXAMPLE = 40


class Key(Input):
    """A key."""

    key = Text(min_length=1, max_length=LONGEST_KEY)


class KeyForm(ContractForm):
    """Say whether a key holds personal data."""

    shape = Key

    class Meta:
        model = MetadataKey
        fields: ClassVar[list[str]] = []

    key = forms.CharField(
        label=_("Key"), strip=False, help_text=_("Exactly as customers have it. It may be one that nobody has yet.")
    )
    personal = forms.BooleanField(
        label=_("Holds personal data"),
        required=False,
        help_text=_("Who may not see personal data sees a mask in the place of its values."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.instance._state.adding:
            self.initial = {"key": self.instance.key, "personal": self.instance.personal}
            self.fields["key"].disabled, self.fields["key"].help_text = True, ""

    def write(self) -> MetadataKey:
        """Mark the key, or take the mark off."""
        return MetadataKey.mark_personal(self.cleaned_data["key"], self.cleaned_data["personal"])


@admin.register(MetadataKey)
class MetadataKeyAdmin(ConsoleAdmin):
    """The catalogue's keys."""

    form = KeyForm
    read_fields = ("key", "personal")
    orders: Sequence[Order] = (
        Order("customers", _("Customers"), "customers"),
        Order("key", _("Key"), "key", descending=False),
    )
    list_title = _("Metadata keys")
    add_text = _("Mark a key")
    search_hint = _("Search by key")
    empty_text = _("No customer has metadata yet.")

    def search(self, rows: QuerySet[Any], words: str) -> QuerySet[Any]:
        """Answer the keys with the words in them."""
        return rows.filter(key__icontains=words)

    def columns(self, request: HttpRequest) -> Sequence[Column]:
        """Answer the columns of the list."""
        return (
            Column("name", _("Key"), _named, order="key"),
            Column("personal", _("Personal"), _personal),
            Column("customers", _("Customers"), lambda row: number(row.customers), order="customers"),
            Column("types", _("Types"), lambda row: ", ".join(row.types)),
            Column("examples", _("Frequent values"), _examples),
        )

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Answer whether keys may be marked; one may be before anybody has it."""
        return self.has_change_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never: a key goes with the last customer who has it."""
        return False


def _named(row: MetadataKey) -> SafeString:
    return format_html('<a class="name" href="{}"><bdi>{}</bdi></a>', page_of(row), row.key)


def _personal(row: MetadataKey) -> Any:
    if row.key in settings.PARLANT_PII_KEYS:
        return badge(_("By the settings"), "waiting")
    return badge(_("Marked"), "waiting") if row.personal else NOTHING


def _examples(row: MetadataKey) -> Any:
    values = [value for value, _count in row.top_values(EXAMPLES) if value]
    shown = [(f"{value[:LONGEST_EXAMPLE]}…" if len(value) > LONGEST_EXAMPLE else value,) for value in values]
    return format_html_join(", ", "<bdi>{}</bdi>", shown) or NOTHING
