"""The bulk actions on segments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from customers.admin.bulk_forms import BulkAction, bulk_action
from customers.segments.models import REASON_LENGTH, Kind, Segment

OFFERED = 200


@bulk_action
class AddToListForm(BulkAction):
    """Put customers on a list."""

    kind = "list_add"
    button = ngettext_lazy("Add %(n)s customer to the list", "Add %(n)s customers to the list", "count")

    segment = forms.ModelChoiceField(
        Segment.objects.filter(kind=Kind.STATIC).order_by("name"), label=_("List"), empty_label=_("Choose a list")
    )

    @classmethod
    def choices(cls) -> Sequence[tuple[str, Any]]:
        """Answer the lists."""
        rows = Segment.objects.filter(kind=Kind.STATIC).order_by("name")
        return list(rows.values_list("pk", "name")[:OFFERED])

    @classmethod
    def chosen(cls, value: str) -> dict[str, Any]:
        """Answer the chosen list."""
        return {"segment": value}

    def parameters(self) -> dict[str, Any]:
        """Answer the list's id."""
        return {"segment": self.cleaned_data["segment"].pk}


@bulk_action
class TakeOffListForm(AddToListForm):
    """Take customers off a list."""

    kind = "list_remove"
    button = ngettext_lazy("Take %(n)s customer off the list", "Take %(n)s customers off the list", "count")


@bulk_action
class PinForm(BulkAction):
    """Pin customers in or out of a dynamic segment."""

    kind = "pin"
    button = ngettext_lazy("Pin %(n)s customer", "Pin %(n)s customers", "count")

    segment = forms.ModelChoiceField(
        Segment.objects.filter(kind=Kind.DYNAMIC).order_by("name"),
        label=_("Segment"),
        empty_label=_("Choose a segment"),
    )
    way = forms.ChoiceField(
        label=_("They are"),
        choices=(("in", _("in, whatever the rule says")), ("out", _("out, whatever the rule says"))),
        widget=forms.RadioSelect,
        initial="in",
    )
    reason = forms.CharField(label=_("Why"), max_length=REASON_LENGTH)

    def parameters(self) -> dict[str, Any]:
        """Answer the segment, the way and the reason."""
        data = self.cleaned_data
        return {"segment": data["segment"].pk, "is_in": data["way"] == "in", "reason": data["reason"]}
