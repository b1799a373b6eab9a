"""Canned responses in the console."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from customers.admin.forms import TagChoice, tags_shown
from customers.admin.metadata import as_sent
from parlant_site.common.console.forms import ContractForm
from parlant_site.common.console.listing import Column, Filter
from parlant_site.common.console.markup import NOTHING, ago, badge, chips, page_of
from parlant_site.common.console.pages import ConsoleAdmin
from sessions_app.admin.canned_preview import Previewing
from sessions_app.canned_responses import CannedResponseQuerySet
from sessions_app.canned_serializers import VALUE_LENGTH, NewCannedResponse
from sessions_app.engine.wording import Candidate
from sessions_app.events import Purpose
from sessions_app.models import CannedResponse, CannedResponseTag
from tags.models import Tag

OFFERED_TAGS = 200
PURPOSES = {
    Purpose.ANSWER: _("Answers a question"),
    Purpose.GREETING: _("When the agent speaks first"),
    Purpose.NO_ANSWER: _("When nothing fits, before a human takes over"),
    Purpose.BUY_TIME: _("When the agent is told to buy time"),
    Purpose.FOLLOW_UP: _("When the agent is told to follow up"),
}


class Template(forms.CharField):
    """A text of several lines."""

    widget = forms.Textarea(attrs={"rows": 6, "dir": "auto", "spellcheck": "true", "class": "wide"})

    def to_python(self, value: Any) -> str:
        """Answer the text with line feeds alone."""
        return as_sent(super().to_python(value) or "")


class Lines(forms.Field):
    """A list of strings, one on each line."""

    def prepare_value(self, value: Any) -> str:
        """Answer the lines."""
        return "\n".join(str(line) for line in value) if isinstance(value, list) else (value or "")

    def to_python(self, value: Any) -> list[str]:
        """Answer the strings, without blank lines."""
        lines = value if isinstance(value, list) else as_sent(value or "").split("\n")
        return [line.strip() for line in lines if line.strip()]


class CannedResponseForm(ContractForm):
    """Create or change a canned response; only what the operator changed is written."""

    shape = NewCannedResponse

    class Meta:
        model = CannedResponse
        fields: ClassVar[list[str]] = ["value", "signals", "purpose", "field_dependencies", "enabled"]

    value = Template(
        label=_("What to say"),
        max_length=VALUE_LENGTH,
        help_text=_(
            "A template. {{ customer.first_name }} is filled in;"
            " {% if customer.is_known %}…{% endif %} is said only where it holds;"
            ' {{ plan|default("free") }} says what to write where nothing is known. A response that names what is not'
            " known is not said. All names are listed beside this form."
        ),
    )
    signals = Lines(
        label=_("Example phrases"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 4, "dir": "auto", "class": "wide"}),
        help_text=_(
            "What customers write when this is the answer, one on each line. Three or four make it easy to find."
        ),
    )
    purpose = forms.ChoiceField(label=_("Said"), choices=list(PURPOSES.items()), initial=Purpose.ANSWER)
    tags = TagChoice(
        label=_("Only for"),
        help_text=_("With tags, it is said only where the customer or the agent bears one of them; without, to all."),
    )
    tags_shown = forms.CharField(widget=forms.HiddenInput, required=False)
    field_dependencies = Lines(
        label=_("Needs"),
        required=False,
        widget=forms.Textarea(attrs={"rows": 2, "class": "wide"}),
        help_text=_("Names of metadata or fields without which it is not said, one on each line."),
    )
    enabled = forms.BooleanField(
        label=_("In use"), required=False, initial=True, help_text=_("Agents say only what is in use.")
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.instance._state.adding:
            borne = self.instance.tag_ids()
            self.initial = {**self.initial, "tags": borne, "tags_shown": json.dumps(borne)}

    @property
    def is_previewed(self) -> bool:
        """Whether the operator wants to see what would be said, and save nothing yet."""
        return self.request is not None and "_preview" in self.request.POST

    def is_valid(self) -> bool:
        """Answer whether it may be saved."""
        return super().is_valid() and not self.is_previewed

    def given(self) -> dict[str, Any]:
        """Answer what the API would have been sent."""
        return super().given() | {"tags": [tag.pk for tag in self.cleaned_data["tags"]]}

    def write(self) -> CannedResponse:
        """Create it, or change what the operator changed."""
        data = {name: self.cleaned_data[name] for name in self.Meta.fields}
        if self.instance._state.adding:
            return CannedResponse.create(tags=self.cleaned_data["tags"], **data)
        wanted, shown = {tag.pk for tag in self.cleaned_data["tags"]}, tags_shown(self.cleaned_data["tags_shown"])
        response: CannedResponse = self.instance
        # Somebody else may have taken a tag off, or deleted it, since the page was shown.
        leaving = (shown - wanted) & set(response.tag_links.values_list("tag_id", flat=True))
        changed = {name: value for name, value in data.items() if name in self.changed_data}
        return response.amend(add_tags=sorted(wanted - shown), remove_tags=sorted(leaving), **changed)

    def previewing(self) -> Previewing | None:
        """Answer the panel that shows what would be said; nothing is said of a form with errors."""
        if self.request is None:
            return None
        if not self.is_bound:
            given, tags = {name: getattr(self.instance, name) for name in self.Meta.fields}, self.instance_tags()
        elif self.errors:
            return Previewing(self.request, None)
        else:
            given, tags = self.cleaned_data, [tag.pk for tag in self.cleaned_data["tags"]]
        if not given["value"]:
            return Previewing(self.request, None)
        needs = tuple(given["field_dependencies"])
        candidate = Candidate("", given["value"], given["purpose"], (), frozenset(tags), needs)
        return Previewing(self.request, candidate)

    def instance_tags(self) -> list[str]:
        """Answer the ids of the tags as they are kept."""
        return [] if self.instance._state.adding else self.instance.tag_ids()


class PurposeFilter(Filter):
    """Canned responses by when they are said."""

    name, label = "purpose", _("Said")

    def choices(self) -> Sequence[tuple[str, Any]]:
        """Answer the purposes."""
        return [(purpose.value, label) for purpose, label in PURPOSES.items()]

    def apply(self, rows: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Answer those with the purpose."""
        return rows.filter(purpose=value) if value in Purpose.values else rows


class RestrictedFilter(Filter):
    """Canned responses that are said where a tag is borne."""

    name, label = "tag", _("Only for")

    def choices(self) -> Sequence[tuple[str, Any]]:
        """Answer the tags by name."""
        return [("-", _("Everybody")), *Tag.objects.order_by("name").values_list("pk", "name")[:OFFERED_TAGS]]

    def apply(self, rows: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Answer those that bear the tag, or none."""
        assert isinstance(rows, CannedResponseQuerySet)
        return rows.filter(tag_links__isnull=True) if value == "-" else rows.tagged_any([value])


class InUseFilter(Filter):
    """Canned responses that agents say, or not."""

    name, label = "use", _("In use")

    def choices(self) -> Sequence[tuple[str, Any]]:
        """Answer the two states."""
        return (("yes", _("In use")), ("no", _("Off")))

    def apply(self, rows: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Answer those in the state."""
        return rows.filter(enabled=value == "yes") if value in ("yes", "no") else rows


@admin.register(CannedResponse)
class CannedResponseAdmin(ConsoleAdmin):
    """Canned responses."""

    form = CannedResponseForm
    read_fields = ("value", "phrases", "said", "tag_names", "needs", "enabled")
    filters = (PurposeFilter, RestrictedFilter, InUseFilter)
    change_form_template = "admin/sessions_app/cannedresponse/change_form.html"
    search_hint = _("Search in what is said and what it answers")
    deleting = _("Agents say it no more.")
    empty_text = _(
        "No canned responses yet. Agents greet, say thanks and goodbye and call a human by themselves; what they know"
        " about your business, you write here."
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[CannedResponse]:
        """Answer the canned responses with their tags."""
        links = CannedResponseTag.objects.select_related("tag").order_by("id")
        return CannedResponse.objects.prefetch_related(Prefetch("tag_links", queryset=links))

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Answer the fields: first what is said, to what and to whom."""
        fields = super().get_fields(request, obj)
        first = ("value", "signals", "tags")
        return fields if fields is self.read_fields else [*first, *(name for name in fields if name not in first)]

    def search(self, rows: QuerySet[Any], words: str) -> QuerySet[Any]:
        """Answer those with the words in what they say or answer."""
        assert isinstance(rows, CannedResponseQuerySet)
        return rows.search(words)

    def columns(self, request: HttpRequest) -> Sequence[Column]:
        """Answer the columns of the list."""
        return (
            Column("says", _("What to say"), self._says),
            Column("signals", _("Answers"), self._signals),
            Column("purpose", _("Said"), lambda response: PURPOSES[Purpose(response.purpose)]),
            Column("tags", _("Only for"), self.tag_names),
            Column("state", _("In use"), lambda r: _("Yes") if r.enabled else badge(_("Off"), "off")),
            Column("created", _("Created"), lambda response: ago(response.creation_utc), order="created"),
        )

    def _says(self, response: CannedResponse) -> SafeString:
        text = Truncator(response.value).chars(120)
        return format_html('<a class="says" href="{}" dir="auto">{}</a>', page_of(response), text)

    def _signals(self, response: CannedResponse) -> Any:
        if not response.signals:
            return NOTHING
        more = len(response.signals) - 1
        rest = ngettext("and %d more", "and %d more", more) % more if more else ""
        first = Truncator(str(response.signals[0])).chars(80)
        return format_html('<span dir="auto">{}</span> <span class="quiet">{}</span>', first, rest)

    @admin.display(description=_("Only for"))
    def tag_names(self, response: CannedResponse) -> SafeString:
        """Answer the tags as chips."""
        return chips((link.tag_id, link.tag.name, "") for link in response.tag_links.all())

    @admin.display(description=_("Example phrases"))
    def phrases(self, response: CannedResponse) -> Any:
        """Answer the phrases for those who may only look."""
        return "\n".join(response.signals) or NOTHING

    @admin.display(description=_("Needs"))
    def needs(self, response: CannedResponse) -> Any:
        """Answer what has to be known, for those who may only look."""
        return ", ".join(response.field_dependencies) or NOTHING

    @admin.display(description=_("Said"))
    def said(self, response: CannedResponse) -> Any:
        """Answer when it is said, for those who may only look."""
        return PURPOSES[Purpose(response.purpose)]

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> Any:
        """Show the form with its preview and the way to the audit."""
        form = context["adminform"].form
        context["previewing"] = form.previewing() if isinstance(form, CannedResponseForm) else None
        return super().render_change_form(request, context, *args, **kwargs)
