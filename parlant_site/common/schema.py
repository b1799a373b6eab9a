"""How views describe themselves in the OpenAPI document."""

from __future__ import annotations

import re
from typing import Any

from drf_spectacular.extensions import (
    OpenApiAuthenticationExtension,
    OpenApiSerializerExtension,
    OpenApiSerializerFieldExtension,
)
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiResponse, extend_schema_serializer
from rest_framework import serializers

from parlant_site.common.permissions import is_closed
from parlant_site.common.serializers import Detail

REFUSALS = {
    401: "A token is needed (production)",
    403: "The token's user may not do this (production)",
    404: "Something that the request names does not exist",
    413: "The body is too large",
    422: "The request is not valid or breaks a rule: `detail` is a sentence or a list of problems",
    429: "Too many requests (production): see Retry-After",
    504: "Nothing came within the time to wait",
}


class Invalid(serializers.Serializer[Any]):
    """Why a request cannot be done: a sentence, or a list of its wrong values."""


class InvalidSchema(OpenApiSerializerExtension):
    """`detail` is a string or a list of {loc, msg, type, input}."""

    target_class = "parlant_site.common.schema.Invalid"

    def map_serializer(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        """Answer the JSON schema."""
        problem = {
            "type": "object",
            "required": ["loc", "msg", "type"],
            "properties": {
                "loc": {"type": "array", "items": {"type": ["string", "integer"]}},
                "msg": {"type": "string"},
                "type": {"type": "string"},
                "input": {},
            },
        }
        detail = {"oneOf": [{"type": "string"}, {"type": "array", "items": problem}]}
        return {"type": "object", "required": ["detail"], "properties": {"detail": detail}}


class AnyJSONSchema(OpenApiSerializerFieldExtension):
    """Any JSON value at all."""

    target_class = "parlant_site.common.serializers.AnyJSON"

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> dict[str, Any]:
        """Answer the JSON schema that allows everything."""
        return {}


class ContractSchema(AutoSchema):
    """An operation: the beginning of its docstring as its summary, and whether it needs a token now."""

    def get_summary(self) -> str:
        """Answer what the operation does, in a few words: the docstring up to its first stop."""
        return re.split(r"[.:;](?:\s|$)", self.get_description() or "", maxsplit=1)[0]

    def get_auth(self) -> list[dict[str, Any]]:
        """Answer the security requirements; an empty one where callers without a token may call."""
        required: list[dict[str, Any]] = super().get_auth()
        public = getattr(self.view, "public", {})
        return [*required, {}] if not is_closed() or getattr(self.view, "action", None) in public else required


class BearerSchema(OpenApiAuthenticationExtension):
    """`Authorization: Bearer <token>`."""

    target_class = "parlant_site.common.permissions.BearerAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        """Answer the security scheme."""
        return {"type": "http", "scheme": "bearer"}


@extend_schema_serializer(many=False)
class Frame(serializers.Serializer[Any]):
    """A server-sent event: its id is the event's offset, its data the event as JSON."""

    id = serializers.CharField(required=False)
    data = serializers.CharField()  # type: ignore[assignment]  # a field, not an attribute


STREAM = {(200, "text/event-stream"): OpenApiResponse(Frame, description="With `sse=true`: server-sent events")}


def answers(status: int, shape: Any = None, *, refusals: tuple[int, ...] = (), description: str = "") -> dict[int, Any]:
    """Answer the `responses` of an operation: its good answer, its refusals, and those that any operation may give."""
    bad = {
        code: OpenApiResponse(Invalid if code == 422 else Detail, description=REFUSALS[code])
        for code in sorted({401, 403, 413, 422, 429, *refusals})
    }
    return {status: OpenApiResponse(shape, description=description), **bad}
