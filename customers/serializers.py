"""The shapes of customers."""

from typing import Any

from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema_field
from rest_framework import serializers

from customers.models import NAME_LENGTH
from parlant_site.common.personal import sight
from parlant_site.common.serializers import Id, Input, Instant, TagsPatch, Text, TextMap, TextMetadataPatch, Words


class ShownMetadata(serializers.DictField):
    """Metadata as the caller may see it."""

    def to_representation(self, value: Any) -> dict[str, Any]:
        """Answer the metadata, personal values masked for those who may not see them."""
        return sight().metadata(value)


class CustomerBody(serializers.Serializer[Any]):
    """A customer as callers see her."""

    id = serializers.CharField()
    creation_utc = Instant()
    name = serializers.CharField()
    metadata = ShownMetadata(child=serializers.CharField(allow_blank=True))
    tags = serializers.ListField(child=serializers.CharField(), source="tag_ids")


class NewCustomer(Input):
    """A customer to register."""

    name = Text(min_length=1, max_length=NAME_LENGTH)
    id = Id(required=False, help_text="Chosen by the caller; generated when absent")
    metadata = TextMap(required=False)
    tags = Words(required=False, help_text="Ids of tags")


@extend_schema_field(
    PolymorphicProxySerializer(
        component_name="CustomerTagsPatch",
        serializers=[TagsPatch, serializers.ListSerializer(child=serializers.CharField())],  # type: ignore[list-item]
        resource_type_field_name=None,
        many=False,
    )
)
class TagsChange(serializers.Field[Any, Any, Any, Any]):
    """{add, remove}, or, in the older dialect, the list of all ids."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """Answer the arguments add_tags and remove_tags, or replace_tags."""
        if isinstance(data, list):
            return {"replace_tags": Words().run_validation(data)}
        patch = TagsPatch(data=data)
        patch.is_valid(raise_exception=True)
        return {f"{verb}_tags": ids for verb, ids in patch.validated_data.items()}


class CustomerChange(Input):
    """What to change of a customer."""

    name = Text(required=False, min_length=1, max_length=NAME_LENGTH)
    metadata = TextMetadataPatch(required=False)
    tags = TagsChange(required=False)
