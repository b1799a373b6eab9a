"""The shapes of an agent's own language model."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from parlant_site.common.models import ID_LENGTH
from parlant_site.common.serializers import Input, Text
from sessions_app.llm_keys import ADDRESS_HELP, VARIABLE_HELP, problem_of_address, problem_of_variable

MODEL_HELP = "Name of the model, as its server calls it; empty: as PARLANT_LLM_MODEL says"
BASE_URL_HELP = f"{ADDRESS_HELP}; empty: as PARLANT_LLM_BASE_URL says"


class LanguageModelBody(serializers.Serializer[Any]):
    """An agent's own language model: what is empty is as the settings say. Keys are never shown."""

    model = serializers.CharField(source="llm_model", allow_blank=True, help_text=MODEL_HELP)
    base_url = serializers.CharField(source="llm_base_url", allow_blank=True, help_text=BASE_URL_HELP)
    key_variable = serializers.CharField(source="llm_key_variable", allow_blank=True, help_text=VARIABLE_HELP)
    has_key = serializers.BooleanField(help_text="Whether the process that answers has a key for it")


class LanguageModelChange(Input):
    """What to change of an agent's language model."""

    model = Text(required=False, max_length=ID_LENGTH, help_text=MODEL_HELP)
    base_url = Text(required=False, max_length=ID_LENGTH, help_text=BASE_URL_HELP)
    key_variable = Text(required=False, max_length=ID_LENGTH, help_text=VARIABLE_HELP)

    def to_internal_value(self, data: Any) -> Any:
        """Answer the fields of the agent; a key itself is refused, wherever it was written."""
        if isinstance(data, dict) and (given := {"key", "api_key"} & set(data)):
            raise serializers.ValidationError(dict.fromkeys(given, f"Keys are not kept here: {VARIABLE_HELP}"))
        return {f"llm_{name}": value for name, value in super().to_internal_value(data).items()}

    def validate_base_url(self, value: str) -> str:
        """Refuse what is no address."""
        return _checked(value, problem_of_address(value))

    def validate_key_variable(self, value: str) -> str:
        """Refuse what is no name of a key's variable."""
        return _checked(value, problem_of_variable(value))


def _checked(value: str, problem: str) -> str:
    if problem:
        raise serializers.ValidationError(problem, "value_error")
    return value
