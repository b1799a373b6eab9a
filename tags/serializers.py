"""The shapes of tags."""

from typing import Any

from rest_framework import serializers

from parlant_site.common.serializers import Input, Instant, Text
from tags.models import NAME_LENGTH


class TagBody(serializers.Serializer[Any]):
    """A tag as callers see it."""

    id = serializers.CharField()
    name = serializers.CharField()
    creation_utc = Instant()


class TagName(Input):
    """The name of a tag to create or rename."""

    name = Text(min_length=1, max_length=NAME_LENGTH)
