"""What a rule can ask about a customer."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from customers.changes import Changed

METADATA_PREFIX = "metadata."


class Kind(Enum):
    """What a field holds, which decides the operators that it takes."""

    TEXT = "text"
    NUMBER = "number"
    MOMENT = "moment"
    METADATA = "metadata"  # a text that may parse as a number, a date or a boolean
    TAGS = "tags"
    SEGMENTS = "segments"


@dataclass(frozen=True)
class Field:
    """A field: its name in JSON, its name in the text face, and how people call it."""

    name: str
    text: str
    label: str
    kind: Kind
    group: str
    uses: Changed
    may_miss: bool = False
    choices: tuple[str, ...] = ()
    key: str = ""


SOURCES = ("customer", "customer_ui", "ai_agent", "human_agent", "human_agent_on_behalf_of_ai_agent", "system")

_IDENTITY, _ACTIVITY = "Identity", "Activity"


def _seen(name: str, text: str, label: str) -> Field:
    return Field(name, text, label, Kind.MOMENT, _ACTIVITY, Changed.ACTIVITY, may_miss=True)


def _count(name: str, text: str, label: str) -> Field:
    return Field(name, text, label, Kind.NUMBER, _ACTIVITY, Changed.ACTIVITY)


_LAST_SOURCE = Field(
    "last_message_source",
    "last_message_from",
    "last message from",
    Kind.TEXT,
    _ACTIVITY,
    Changed.ACTIVITY,
    may_miss=True,
    choices=SOURCES,
)

FIELDS = {
    field.name: field
    for field in (
        Field("id", "id", "id", Kind.TEXT, _IDENTITY, Changed.PROFILE),
        Field("name", "name", "name", Kind.TEXT, _IDENTITY, Changed.PROFILE),
        Field("creation_utc", "created", "created", Kind.MOMENT, _IDENTITY, Changed.PROFILE),
        Field("tags", "tag", "tags", Kind.TAGS, "Tags", Changed.TAGS),
        _seen("last_seen", "seen", "last seen"),
        _seen("first_seen", "first_seen", "first seen"),
        _seen("last_message_utc", "last_message", "last message"),
        _seen("waiting_since", "waiting", "waiting since"),
        _LAST_SOURCE,
        _count("session_count", "sessions", "number of sessions"),
        _count("manual_session_count", "manual_sessions", "number of manual sessions"),
        _count("customer_message_count", "customer_messages", "messages of the customer"),
        _count("ai_message_count", "ai_messages", "messages of agents"),
        _count("human_message_count", "human_messages", "messages of humans"),
        Field("segments", "segment", "segments", Kind.SEGMENTS, "Segments", Changed.SEGMENTS),
    )
}
BY_TEXT = {field.text: field for field in FIELDS.values()}
BY_LABEL = {field.label: field for field in FIELDS.values()}


def field_named(name: str) -> Field | None:
    """Answer the field of a name in JSON; None when there is none."""
    if name.startswith(METADATA_PREFIX):
        return metadata_field(name[len(METADATA_PREFIX) :])
    return FIELDS.get(name)


def metadata_field(key: str) -> Field:
    """Answer the field of a metadata key; any text is a key."""
    name = METADATA_PREFIX + key
    return Field(name, name, name, Kind.METADATA, "Metadata", Changed.METADATA, may_miss=True, key=key)
