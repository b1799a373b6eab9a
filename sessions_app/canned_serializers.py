"""The shapes of canned responses."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from parlant_site.common.serializers import (
    AnyJSON,
    Flag,
    Input,
    Instant,
    JSONObject,
    MetadataPatch,
    TagsPatch,
    Text,
    Words,
)
from sessions_app.engine import templates
from sessions_app.events import Purpose

VALUE_LENGTH = 4000
PHRASE_LENGTH = 500
MOST_PHRASES = 200
NAME_LENGTH = 100

VALUE_HELP = (
    "What to say: a Jinja2 template. It may name customer (id, name, first_name, is_known, metadata, tags, segments),"
    " session (id, title, metadata, labels), agent (id, name, description), std.customer.name, std.agent.name, and"
    " every key of the customer's and the session's metadata. A response that names what is not known is not said."
)
SIGNALS_HELP = "Example phrases that it answers: it is found by them and by its own words"
TAGS_HELP = "Ids of tags. With any, it is said only where the customer or the agent bears one of them"
FIELDS_HELP = "What the template names that tools or metadata provide, described for people"
NEEDS_HELP = "Names of values that have to be known for it to be said"
PURPOSE_HELP = "When it is said (an addition to Parlant's contract)"
ENABLED_HELP = (
    "Whether agents may say it (an addition to Parlant's contract). It is turned off when the last tag that restricts"
    " it is deleted"
)


class TemplateText(Text):
    """The template of a canned response."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"min_length": 1, "max_length": VALUE_LENGTH, "help_text": VALUE_HELP, **options})

    def to_internal_value(self, data: Any) -> str:
        """Answer the template; what is wrong with it is told with its line."""
        text = super().to_internal_value(data)
        if not text.strip():
            raise serializers.ValidationError("The text is empty", "value_error")
        if problem := templates.problem_of(text):
            raise serializers.ValidationError(f"The template cannot be used: {problem}", "template")
        return text


class CannedResponseField(Input):
    """A value that the template names."""

    name = Text(min_length=1, max_length=NAME_LENGTH)
    description = Text(max_length=VALUE_LENGTH)
    examples = Words(required=False, default=list, child=Text(max_length=VALUE_LENGTH), max_length=MOST_PHRASES)


class FieldBody(serializers.Serializer[Any]):
    """A value that the template names."""

    name = serializers.CharField()
    description = serializers.CharField(allow_blank=True)
    examples = serializers.ListField(child=serializers.CharField(allow_blank=True))


def _phrases(**options: Any) -> Words:
    return Words(child=Text(min_length=1, max_length=PHRASE_LENGTH), max_length=MOST_PHRASES, **options)


class CannedResponseBody(serializers.Serializer[Any]):
    """A canned response as callers see it."""

    id = serializers.CharField()
    creation_utc = Instant()
    value = serializers.CharField(help_text=VALUE_HELP)
    fields = FieldBody(many=True, help_text=FIELDS_HELP)  # type: ignore[assignment]  # a field, not the property
    tags = serializers.ListField(child=serializers.CharField(), source="tag_ids", help_text=TAGS_HELP)
    signals = serializers.ListField(child=serializers.CharField(), help_text=SIGNALS_HELP)
    metadata = serializers.DictField(child=AnyJSON())
    field_dependencies = serializers.ListField(child=serializers.CharField(), help_text=NEEDS_HELP)
    purpose = serializers.ChoiceField(Purpose.choices, help_text=PURPOSE_HELP)
    enabled = serializers.BooleanField(help_text=ENABLED_HELP)


class CannedResponseChange(Input):
    """What to change of a canned response."""

    value = TemplateText(required=False)
    fields = CannedResponseField(many=True, required=False, help_text=FIELDS_HELP)  # type: ignore[assignment]
    tags = TagsPatch(required=False, help_text=TAGS_HELP)
    metadata = MetadataPatch(required=False)
    signals = _phrases(required=False, help_text=SIGNALS_HELP)
    field_dependencies = _phrases(required=False, help_text=NEEDS_HELP)
    purpose = serializers.ChoiceField(Purpose.choices, required=False, help_text=PURPOSE_HELP)
    enabled = Flag(required=False, help_text=ENABLED_HELP)


class NewCannedResponse(CannedResponseChange):
    """A canned response to create."""

    value = TemplateText()
    tags = Words(required=False, help_text=TAGS_HELP)  # type: ignore[assignment]  # inherited as a field
    metadata = JSONObject(required=False)  # type: ignore[assignment]
