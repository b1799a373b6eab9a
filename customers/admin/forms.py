"""The form of a customer."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from django import forms
from django.utils.translation import gettext_lazy as _

from customers.admin.metadata import MetadataField
from customers.models import NAME_LENGTH, Customer
from customers.serializers import NewCustomer
from parlant_site.common.console.forms import ContractForm
from parlant_site.common.models import ID_LENGTH
from parlant_site.common.personal import sight
from tags.models import Tag


class TagChoice(forms.ModelMultipleChoiceField):
    """Tags to choose, each a chip; remembers which the page had shown as chosen."""

    def __init__(self, **options: Any) -> None:
        super().__init__(
            Tag.objects.order_by("name"),
            required=False,
            widget=forms.CheckboxSelectMultiple(attrs={"class": "tag-choice"}),
            **options,
        )


def tags_shown(text: str) -> set[str]:
    """Answer the ids of the tags that the page had shown as chosen, from its hidden field."""
    try:
        shown = json.loads(text or "[]")
    except ValueError:
        return set()
    return {key for key in shown if isinstance(key, str)} if isinstance(shown, list) else set()


class CustomerForm(ContractForm):
    """Register or change a customer.

    Only what the operator changed is written: what somebody else changed while the page was open stays.
    """

    shape = NewCustomer

    class Meta:
        model = Customer
        fields: ClassVar[list[str]] = ["name"]

    id = forms.CharField(
        label=_("Id"),
        max_length=ID_LENGTH,
        required=False,
        help_text=_("Your own id for her; made up when left empty."),
    )
    name = forms.CharField(label=_("Name"), max_length=NAME_LENGTH)
    tags = TagChoice(label=_("Tags"))
    tags_shown = forms.CharField(widget=forms.HiddenInput, required=False)
    metadata = MetadataField(label=_("Metadata"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance._state.adding:
            return
        del self.fields["id"]
        borne = self.instance.tag_ids()
        if masked := [key for key in self.instance.metadata if sight().hides(key)]:
            self.fields["metadata"].help_text = _("Personal, and hidden from you: %s.") % ", ".join(masked)
        self.initial = {
            **self.initial,
            "metadata": self._seen(self.instance.metadata),
            "tags": borne,
            "tags_shown": json.dumps(borne),
        }

    def clean_metadata(self) -> dict[str, str]:
        """Refuse keys whose values this operator may not see: she would write over them blindly."""
        given: dict[str, str] = self.cleaned_data["metadata"]
        if masked := [key for key in given if sight().hides(key)]:
            raise forms.ValidationError(_("Personal data, which you may not see or change: %s.") % ", ".join(masked))
        return given

    @staticmethod
    def _seen(metadata: dict[str, str]) -> dict[str, str]:
        return {key: value for key, value in metadata.items() if not sight().hides(key)}

    def given(self) -> dict[str, Any]:
        """Answer what the API would have been sent; an empty id is none."""
        return {
            **({"id": self.cleaned_data["id"]} if self.cleaned_data.get("id") else {}),
            "name": self.cleaned_data["name"],
            "metadata": self.cleaned_data["metadata"],
            "tags": [tag.pk for tag in self.cleaned_data["tags"]],
        }

    def write(self) -> Customer:
        """Register her, or change what the operator changed."""
        data = self.cleaned_data
        if self.instance._state.adding:
            return Customer.register(
                name=data["name"], id=data["id"] or None, metadata=data["metadata"], tags=data["tags"]
            )
        customer: Customer = self.instance
        metadata_shown = json.loads(self["metadata"].data.shown or "{}")
        wanted = {tag.pk for tag in data["tags"]}
        shown = tags_shown(data["tags_shown"])
        # Somebody else may have taken a tag off, or deleted it, since the page was shown.
        leaving = (shown - wanted) & set(customer.tag_links.values_list("tag_id", flat=True))
        return customer.amend(
            name=data["name"] if "name" in self.changed_data else None,
            set_metadata={k: v for k, v in data["metadata"].items() if metadata_shown.get(k) != v},
            unset_metadata=[key for key in metadata_shown if key not in data["metadata"]],
            add_tags=sorted(wanted - shown),
            remove_tags=sorted(leaving),
        )
