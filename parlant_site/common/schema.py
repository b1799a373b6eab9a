"""How views describe themselves in the OpenAPI document."""

from drf_spectacular.openapi import AutoSchema as SpectacularAutoSchema


class AutoSchema(SpectacularAutoSchema):
    """The document's operations."""
