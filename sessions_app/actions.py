"""The use cases that append to a conversation, whoever asks: REST, WebSocket, admin, SDK."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from parlant_site.common.errors import Refusal
from parlant_site.common.json import JSONValue
from sessions_app.events import Kind, Moderation, Source, Status
from sessions_app.models import Agent, Event, Session


class CannotBePosted(Refusal):
    """Events of this kind and source cannot be posted."""


class PartMissing(Refusal):
    """The event lacks a part that its kind needs."""


def post_event(
    session: Session,
    *,
    kind: Kind,
    source: Source,
    message: str | None = None,
    data: JSONValue = None,
    metadata: Mapping[str, JSONValue] | None = None,
    participant: Mapping[str, str] | None = None,
    status: Status | None = None,
    guidelines: Sequence[Mapping[str, str]] = (),
    moderation: Moderation = Moderation.NONE,
) -> Event:
    """Append what a caller posts, by the table of the contract; CannotBePosted or PartMissing say what is wrong."""
    if not source.may_post(kind):
        raise CannotBePosted(f"A {kind.value} event from {source.value} cannot be posted")
    if kind is Kind.STATUS:
        return post_status(session, source=source, status=status, data=data, metadata=metadata)
    if kind is Kind.CUSTOM:
        return post_custom(session, source=source, data=data, metadata=metadata)
    if source is Source.AI_AGENT:
        if message:
            raise CannotBePosted("An agent words its messages itself: post none")
        return request_agent_message(session, guidelines=guidelines, metadata=metadata)
    if not message:
        raise PartMissing(f"A message from {source.value} needs `message`")
    draft = data.get("draft") if isinstance(data, dict) else None
    if source is Source.CUSTOMER:
        return post_customer_message(
            session, message=message, participant=participant, metadata=metadata, draft=draft, moderation=moderation
        )
    return post_human_message(
        session,
        message=message,
        participant=participant,
        metadata=metadata,
        draft=draft,
        on_behalf=source is Source.HUMAN_AGENT_ON_BEHALF_OF_AI_AGENT,
    )


def post_customer_message(
    session: Session,
    *,
    message: str,
    participant: Mapping[str, str] | None = None,
    metadata: Mapping[str, JSONValue] | None = None,
    draft: JSONValue = None,
    moderation: Moderation = Moderation.NONE,
) -> Event:
    """Append a message of the session's customer, or of another participant on the customer's side."""
    if participant is None:
        customer = session.customer
        speaker = {"id": session.customer_ref, "display_name": customer.name if customer else session.customer_ref}
    else:
        speaker = {"id": participant.get("id", session.customer_ref), "display_name": participant["display_name"]}
    return session.append_event(
        kind=Kind.MESSAGE,
        source=Source.CUSTOMER,
        data=_message(message, speaker, draft, flagged=False, tags=[]),
        metadata=metadata,
    )


def post_human_message(
    session: Session,
    *,
    message: str,
    participant: Mapping[str, str] | None = None,
    metadata: Mapping[str, JSONValue] | None = None,
    draft: JSONValue = None,
    on_behalf: bool = False,
) -> Event:
    """Append a message of a human agent: under her own name, or on behalf of the session's agent, under its name."""
    speaker: dict[str, JSONValue]
    if on_behalf:
        source = Source.HUMAN_AGENT_ON_BEHALF_OF_AI_AGENT
        speaker = {"id": session.agent_ref, "display_name": agent_name(session)}
    else:
        source = Source.HUMAN_AGENT
        if participant is None or not participant.get("display_name"):
            raise PartMissing("A message from human_agent needs `participant` with a `display_name`")
        speaker = {"id": participant.get("id"), "display_name": participant["display_name"]}
    return session.append_event(
        kind=Kind.MESSAGE, source=source, data=_message(message, speaker, draft), metadata=metadata
    )


def post_status(
    session: Session,
    *,
    source: Source,
    status: Status | None,
    data: JSONValue = None,
    metadata: Mapping[str, JSONValue] | None = None,
) -> Event:
    """Append a status."""
    if status is None:
        raise PartMissing("A status event needs `status`")
    if data is not None and not isinstance(data, dict):
        raise PartMissing("The `data` of a status event is an object")
    return session.append_event(
        kind=Kind.STATUS, source=source, data={"status": status.value, "data": data or {}}, metadata=metadata
    )


def post_custom(
    session: Session,
    *,
    source: Source,
    data: JSONValue,
    metadata: Mapping[str, JSONValue] | None = None,
) -> Event:
    """Append something of the application's own."""
    if not data:
        raise PartMissing("A custom event needs `data` that is not empty, 0 or false")
    return session.append_event(kind=Kind.CUSTOM, source=source, data=data, metadata=metadata)


def request_agent_message(
    session: Session,
    *,
    guidelines: Sequence[Mapping[str, str]] = (),
    metadata: Mapping[str, JSONValue] | None = None,
) -> Event:
    """Ask the agent to speak now."""
    raise CannotBePosted("No agent is running that could speak")


def agent_name(session: Session) -> str:
    """Answer the name under which the session's agent speaks; its id when it was deleted."""
    agent: Agent | None = session.agent
    return agent.name if agent else session.agent_ref


def _message(message: str, speaker: Mapping[str, JSONValue], draft: JSONValue, **more: JSONValue) -> dict[str, Any]:
    data: dict[str, Any] = {"message": message, "participant": dict(speaker), **more}
    if isinstance(draft, str):
        data["draft"] = draft
    return data
