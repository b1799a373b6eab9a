"""The bulk actions that the list of customers offers, each with its form; other modules register more:

@bulk_action
class Erase(BulkAction): ...
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext_lazy

from customers.admin.filters import OFFERED_TAGS
from customers.admin.metadata import MetadataField
from customers.admin.metadata_columns import common_keys
from customers.jobs.starting import may_start
from customers.jobs.work import work_class
from tags.models import Tag

SUGGESTED_KEYS = 30


class BulkAction(forms.Form):
    """A kind of job (customers.jobs.work) that can be started for a selection, and the form of its parameters."""

    kind: ClassVar[str]
    button: ClassVar[Any]  # ngettext_lazy with %(n)s
    warning: ClassVar[Any] = ""
    prefix = "do"  # the list's own parameters travel in the same form

    @classmethod
    def label(cls) -> Any:
        """Answer the action's name."""
        return work_class(cls.kind).label

    @classmethod
    def choices(cls) -> Sequence[tuple[str, Any]]:
        """Answer what can be chosen in the list's own menu; nothing for an action that needs its form."""
        return ()

    @classmethod
    def chosen(cls, value: str) -> dict[str, Any]:
        """Answer what the form is filled with when a value was chosen in the menu."""
        return {}

    def parameters(self) -> dict[str, Any]:
        """Answer the parameters of the job, of a valid form."""
        raise NotImplementedError


_actions: dict[str, type[BulkAction]] = {}


def bulk_action(action: type[BulkAction]) -> type[BulkAction]:
    """Offer an action."""
    _actions[action.kind] = action
    return action


def actions_of(user: Any) -> list[type[BulkAction]]:
    """Answer the actions that a user may start."""
    return [action for action in _actions.values() if may_start(user, action.kind)]


def action_named(kind: str) -> type[BulkAction] | None:
    """Answer the action of a kind, or None."""
    return _actions.get(kind)


@bulk_action
class AddTagForm(BulkAction):
    """Put a tag on."""

    kind = "tag"
    button = ngettext_lazy("Tag %(n)s customer", "Tag %(n)s customers", "count")

    tag = forms.ModelChoiceField(Tag.objects.order_by("name"), label=_("Tag"), empty_label=_("Choose a tag"))

    @classmethod
    def choices(cls) -> Sequence[tuple[str, Any]]:
        """Answer the tags."""
        return list(Tag.objects.order_by("name").values_list("pk", "name")[:OFFERED_TAGS])

    @classmethod
    def chosen(cls, value: str) -> dict[str, Any]:
        """Answer the chosen tag."""
        return {"tag": value}

    def parameters(self) -> dict[str, Any]:
        """Answer the tag's id."""
        return {"tag": self.cleaned_data["tag"].pk}


@bulk_action
class RemoveTagForm(AddTagForm):
    """Take a tag off."""

    kind = "untag"
    button = ngettext_lazy("Untag %(n)s customer", "Untag %(n)s customers", "count")


@bulk_action
class SetMetadataForm(BulkAction):
    """Set keys of the metadata."""

    kind = "set_metadata"
    button = ngettext_lazy("Change %(n)s customer", "Change %(n)s customers", "count")

    metadata = MetadataField(label=_("Keys and values"), help_text=_("Other keys stay as they are."))

    def clean_metadata(self) -> dict[str, str]:
        """Answer the keys; at least one."""
        keys: dict[str, str] = self.cleaned_data["metadata"]
        if not keys:
            raise forms.ValidationError(_("Name a key and its value."))
        return keys

    def parameters(self) -> dict[str, Any]:
        """Answer the keys and values."""
        return {"set": self.cleaned_data["metadata"]}


@bulk_action
class UnsetMetadataForm(BulkAction):
    """Unset keys of the metadata."""

    kind = "unset_metadata"
    button = ngettext_lazy("Change %(n)s customer", "Change %(n)s customers", "count")

    common = forms.MultipleChoiceField(
        label=_("Keys to remove"),
        required=False,
        widget=forms.CheckboxSelectMultiple(attrs={"class": "tag-choice"}),
    )
    others = forms.CharField(
        label=_("Other keys"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false"}),
        help_text=_("One a line."),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        keys = common_keys()[:SUGGESTED_KEYS]
        self.fields["common"].choices = [(key, key) for key in keys]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        """Answer the keys; at least one."""
        data = super().clean() or self.cleaned_data
        written = [line.strip("\r") for line in data.get("others", "").split("\n")]
        data["keys"] = [*dict.fromkeys([*data.get("common", []), *filter(None, written)])]
        if not data["keys"] and not self.errors:
            raise forms.ValidationError(_("Choose a key."))
        return data

    def parameters(self) -> dict[str, Any]:
        """Answer the keys."""
        return {"unset": self.cleaned_data["keys"]}


@bulk_action
class ExportForm(BulkAction):
    """Write the customers of the selection to a file."""

    kind = "export"
    button = ngettext_lazy("Export %(n)s customer", "Export %(n)s customers", "count")

    FORMATS = (
        ("spreadsheet", _("CSV for spreadsheets")),
        ("csv", _("CSV for programs: without a byte order mark")),
        ("jsonl", _("JSON lines")),
    )
    form = forms.ChoiceField(label=_("Format"), choices=FORMATS, initial="spreadsheet", widget=forms.RadioSelect)

    @classmethod
    def chosen(cls, value: str) -> dict[str, Any]:
        """Answer the chosen format."""
        return {"form": value}

    def parameters(self) -> dict[str, Any]:
        """Answer the format."""
        form = self.cleaned_data["form"]
        return {"form": "jsonl" if form == "jsonl" else "csv", "mark": form == "spreadsheet"}
