"""Putting canned responses into words: what templates may name, and to whom something is said."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sessions_app.engine import templates
from sessions_app.engine.conversation import Conversation
from sessions_app.models import Agent, CannedResponse


class NotSaid(Exception):
    """It must not or cannot be said; the text says why."""


@dataclass(frozen=True)
class Candidate:
    """Something that may be said."""

    id: str
    value: str
    purpose: str
    signals: tuple[str, ...]
    tags: frozenset[str] = frozenset()
    needs: tuple[str, ...] = ()
    hands_over: bool = False
    is_small_talk: bool = False


def candidate_of(row: CannedResponse) -> Candidate:
    """Answer a canned response as something that may be said."""
    signals = tuple(signal for signal in row.signals if isinstance(signal, str) and signal.strip())
    needs = tuple(name for name in row.field_dependencies if isinstance(name, str))
    return Candidate(row.pk, row.value, row.purpose, signals, frozenset(row.tag_ids()), needs)


def values_for(conversation: Conversation, agent: Agent, fields: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Answer what templates may name.

    customer {id, name, first_name, is_known, metadata, tags, segments}, session {id, title, metadata, labels}, agent
    {id, name, description}, std.customer.name and std.agent.name, and every key of the customer's and the session's
    metadata and of what tools answered as canned response fields.
    """
    customer, session = conversation.customer, conversation.session
    name = customer.name if customer else conversation.session.customer_ref
    metadata = dict(customer.metadata) if customer else {}
    speaker = {"id": agent.pk, "name": agent.name, "description": agent.description or ""}
    person = {
        "id": session.customer_ref,
        "name": name,
        "first_name": name.split()[0] if name.split() else name,
        "is_known": customer is not None and not customer.is_guest,
        "metadata": metadata,
        "tags": sorted(conversation.tags.values()),
        "segments": list(conversation.segments),
    }
    return {
        **metadata,
        **session.metadata,
        **(fields or {}),
        "customer": person,
        "session": {
            "id": session.pk,
            "title": session.title or "",
            "metadata": session.metadata,
            "labels": conversation.labels,
        },
        "agent": speaker,
        "std": {"customer": {"name": name}, "agent": {"name": agent.name}},
    }


def say(candidate: Candidate, values: Mapping[str, Any], bearing: Collection[str]) -> str:
    """Answer the text; NotSaid when it must not or cannot be said here."""
    if candidate.tags and candidate.tags.isdisjoint(bearing):
        raise NotSaid("neither the customer nor the agent bears one of its tags")
    for name in candidate.needs:
        if values.get(name) in (None, ""):
            raise NotSaid(f"it needs {name}, which is not known here")
    try:
        return templates.render(candidate.value, values)
    except templates.Unusable as error:
        raise NotSaid(str(error)) from None


def render(candidate: Candidate, values: Mapping[str, Any], bearing: Collection[str]) -> str | None:
    """Answer the text, or None when it must not or cannot be said here."""
    try:
        return say(candidate, values, bearing)
    except NotSaid:
        return None


def bearing_of(conversation: Conversation, agent: Agent) -> set[str]:
    """Answer the ids of the tags for which something may be said: the customer's and the agent's."""
    return {*conversation.tags, *agent.tag_ids()}
