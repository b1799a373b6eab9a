"""Forms that refuse what the API refuses, with its reasons: they ask the API's own input shapes and model methods."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS
from django.http import HttpRequest

from parlant_site.common.errors import BadInput, Refusal
from parlant_site.common.serializers import Input


class ContractForm(forms.ModelForm):
    """A form whose values an Input judges and whose writing is a model method.

    `write()` answers the row. A Refusal that it raises comes back as an error of this form (see ConsoleAdmin).
    """

    shape: ClassVar[type[Input]]
    request: ClassVar[HttpRequest | None] = None

    def given(self) -> dict[str, Any]:
        """Answer what the API would have been sent."""
        return {name: value for name, value in self.cleaned_data.items() if name in self.shape().fields}

    def write(self) -> Any:
        """Create or change the row and answer it."""
        raise NotImplementedError

    def field_at(self, loc: list[str]) -> str:
        """Answer the field of the form for a place in what the API would have been sent."""
        return loc[1] if len(loc) > 1 else ""

    def clean(self) -> dict[str, Any]:
        """Ask the API's input shape, then say what the model refused the last time."""
        cleaned = super().clean() or self.cleaned_data
        if not self.errors:
            try:
                self.shape.read(self.given())
            except BadInput as refusal:
                for problem in refusal.problems:
                    loc = problem["loc"]
                    field = self.field_at([str(part) for part in loc]) if isinstance(loc, list) else ""
                    self.add_error(field if field in self.fields else None, str(problem["msg"]))
        said = getattr(self.request, "refusal", None)
        if isinstance(said, Refusal):
            self.add_error(NON_FIELD_ERRORS, said.detail)
        return cleaned

    def _post_clean(self) -> None:
        """Leave the row alone: the model method that writes it says what is wrong."""
