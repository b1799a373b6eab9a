"""The forms of an import: the file, then what its columns say."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext_lazy as _

from customers.transfer.mapping import ALL_METADATA, IGNORED, METADATA

EDITED = 200  # columns whose meaning the page lets one change; of further ones it is guessed
OFFERED_ENCODINGS = (
    *("utf-8", "windows-1252", "utf-16", "iso-8859-1", "iso-8859-2", "iso-8859-15", "windows-1250", "windows-1251"),
    *(
        "windows-1253",
        "windows-1254",
        "mac_roman",
        "cp437",
        "cp850",
        "shift_jis",
        "euc_jp",
        "gb18030",
        "big5",
        "euc_kr",
    ),
)
ENCODINGS = (("", _("Found out: its mark, UTF-8, else Windows-1252")), *((name, name) for name in OFFERED_ENCODINGS))
DELIMITERS = (("", _("Found out")), (",", ","), (";", ";"), ("\t", _("Tab")), ("|", "|"))
METADATA_CHOICE = "metadata"  # a key; its name is beside it
ALL_METADATA_CHOICE = "all-metadata"
TARGETS = (
    ("id", _("Id")),
    ("name", _("Name")),
    ("tags", _("Tags, between semicolons")),
    (METADATA_CHOICE, _("Metadata")),
    (ALL_METADATA_CHOICE, _("All metadata, as a JSON object")),
    (IGNORED, _("Nothing: leave it out")),
)


class UploadForm(forms.Form):
    """The file."""

    file = forms.FileField(
        label=_("File"),
        widget=forms.ClearableFileInput(attrs={"accept": ".csv,.tsv,.txt,.jsonl,.ndjson,.json"}),
        error_messages={"empty": _("The file is empty.")},
    )
    encoding = forms.ChoiceField(label=_("Encoding"), choices=ENCODINGS, required=False)
    delimiter = forms.ChoiceField(label=_("Cells are divided by"), choices=DELIMITERS, required=False)

    def __init__(self, *args: Any, largest: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["file"].help_text = _(
            "CSV with headings in its first row, or JSON lines; up to %s. Larger files: manage.py import_customers."
        ) % filesizeformat(largest)


class MappingForm(forms.Form):
    """What the columns hold, and what becomes of the rows."""

    empty = forms.ChoiceField(
        label=_("Empty cells"),
        choices=(("keep", _("change nothing")), ("clear", _("remove what is there"))),
        widget=forms.RadioSelect,
        initial="keep",
    )
    tags = forms.ChoiceField(
        label=_("Tags"),
        choices=(("add", _("are added to those that she bears")), ("replace", _("replace those that she bears"))),
        widget=forms.RadioSelect,
        initial="add",
    )
    new_tags = forms.ChoiceField(
        label=_("Unknown tags"),
        choices=(("refuse", _("reject the row")), ("create", _("are made"))),
        widget=forms.RadioSelect,
        initial="refuse",
    )

    def __init__(
        self, *args: Any, columns: Iterable[str], mapping: dict[str, str], may_make_tags: bool, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.columns, self.mapping = list(columns), mapping
        self.edited = self.columns[:EDITED]
        for place, column in enumerate(self.edited):
            target = mapping.get(column, IGNORED)
            is_key = target.startswith(METADATA)
            self.fields[f"target-{place}"] = forms.ChoiceField(
                choices=TARGETS, required=False, initial=_choice_of(target),
                widget=forms.Select(attrs={"aria-label": _("What “%s” holds") % column}),
            )  # fmt: skip
            self.fields[f"key-{place}"] = forms.CharField(
                required=False, strip=False, initial=target[len(METADATA) :] if is_key else column,
                widget=forms.TextInput(attrs={"aria-label": _("Metadata key of “%s”") % column, "dir": "auto"}),
            )  # fmt: skip
        if not may_make_tags:
            del self.fields["new_tags"]

    def rows(self, samples: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Answer each column with its fields and some of its values."""
        return [
            {
                "column": column,
                "target": self[f"target-{place}"],
                "key": self[f"key-{place}"],
                "samples": [str(sample[column]) for sample in samples if sample.get(column) not in (None, "", [])][:3],
            }
            for place, column in enumerate(self.edited)
        ]

    def options(self) -> list[Any]:
        """Answer the fields that are not of a column."""
        return [self[name] for name in ("empty", "tags", "new_tags") if name in self.fields]

    def parameters(self) -> dict[str, Any]:
        """Answer the mapping and the choices, of a valid form."""
        data = self.cleaned_data
        mapping = dict(self.mapping)
        for place, column in enumerate(self.edited):
            target, key = data[f"target-{place}"], data[f"key-{place}"]
            if target == METADATA_CHOICE:
                # An empty key is one too, but only where a file of ours says so.
                mapping[column] = f"{METADATA}{key or ('' if column == METADATA else column)}"
            else:
                mapping[column] = ALL_METADATA if target == ALL_METADATA_CHOICE else target
        return {
            "mapping": mapping,
            "empty": data["empty"],
            "tags": data["tags"],
            "new_tags": data.get("new_tags", "refuse"),
        }


def _choice_of(target: str) -> str:
    """Answer what the form offers for a target of a mapping."""
    if target.startswith(METADATA):
        return METADATA_CHOICE
    return ALL_METADATA_CHOICE if target == ALL_METADATA else target
