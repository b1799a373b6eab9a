"""Agents in the console."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.contrib import admin
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from parlant_site.common.console.forms import ContractForm
from parlant_site.common.console.keyset import Order
from parlant_site.common.console.listing import Column
from parlant_site.common.console.markup import ago, chips, list_of, named, page_of
from parlant_site.common.console.pages import NEWEST, OLDEST, ConsoleAdmin
from parlant_site.common.models import ID_LENGTH
from sessions_app.events import CompositionMode, MessageOutputMode, Responder
from sessions_app.models import AGENT_NAME_LENGTH, LLM_FIELDS, Agent, AgentTag
from sessions_app.serializers import LARGEST_32, NewAgent
from tags.models import Tag


class AgentForm(ContractForm):
    """Create or change an agent."""

    shape = NewAgent

    class Meta:
        model = Agent
        fields: ClassVar[list[str]] = [
            "name", "description", "max_engine_iterations", "composition_mode", "message_output_mode",
            "responder", "llm_model", "llm_base_url", "llm_key_variable",
        ]  # fmt: skip

    id = forms.CharField(
        label=_("Id"), max_length=ID_LENGTH, required=False, help_text=_("Your own id for it; made up when left empty.")
    )
    name = forms.CharField(label=_("Name"), max_length=AGENT_NAME_LENGTH)
    description = forms.CharField(
        label=_("Description"), required=False, widget=forms.Textarea(attrs={"rows": 3}), empty_value=None
    )
    max_engine_iterations = forms.IntegerField(
        label=_("Rounds of tools"), min_value=1, max_value=LARGEST_32, initial=3,
        help_text=_("How often, at most, it may call tools before it must answer."),
    )  # fmt: skip
    composition_mode = forms.ChoiceField(
        label=_("Composition"), choices=CompositionMode.choices, help_text=_("How freely it words its messages.")
    )
    message_output_mode = forms.ChoiceField(
        label=_("Output"), choices=MessageOutputMode.choices, help_text=_("Whether a message appears whole or grows.")
    )
    responder = forms.ChoiceField(
        label=_("Answers from"), required=False, choices=[("", _("As the settings say")), *Responder.choices],
        help_text=_("Responses that people wrote, or a language model."),
    )  # fmt: skip
    llm_model = forms.CharField(
        label=_("Model"), max_length=ID_LENGTH, required=False,
        help_text=_("As its server calls it, such as llama3.2; empty: as the settings say."),
    )  # fmt: skip
    llm_base_url = forms.CharField(
        label=_("Model's server"), max_length=ID_LENGTH, required=False,
        help_text=_("OpenAI-compatible, such as http://127.0.0.1:11434/v1; empty: as the settings say."),
    )  # fmt: skip
    llm_key_variable = forms.ChoiceField(
        label=_("Its key"), required=False,
        # What was sent may be a key: it is not repeated.
        error_messages={"invalid_choice": _("Choose one of the variables.")},
        help_text=_("Keys are kept in the environment of the processes, in variables PARLANT_LLM_API_KEY_…"),
    )  # fmt: skip
    tags = forms.ModelMultipleChoiceField(
        Tag.objects.order_by("name"),
        label=_("Tags"),
        required=False,
        widget=forms.CheckboxSelectMultiple(attrs={"class": "tag-choice"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.instance._state.adding:
            del self.fields["id"]
            self.initial["tags"] = self.instance.tag_ids()
        self.fields["llm_key_variable"].choices = self._keys()  # type: ignore[attr-defined]

    def _keys(self) -> list[tuple[str, Any]]:
        known = dict.fromkeys(sorted(settings.PARLANT_LLM_API_KEYS))
        offered: list[tuple[str, Any]] = [("", _("The common key, or none for a server of its own"))]
        offered += [(name, name) for name in known]
        if (chosen := self.instance.llm_key_variable) and chosen not in known:
            offered.append((chosen, _("%(name)s (not set here)") % {"name": chosen}))
        return offered

    def field_at(self, loc: list[str]) -> str:
        """Answer the field; those of the language model are in an object of their own."""
        return "_".join(loc[1:3]) if loc[1:2] == ["llm"] else super().field_at(loc)

    def given(self) -> dict[str, Any]:
        """Answer what the API would have been sent."""
        given = super().given() | {"tags": [tag.pk for tag in self.cleaned_data["tags"]]}
        given["llm"] = {name.removeprefix("llm_"): self.cleaned_data[name] for name in LLM_FIELDS}
        return {name: value for name, value in given.items() if not (name == "id" and not value)}

    def write(self) -> Agent:
        """Create it, or change what the operator changed."""
        data = {name: self.cleaned_data[name] for name in self.Meta.fields}
        if self.instance._state.adding:
            chosen = {"id": self.cleaned_data["id"]} if self.cleaned_data["id"] else {}
            return Agent.create(tags=self.cleaned_data["tags"], **chosen, **data)
        wanted, borne = {tag.pk for tag in self.cleaned_data["tags"]}, set(self.instance.tag_ids())
        changed = {name: value for name, value in data.items() if name in self.changed_data}
        agent: Agent = self.instance
        return agent.amend(add_tags=sorted(wanted - borne), remove_tags=sorted(borne - wanted), **changed)


PARTS = (
    (None, ("name", "id", "description", "tags")),
    (_("How it answers"), ("responder", "composition_mode", "message_output_mode", "max_engine_iterations")),
    (_("Language model"), ("llm_model", "llm_base_url", "llm_key_variable")),
)


@admin.register(Agent)
class AgentAdmin(ConsoleAdmin):
    """Agents."""

    form = AgentForm
    read_fields = (*AgentForm.Meta.fields, "tag_names")
    orders: Sequence[Order] = (
        NEWEST,
        OLDEST,
        Order("name", _("Name"), "name", descending=False),
        Order("-name", _("Name"), "name"),
    )
    change_form_template = "admin/sessions_app/agent/change_form.html"
    search_hint = _("Search by name")
    deleting = _("Its conversations stay; it answers in them no more.")
    empty_text = _("No agents yet. An agent answers customers; your application opens sessions with it.")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Agent]:
        """Answer the agents with their tags."""
        links = AgentTag.objects.select_related("tag").order_by("id")
        return Agent.objects.prefetch_related(Prefetch("tag_links", queryset=links))

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Answer the form in three parts; for those who may only look, in one."""
        fields = self.get_fields(request, obj)
        if fields is self.read_fields:
            return super().get_fieldsets(request, obj)
        return [(title, {"fields": [name for name in part if name in fields]}) for title, part in PARTS]

    def search(self, rows: QuerySet[Agent], words: str) -> QuerySet[Agent]:
        """Answer the agents with the words in their name."""
        return rows.filter(name__icontains=words)

    def columns(self, request: HttpRequest) -> Sequence[Column]:
        """Answer the columns of the list."""
        return (
            Column("name", _("Name"), self._name, order="name"),
            Column("description", _("Description"), lambda agent: agent.description or ""),
            Column("tags", _("Tags"), lambda agent: chips((t.tag_id, t.tag.name, "") for t in agent.tag_links.all())),
            Column("composition", _("Composition"), lambda agent: agent.get_composition_mode_display().capitalize()),
            Column("sessions", _("Conversations"), self._sessions),
            Column("created", _("Created"), lambda agent: ago(agent.creation_utc), order="created"),
        )

    @admin.display(description=_("Tags"))
    def tag_names(self, agent: Agent) -> SafeString:
        """Answer the tags for those who may only look."""
        return chips((link.tag_id, link.tag.name, "") for link in agent.tag_links.all())

    def _name(self, agent: Agent) -> SafeString:
        return named(agent.name, agent.pk, page_of(agent))

    def _sessions(self, agent: Agent) -> SafeString:
        return format_html('<a href="{}">{}</a>', list_of("sessions_app_session", agent=agent.pk), _("Show"))
