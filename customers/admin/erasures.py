"""The proofs of erasure in the console."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from customers.admin.sorts import sorts_of
from customers.models import Erasure
from parlant_site.common.console.keyset import Order
from parlant_site.common.console.listing import Column
from parlant_site.common.console.markup import ago, badge
from parlant_site.common.console.pages import ConsoleAdmin


@admin.register(Erasure)
class ErasureAdmin(ConsoleAdmin):
    """Proofs, read-only. Who knows the id of somebody who was erased finds her proof by it."""

    orders: Sequence[Order] = (
        Order("at", _("When"), "id"),
        Order("-at", _("When"), "id", descending=False),
    )
    list_title = _("Erasures")
    search_hint = _("The id of an erased customer")
    empty_text = _("Nobody was erased yet. Each erasure leaves a proof here, which says nothing of whom it was about.")

    def search(self, rows: QuerySet[Any], words: str) -> QuerySet[Any]:
        """Answer the proofs that the customer of this id was erased."""
        return rows.of(words)  # type: ignore[attr-defined]

    def columns(self, request: HttpRequest) -> Sequence[Column]:
        """Answer the columns of the list."""
        return (
            Column("at", _("When"), lambda proof: ago(proof.at), order="at"),
            Column("actor", _("Who"), _who),
            Column("proof", _("Proof"), _proof),
            Column("conversations", _("Conversations"), lambda proof: proof.get_conversations_display()),
            Column("removed", _("Removed"), _removed),
        )

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Never: erasing makes them."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never."""
        return False


def _who(proof: Erasure) -> SafeString:
    return format_html("{} {}", proof.actor_name, badge(proof.get_channel_display(), "plain"))


def _proof(proof: Erasure) -> SafeString:
    state = badge(_("genuine"), "manual") if proof.is_genuine else badge(_("not genuine"), "off")
    return format_html('<code translate="no">{}</code> {}', proof, state)


def _removed(proof: Erasure) -> SafeString:
    counted = [(name, f"{number:,}") for name, number in sorts_of(proof.counts)]
    return format_html('<ul class="changes">{}</ul>', format_html_join("", "<li>{}: {}</li>", counted))
