"""What is kept of two customers who become one, field by field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from django.db import models
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _

from customers.changing import Change
from customers.models import Customer
from customers.segments.publishing import reserved_among
from parlant_site.common.errors import BadInput
from parlant_site.common.json import JSONValue
from parlant_site.common.rendering import dumps

T = TypeVar("T", bound=models.TextChoices)


class Side(models.TextChoices):
    """Of whom a value is kept."""

    SURVIVOR = "survivor", _("hers")
    OTHER = "other", _("the other’s")


class TagChoice(models.TextChoices):
    """Whose tags are kept."""

    BOTH = "both", _("all tags of both")
    SURVIVOR = "survivor", _("hers")
    OTHER = "other", _("the other’s")


@dataclass(frozen=True)
class Choices:
    """A choice per field. Of a metadata key without one the survivor's value is kept, or else the other one's.

    Who is chosen for a key without having it decides that the key goes.
    """

    name: Side = Side.SURVIVOR
    metadata: Mapping[str, Side] = field(default_factory=dict)
    tags: TagChoice = TagChoice.BOTH

    @classmethod
    def read(cls, given: Mapping[str, JSONValue]) -> Choices:
        """Answer what {"name": side, "metadata": {key: side}, "tags": choice} says; BadInput for another word."""
        keys = given.get("metadata") or {}
        if not isinstance(keys, dict):
            raise BadInput.at("choices", "metadata", msg="Should be an object of keys and sides")
        metadata = {key: _one_of(Side, side, "metadata", key) for key, side in keys.items()}
        name = _one_of(Side, given.get("name", Side.SURVIVOR), "name")
        return cls(name, metadata, _one_of(TagChoice, given.get("tags", TagChoice.BOTH), "tags"))

    def change(self, survivor: Customer, other: Customer, tags: Mapping[str, set[str]]) -> Change:
        """Answer what changes of the survivor."""
        sides = {
            key: self.metadata.get(key, Side.SURVIVOR if key in survivor.metadata else Side.OTHER)
            for key in [*survivor.metadata, *other.metadata]
        }
        taken = [key for key, side in sides.items() if side is Side.OTHER]
        # Tags that segments publish go by who is in the segment.
        reserved = reserved_among(tags[survivor.pk] | tags[other.pk])
        hers, others = tags[survivor.pk] - reserved, tags[other.pk] - reserved
        wanted = {TagChoice.BOTH: hers | others, TagChoice.SURVIVOR: hers, TagChoice.OTHER: others}[self.tags]
        return Change(
            name=other.name if self.name is Side.OTHER else None,
            set_metadata={key: other.metadata[key] for key in taken if key in other.metadata},
            unset_metadata=frozenset(key for key in taken if key not in other.metadata),
            add_tags=frozenset(wanted - hers),
            remove_tags=frozenset(hers - wanted),
        )


def state_of(survivor: Customer, other: Customer, tags: Mapping[str, set[str]]) -> str:
    """Answer a short text that changes when either of them does: who chose saw this very state."""
    seen = [[one.pk, one.name, sorted(one.metadata.items()), sorted(tags[one.pk])] for one in (survivor, other)]
    return salted_hmac("customers.merge.state", dumps(seen)).hexdigest()[:16]


def _one_of(choices: type[T], value: JSONValue, *loc: str) -> T:
    if not isinstance(value, str) or value not in choices.values:
        raise BadInput.at("choices", *loc, msg=f"Should be one of {', '.join(choices.values)}")
    return choices(value)
