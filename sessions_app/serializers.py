"""The shapes of agents, sessions and events."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from parlant_site.common.errors import BadInput
from parlant_site.common.json import JSONValue
from parlant_site.common.serializers import (
    AnyJSON,
    Flag,
    Id,
    Input,
    Instant,
    JSONObject,
    MetadataPatch,
    TagsPatch,
    Text,
    Whole,
    Words,
)
from sessions_app.actions import LONGEST_AHEAD
from sessions_app.events import (
    CompositionMode,
    Dropped,
    FollowUpState,
    Kind,
    MessageOutputMode,
    Mode,
    Rationale,
    Responder,
    Source,
    Status,
)
from sessions_app.llm_keys import key_of
from sessions_app.llm_serializers import LanguageModelBody, LanguageModelChange
from sessions_app.models import AGENT_NAME_LENGTH, LLM_FIELDS, TITLE_LENGTH, Agent

LARGEST_32 = 2**31 - 1
LONGEST_DELAY = int(LONGEST_AHEAD.total_seconds())


class AgentBody(serializers.Serializer[Any]):
    """An agent as callers see it."""

    id = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField(allow_null=True, allow_blank=True)
    creation_utc = Instant()
    max_engine_iterations = serializers.IntegerField()
    composition_mode = serializers.ChoiceField(CompositionMode.choices)
    message_output_mode = serializers.ChoiceField(MessageOutputMode.choices)
    responder = serializers.ChoiceField(["", *Responder.values], help_text="Empty: as the settings say")
    tags = serializers.ListField(child=serializers.CharField(), source="tag_ids")
    llm = serializers.SerializerMethodField(
        help_text="Its own language model; null for callers who may not view agents' settings"
    )

    @extend_schema_field(LanguageModelBody(allow_null=True))
    def get_llm(self, agent: Agent) -> dict[str, Any] | None:
        """Answer the language model, where the view says that the caller may see it."""
        if not self.context.get("shows_llm"):
            return None
        names = {name.removeprefix("llm_"): getattr(agent, name) for name in LLM_FIELDS}
        return {**names, "has_key": bool(key_of(agent))}


class AgentChange(Input):
    """What to change of an agent."""

    name = Text(required=False, min_length=1, max_length=AGENT_NAME_LENGTH)
    description = Text(required=False)
    max_engine_iterations = Whole(required=False, min_value=1, max_value=LARGEST_32)
    composition_mode = serializers.ChoiceField(CompositionMode.choices, required=False)
    message_output_mode = serializers.ChoiceField(MessageOutputMode.choices, required=False)
    responder = serializers.ChoiceField(["", *Responder.values], required=False)
    llm = LanguageModelChange(required=False)
    tags = TagsPatch(required=False)

    @classmethod
    def read(cls, given: Mapping[str, JSONValue], *, where: str = "body") -> dict[str, Any]:
        """Answer the fields of the agent; what was refused of the language model is not repeated: it may be a key."""
        try:
            fields = super().read(given, where=where)
        except BadInput as refusal:
            for problem in refusal.problems:
                loc = problem["loc"]
                if isinstance(loc, list) and loc[:2] == [where, "llm"]:
                    problem["input"] = None
            raise
        llm = fields.pop("llm", {})
        return {**fields, **llm}


class NewAgent(AgentChange):
    """An agent to create."""

    name = Text(min_length=1, max_length=AGENT_NAME_LENGTH)
    id = Id(required=False, help_text="Chosen by the caller; generated when absent")
    tags = Words(required=False, help_text="Ids of tags")  # type: ignore[assignment]  # inherited as a field


class ConsumptionOffsets(serializers.Serializer[Any]):
    """Up to where the client has consumed the events."""

    client = serializers.IntegerField(source="client_offset")


class SessionBody(serializers.Serializer[Any]):
    """A session as callers see it."""

    id = serializers.CharField()
    agent_id = serializers.CharField(source="agent_ref")
    customer_id = serializers.CharField(source="customer_ref")
    creation_utc = Instant()
    title = serializers.CharField(allow_null=True, allow_blank=True)
    participants = serializers.ListField(
        child=serializers.CharField(),
        source="participant_ids",
        help_text="Ids of the agents that answer here: the session's own first, then the further ones",
    )
    mode = serializers.ChoiceField(Mode.choices)
    consumption_offsets = ConsumptionOffsets(source="*")
    metadata = serializers.DictField(child=AnyJSON())
    labels = serializers.ListField(child=serializers.CharField(allow_blank=True))


class NewSession(Input):
    """A session to open."""

    agent_id = Text()
    customer_id = Text(required=False, help_text="The guest when absent")
    title = Text(required=False, max_length=TITLE_LENGTH)
    metadata = JSONObject(required=False)
    labels = serializers.ListField(child=Text(max_length=200), required=False)
    participants = Words(required=False, help_text="Ids of further agents that answer here")


class ParticipantsPatch(Input):
    """Ids of further agents to let answer, then of those to let answer no longer."""

    add = Words(required=False)
    remove = Words(required=False)


class OffsetsChange(Input):
    """Up to where the client has consumed the events."""

    client = Whole(required=False)


class LabelsPatch(Input):
    """Labels to put on, then labels to take off."""

    upsert = serializers.ListField(child=Text(max_length=200), required=False)
    remove = Words(required=False)


class SessionChange(Input):
    """What to change of a session."""

    title = Text(required=False, max_length=TITLE_LENGTH)
    mode = serializers.ChoiceField(Mode.choices, required=False)
    customer_id = Text(required=False)
    agent_id = Text(required=False)
    consumption_offsets = OffsetsChange(required=False)
    metadata = MetadataPatch(required=False)
    labels = LabelsPatch(required=False)
    participants = ParticipantsPatch(required=False)


class EventBody(serializers.Serializer[Any]):
    """An event as callers see it."""

    id = serializers.CharField()
    source = serializers.ChoiceField(Source.choices)  # type: ignore[assignment]  # a field, not an attribute
    kind = serializers.ChoiceField(Kind.choices)
    offset = serializers.IntegerField()
    creation_utc = Instant()
    trace_id = serializers.CharField()
    correlation_id = serializers.CharField(help_text="Older name of `trace_id`")
    data = AnyJSON()  # type: ignore[assignment]
    metadata = serializers.DictField(child=AnyJSON())
    deleted = serializers.BooleanField()


class Participant(Input):
    """Who speaks."""

    id = Text(required=False)
    display_name = Text()


class Guideline(Input):
    """What the agent is told to do, and why."""

    action = Text(min_length=1)
    rationale = serializers.ChoiceField(Rationale.choices, required=False, default=Rationale.UNSPECIFIED)


class LaterGuideline(Guideline):
    """What the agent is told to do later, and why."""

    rationale = serializers.ChoiceField(Rationale.choices, required=False, default=Rationale.FOLLOW_UP)


class GuidelineBody(serializers.Serializer[Any]):
    """What an agent was told to do, and why."""

    action = serializers.CharField()
    rationale = serializers.ChoiceField(Rationale.choices)


class FollowUpBody(serializers.Serializer[Any]):
    """Something that the agent of a session was told to say, now or later."""

    id = serializers.CharField()
    session_id = serializers.CharField()
    creation_utc = Instant()
    due_utc = Instant()
    guidelines = GuidelineBody(many=True)
    only_if_silent = serializers.BooleanField()
    state = serializers.ChoiceField(FollowUpState.choices)
    dropped_because = serializers.ChoiceField(Dropped.choices, allow_null=True)
    trace_id = serializers.CharField(help_text="Of the events with which the agent says it")


class NewFollowUp(Input):
    """What to tell the agent, and when it is due: `due_utc` or `delay`, one of both."""

    due_utc = Instant(required=False, help_text="An instant in the future; without a zone it is UTC")
    delay = Whole(required=False, max_value=LONGEST_DELAY, help_text="Seconds from now")
    guidelines = LaterGuideline(many=True, required=False, help_text="Without any the agent says what it finds fitting")
    only_if_silent = Flag(required=False, help_text="Not if the customer writes before it is due")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Answer the fields with the one `due`, an instant that is still to come."""
        if ("due_utc" in attrs) == ("delay" in attrs):
            raise serializers.ValidationError("Say when it is due: by `due_utc` or by `delay`, one of both")
        now = timezone.now()
        due = attrs.pop("due_utc", None) or now + timedelta(seconds=attrs.pop("delay"))
        if due < now:
            raise serializers.ValidationError({"due_utc": "This instant is past"})
        return {**attrs, "due": due}


class NewEvent(Input):
    """An event to post. What each kind needs, and who may post it, is the rule of actions.post_event."""

    kind = serializers.ChoiceField(Kind.choices)
    source = serializers.ChoiceField(Source.choices)  # type: ignore[assignment]  # a field, not an attribute
    message = Text(required=False)
    data = AnyJSON(required=False)  # type: ignore[assignment]
    metadata = JSONObject(required=False)
    participant = Participant(required=False)
    status = serializers.ChoiceField(Status.choices, required=False)
    guidelines = Guideline(many=True, required=False)


class EventChange(Input):
    """What to change of an event: its metadata alone."""

    metadata = MetadataPatch(required=False)
