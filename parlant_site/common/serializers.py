"""Serializers and fields that take what the contract takes, and nothing that merely resembles it."""

import re
from collections.abc import Mapping
from datetime import UTC
from typing import Any

from django.core.validators import RegexValidator
from rest_framework import serializers
from rest_framework.exceptions import ValidationError

from parlant_site.common.error_answers import problems_of
from parlant_site.common.errors import BadInput
from parlant_site.common.json import LARGEST, JSONValue
from parlant_site.common.models import ID_LENGTH

DIGITS = re.compile(r"-?[0-9]{1,20}")


class Input(serializers.Serializer[Any]):
    """What a caller sends. Unknown fields are ignored; an explicit null of an optional field counts as absent."""

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """Answer the fields; the OpenAPI document says of the optional ones that they may be null."""
        fields = super().get_fields()
        for field in fields.values():
            if not field.required and not isinstance(field, AnyJSON):
                field.allow_null = True
        return fields

    def to_internal_value(self, data: Any) -> Any:
        """Answer the validated fields that were given."""
        if isinstance(data, dict):
            fields = self.fields
            data = {
                name: value
                for name, value in data.items()
                if value is not None or (name in fields and fields[name].required)
            }
        return super().to_internal_value(data)

    @classmethod
    def read(cls, given: Mapping[str, JSONValue], *, where: str = "body") -> dict[str, Any]:
        """Answer the validated fields; BadInput with the contract's list of problems."""
        serializer = cls(data=given)
        try:
            serializer.is_valid(raise_exception=True)
        except ValidationError as error:
            raise BadInput(problems_of(error.detail, [where], given)) from None
        return dict(serializer.validated_data)


class Query(Input):
    """What a caller writes behind the `?`: nothing there can be null."""

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        """Answer the fields as they are declared."""
        return serializers.Serializer.get_fields(self)


class Text(serializers.CharField):
    """A string as it is: not trimmed, and nothing else turned into one."""

    default_error_messages = {"invalid": "Input should be a string"}

    def __init__(self, **options: Any) -> None:
        options.setdefault("trim_whitespace", False)
        options.setdefault("allow_blank", options.get("min_length", 0) == 0)
        super().__init__(**options)

    def to_internal_value(self, data: Any) -> str:
        """Answer the string."""
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class Id(Text):
    """An identifier of the caller's choice: one that can be written into a path."""

    def __init__(self, **options: Any) -> None:
        addressable = RegexValidator(r"^[^/]*[^/.][^/]*$", "An id has no slash and is more than dots", "value_error")
        super().__init__(**{"min_length": 1, "max_length": ID_LENGTH, "validators": [addressable], **options})


class Whole(serializers.IntegerField):
    """A whole number of 64 bits; in a body a JSON number, in a query its digits."""

    default_error_messages = {"invalid": "Input should be a valid integer"}

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"min_value": 0, "max_value": LARGEST, **options})

    def to_internal_value(self, data: Any) -> int:
        """Answer the number."""
        if isinstance(data, float) and data.is_integer() and abs(data) <= LARGEST:
            data = int(data)  # JSON has but one kind of number: 3.0 is 3
        if isinstance(data, (bool, float)) or (isinstance(data, str) and not DIGITS.fullmatch(data)):
            self.fail("invalid")
        return super().to_internal_value(data)


class Flag(serializers.BooleanField):
    """True or false as JSON writes them, and nothing that merely resembles them."""

    default_error_messages = {"invalid": "Input should be a valid boolean"}

    def to_internal_value(self, data: Any) -> bool:
        """Answer the value."""
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class Instant(serializers.DateTimeField):
    """An instant as ISO 8601 in UTC, with `T` and `Z`, whatever the time zone of the site."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"default_timezone": UTC, **options})


class Words(serializers.ListField):
    """A list of strings."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"child": Text(), **options})


class TextMap(serializers.DictField):
    """An object whose values are strings."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"child": Text(), **options})


class JSONObject(serializers.DictField):
    """An object of any JSON values."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"child": AnyJSON(), **options})


class AnyJSON(serializers.JSONField):
    """Any JSON value, null too, kept as it is: the reader of bodies has checked it (common/json.py)."""

    def validate_empty_values(self, data: Any) -> tuple[bool, Any]:
        """Answer that null is a value like any other."""
        return (True, None) if data is None else super().validate_empty_values(data)

    def to_internal_value(self, data: Any) -> Any:
        """Answer the value."""
        return data


class MetadataPatch(Input):
    """Keys to set, then keys to unset; unknown ones are ignored. The older dialect says `remove` for `unset`."""

    set = JSONObject(required=False)
    unset = Words(required=False)
    remove = Words(required=False, help_text="Older name of `unset`")

    @staticmethod
    def changes(patch: dict[str, Any] | None) -> dict[str, Any]:
        """Answer the arguments set_metadata and unset_metadata."""
        patch = patch or {}
        return {
            "set_metadata": patch.get("set"),
            "unset_metadata": [*patch.get("unset", []), *patch.get("remove", [])],
        }


class TextMetadataPatch(MetadataPatch):
    """Keys to set to strings, then keys to unset."""

    set = TextMap(required=False)  # type: ignore[assignment]  # serializers inherit fields, not attributes


class TagsPatch(Input):
    """Ids of tags to put on and to take off."""

    add = Words(required=False)
    remove = Words(required=False)


class Detail(serializers.Serializer[Any]):
    """Why a request was refused."""

    detail = serializers.CharField()
