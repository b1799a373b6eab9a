"""The metadata editor: a row for each key and value, and the whole as raw JSON; works without JavaScript."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from parlant_site.common.json import UnusableJSON, check

BLANK_ROWS = 3


def as_sent(text: str) -> str:
    """Answer a text as browsers send it back from a text area: with line feeds alone."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


class MetadataWidget(forms.Widget):
    """Rows of key and value with a few blank ones, and a folded text area with all of it as JSON."""

    template_name = "admin/customers/metadata_widget.html"

    class Media:
        js = (forms.Script("parlant_site/metadata.js", type="module"),) if hasattr(forms, "Script") else ()

    def get_context(self, name: str, value: Any, attrs: dict[str, Any] | None) -> dict[str, Any]:
        """Answer what the template shows."""
        context = super().get_context(name, value, attrs)
        edit = value if isinstance(value, Edit) else Edit.of(value or {})
        context["widget"] |= {"rows": [*edit.rows, *[("", "")] * BLANK_ROWS], "raw": edit.raw, "shown": edit.shown}
        context["widget"]["rows_shown"] = edit.shown not in ("", "{}")
        return context

    def _render(self, template_name: str, context: dict[str, Any], renderer: Any = None) -> SafeString:
        """Render with the project's templates, where all of the console's markup is."""
        return render_to_string(template_name, context)

    def value_from_datadict(self, data: Any, files: Any, name: str) -> Edit:
        """Answer what was sent."""
        keys, values = data.getlist(f"{name}-key"), data.getlist(f"{name}-value")
        rows = list(zip(keys, map(as_sent, values), strict=False))
        return Edit(rows, as_sent(data.get(f"{name}-raw", "")), as_sent(data.get(f"{name}-shown", "")))

    def value_omitted_from_data(self, data: Any, files: Any, name: str) -> bool:
        """Answer whether the form was sent without the editor."""
        return f"{name}-shown" not in data


class Edit:
    """What an operator made of the metadata: the rows, the raw JSON, and what the page had shown."""

    def __init__(self, rows: list[tuple[str, str]], raw: str, shown: str) -> None:
        self.rows = [(key, value) for key, value in rows if key or value]
        self.raw = raw
        self.shown = shown

    @classmethod
    def of(cls, metadata: dict[str, str]) -> Edit:
        """Answer the unchanged metadata."""
        text = json.dumps(metadata, ensure_ascii=False, indent=2)
        return cls(list(metadata.items()), text, text)

    def result(self) -> dict[str, str]:
        """Answer the metadata that is wanted; ValidationError when it cannot be told or kept."""
        shown = _object(self.shown or "{}")
        unchanged = {as_sent(key): as_sent(value) for key, value in shown.items()}
        from_rows = self._from_rows(unchanged)
        rows_changed, raw_changed = from_rows != unchanged, self.raw != self.shown
        if rows_changed and raw_changed:
            raise ValidationError(_("Both the rows and the raw JSON were changed: change one of them."))
        if raw_changed:
            return _object(self.raw)
        # What was not touched keeps its very characters, such as the line ends that browsers change.
        originals = {as_sent(key): key for key in shown}
        kept = {originals.get(key, key): value for key, value in from_rows.items()}
        return {key: shown[key] if as_sent(shown.get(key, "")) == value else value for key, value in kept.items()}

    def _from_rows(self, unchanged: dict[str, str]) -> dict[str, str]:
        found: dict[str, str] = {}
        for key, value in self.rows:
            if not key and "" not in unchanged:
                raise ValidationError(_("The value “%(value)s” has no key."), params={"value": value})
            try:
                check([key, value])
            except UnusableJSON as error:
                raise ValidationError(_("The metadata cannot be kept: %(why)s."), params={"why": error}) from None
            if key in found:
                raise ValidationError(_("The key “%(key)s” is there twice."), params={"key": key})
            found[key] = value
        return found


def _object(text: str) -> dict[str, Any]:
    try:
        value = json.loads(text, object_pairs_hook=_without_duplicates)
        check(value)
    except (ValueError, RecursionError) as error:
        reason = str(error) if isinstance(error, (UnusableJSON, DuplicateKey)) else _("it is not valid JSON")
        raise ValidationError(_("The raw JSON cannot be kept: %(reason)s."), params={"reason": reason}) from None
    if not isinstance(value, dict):
        raise ValidationError(_("The raw JSON must be an object such as {“plan”: “pro”}."))
    for key, part in value.items():
        if not isinstance(part, str):
            raise ValidationError(_("The value of “%(key)s” must be a string, in quotes."), params={"key": key})
    return value


class DuplicateKey(ValueError):
    """A key is in an object twice."""


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise DuplicateKey(_("a key is there twice"))
    return found


class MetadataField(forms.Field):
    """Metadata: a map of strings. Its value is the whole of it; `shown` says what the page had shown."""

    widget = MetadataWidget

    def clean(self, value: Any) -> dict[str, str]:
        """Answer the metadata."""
        return value.result() if isinstance(value, Edit) else {}

    def has_changed(self, initial: Any, data: Any) -> bool:
        """Answer whether the operator changed anything, whatever others did meanwhile."""
        try:
            return isinstance(data, Edit) and data.result() != _object(data.shown or "{}")
        except ValidationError:
            return True
