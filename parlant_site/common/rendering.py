"""Rendering of answers."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import orjson
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request


class JSONRenderer(BaseRenderer):
    """Render with orjson; stored JSON passes through as orjson.Fragment without being parsed."""

    media_type = "application/json"
    format = "json"
    charset = None  # JSON is UTF-8

    def render(self, data: Any, accepted_media_type: str | None = None, renderer_context: Any = None) -> bytes:
        """Answer the JSON text; no text at all for a 204."""
        return b"" if data is None and renderer_context and _has_no_body(renderer_context) else dumps(data)


class AlwaysJSON(BaseContentNegotiation):
    """Answer JSON whatever a request accepts: who asks for a stream or a page understands a refusal all the same."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser | None:
        """Answer no parser: bodies are read by common/bodies.py."""
        return None

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        """Answer the view's first renderer."""
        renderer = next(iter(renderers))
        return renderer, renderer.media_type


def _has_no_body(renderer_context: Any) -> bool:
    response = renderer_context.get("response")
    return response is not None and response.status_code == 204


def dumps(data: Any) -> bytes:
    """Answer JSON as bytes, with times as ISO 8601 UTC with `Z`."""
    return orjson.dumps(data, default=_default, option=orjson.OPT_UTC_Z | orjson.OPT_NAIVE_UTC)


def _default(value: Any) -> Any:
    if isinstance(value, str):  # lazily translated texts and TextChoices
        return str(value)
    if hasattr(value, "__html__") or hasattr(value, "_proxy____args"):
        return str(value)
    raise TypeError(f"{type(value)} is not JSON")


def utc_text(moment: datetime) -> str:
    """Answer an instant as the contract writes it: 2026-01-02T03:04:05.678901Z."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
