"""The use cases that append to a conversation, whoever asks: REST, WebSocket, admin, SDK."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from customers.models import Customer
from parlant_site.common.errors import Refusal
from parlant_site.common.json import JSONValue
from sessions_app.engine.follow_ups import ask
from sessions_app.events import Kind, Mode, Source, Status
from sessions_app.models import Agent, Event, FollowUp, Session
from sessions_app.moderation import UNFLAGGED, Verdict
from sessions_app.replying import ASKS_IN_AUTO


class CannotBePosted(Refusal):
    """Events of this kind and source cannot be posted."""


class PartMissing(Refusal):
    """The event lacks a part that its kind needs."""


class TooFarAhead(Refusal):
    """A follow-up is due too far in the future."""


LONGEST_AHEAD = timedelta(days=366)


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
    verdict: Verdict = UNFLAGGED,
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
            session, message=message, participant=participant, metadata=metadata, draft=draft, verdict=verdict
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
    verdict: Verdict = UNFLAGGED,
) -> Event:
    """Append a message of the session's customer, or of another participant on the customer's side.

    In auto mode the session's agent replies to it; a reply that it was writing is cancelled.
    """
    if participant is None:
        customer = session.customer
        speaker = {"id": session.customer_ref, "display_name": customer.name if customer else session.customer_ref}
    else:
        speaker = {"id": participant.get("id", session.customer_ref), "display_name": participant["display_name"]}
    return session.append_event(
        kind=Kind.MESSAGE,
        source=Source.CUSTOMER,
        data=_message(message, speaker, draft, flagged=verdict.is_flagged, tags=list(verdict.tags)),
        metadata=metadata,
        effect=ASKS_IN_AUTO,
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


@transaction.atomic
def request_agent_message(
    session: Session,
    *,
    guidelines: Sequence[Mapping[str, str]] = (),
    metadata: Mapping[str, JSONValue] | None = None,
) -> Event:
    """Make the agent speak now, in whatever mode; answer the status with which it begins: the message has its trace."""
    said = FollowUp(session=session, guidelines=list(guidelines), due_utc=timezone.now(), is_scheduled=False)
    event = ask(said, metadata=metadata)
    said.save(force_insert=True)  # tells the reply, in whatever process, what to say
    return event


@transaction.atomic
def schedule_follow_up(
    session: Session, *, due: datetime, guidelines: Sequence[Mapping[str, str]] = (), only_if_silent: bool = False
) -> FollowUp:
    """Make the agent speak at a later time; with `only_if_silent` not if the customer writes in between.

    It is said once, by whichever process looks first when it is due, or as soon as one looks afterwards; in manual mode
    not at all. TooFarAhead for more than LONGEST_AHEAD.
    """
    if due - timezone.now() > LONGEST_AHEAD:
        raise TooFarAhead(f"A follow-up is due within {LONGEST_AHEAD.days} days")
    follow_up = FollowUp(
        session=session,
        guidelines=list(guidelines),
        due_utc=due,
        only_if_silent=only_if_silent,
        since_offset=Session.lock(session.pk).next_offset,
    )
    follow_up.save(force_insert=True)
    return follow_up


@transaction.atomic
def open_session(
    *,
    agent: Agent,
    customer: Customer,
    allow_greeting: bool = False,
    participants: Iterable[Agent] = (),
    **fields: Any,
) -> Session:
    """Open a session; with `allow_greeting` the agent speaks first."""
    session = Session.open(agent=agent, customer=customer, **fields)
    if others := list(participants):
        session.amend_participants(add=others)
    if allow_greeting:
        request_agent_message(session)
    return session


def take_over(session: Session) -> Session:
    """Let humans answer: what the agent was writing is cancelled."""
    return session.amend(mode=Mode.MANUAL)


def hand_back(session: Session) -> Session:
    """Let the agent answer again; it replies at once to a customer who has been waiting since her last message."""
    return session.amend(mode=Mode.AUTO)


def transfer(session: Session, *, agent: Agent) -> Session:
    """Let another agent answer from now on, and say so in the timeline; a reply in progress is begun again by it."""
    return amend_session(session, agent=agent)


@transaction.atomic
def amend_session(
    session: Session,
    *,
    add_participants: Sequence[Agent] = (),
    remove_participants: Sequence[str] = (),
    **changes: Any,
) -> Session:
    """Change a session (see Session.amend) and which further agents answer in it, all or nothing.

    Where another agent answers from now on, the timeline says so.
    """
    before = Session.lock(session.pk)
    session.amend(**changes)
    if add_participants or remove_participants:
        session.amend_participants(add=add_participants, remove=remove_participants)
    agent = changes.get("agent")
    if agent is not None and before.agent_id != agent.pk:
        session.append_event(
            kind=Kind.CUSTOM,
            source=Source.SYSTEM,
            data={
                "type": "transfer",
                "from": {"id": before.agent_ref, "name": agent_name(before)},
                "to": {"id": agent.pk, "name": agent.name},
            },
        )
    return session


def agent_name(session: Session) -> str:
    """Answer the name under which the session's agent speaks; its id when it was deleted."""
    agent: Agent | None = session.agent
    return agent.name if agent else session.agent_ref


def _message(message: str, speaker: Mapping[str, JSONValue], draft: JSONValue, **more: JSONValue) -> dict[str, Any]:
    data: dict[str, Any] = {"message": message, "participant": dict(speaker), **more}
    if isinstance(draft, str):
        data["draft"] = draft
    return data
