"""What an agent knows when it replies: the session as it stands, who is in it, and what was said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from customers.models import Customer
from customers.segments.past import names_of_segments
from sessions_app.events import Kind, Mode, Rationale, Source, Status
from sessions_app.models import Agent, Event, FollowUp, Session

# How many events back an agent remembers.
MEMORY = 200


@dataclass(frozen=True)
class Guideline:
    """Something that an agent was told to do, and why."""

    action: str
    rationale: Rationale = Rationale.UNSPECIFIED


@dataclass
class Conversation:
    """A session at the moment in which a reply begins."""

    session: Session
    agents: list[Agent]
    customer: Customer | None
    # Names of the customer's tags by their ids, and names of segments.
    tags: dict[str, str]
    segments: list[str]
    labels: list[str]
    # By offset, without statuses and without what was deleted.
    events: list[Event]
    # What asks for the reply: a customer's message, or the status with which the agent was made to speak.
    ask: Event
    guidelines: list[Guideline] = field(default_factory=list)

    @property
    def is_asked_by_customer(self) -> bool:
        """Whether a customer's message asks, and not somebody who makes the agent speak."""
        return self.ask.kind == Kind.MESSAGE

    def unanswered(self) -> list[Event]:
        """Answer the customer's messages since the last answer, without those that moderation flagged."""
        found: list[Event] = []
        for event in reversed(self.events):
            if event.kind != Kind.MESSAGE or (self.is_asked_by_customer and event.offset > self.ask.offset):
                continue
            if event.source != Source.CUSTOMER:
                if event.trace_id == self.ask.trace_id:
                    continue  # said in this very reply, by another agent or a tool
                break
            if not is_flagged(event):
                found.append(event)
        return found[::-1]

    def overtaken(self, done: int) -> Event | None:
        """Answer the customer's newest message that waits while the agent says what it was told to say.

        `done` is the offset up to which everything was answered or withdrawn.
        """
        if not self.guidelines or self.session.mode == Mode.MANUAL:
            return None
        waiting = [event for event in self.unanswered() if event.offset > done]
        return waiting[-1] if waiting else None

    def was_spoken_by_agent(self) -> bool:
        """Whether anybody on the business's side has said anything yet."""
        return any(event.kind == Kind.MESSAGE and Source(event.source).is_agent for event in self.events)

    def speakers(self) -> list[Agent]:
        """Answer the agents whose turn it is: those that the customer names, all of them otherwise.

        On its own account only the first speaks, the session's own: nobody greets in chorus.
        """
        if len(self.agents) < 2:
            return self.agents
        if not self.is_asked_by_customer:
            return self.agents[:1]
        said = " ".join(text_of(event) for event in self.unanswered()).casefold()
        named = [agent for agent in self.agents if f"@{agent.name.casefold()}" in said]
        return named or self.agents


def is_flagged(event: Event) -> bool:
    """Whether moderation flagged a message: it is hidden from models."""
    return isinstance(event.data, dict) and bool(event.data.get("flagged"))


def text_of(event: Event) -> str:
    """Answer the text of a message."""
    text: Any = event.data.get("message") if isinstance(event.data, dict) else ""
    return text if isinstance(text, str) else ""


def read(session: Session, ask: Event) -> Conversation:
    """Read what there is to know; on a lane."""
    customer = session.customer
    participants = Agent.objects.filter(participations__session=session).exclude(pk=session.agent_id)
    agents = ([session.agent] if session.agent else []) + list(participants.order_by("participations__id"))
    links = customer.tag_links.select_related("tag") if customer else []
    remembered = session.events.filter(deleted=False).exclude(kind=Kind.STATUS).order_by("-offset")[:MEMORY]
    said = FollowUp.objects.filter(trace_id=ask.trace_id).first() if ask.kind == Kind.STATUS else None
    return Conversation(
        session=session,
        agents=agents,
        customer=customer,
        tags={link.tag_id: link.tag.name for link in links},
        segments=names_of_segments(customer.pk) if customer else [],
        labels=session.labels(),
        events=list(remembered)[::-1],
        ask=ask,
        guidelines=guidelines_of(said.guidelines if said else []),
    )


def guidelines_of(given: Sequence[dict[str, str]]) -> list[Guideline]:
    """Answer guidelines as they were posted."""
    return [Guideline(one["action"], Rationale(one.get("rationale", Rationale.UNSPECIFIED))) for one in given]


def is_acknowledgement(event: Event) -> bool:
    """Whether an event is the status with which an agent begins."""
    return event.kind == Kind.STATUS and status_of(event) == Status.ACKNOWLEDGED


def status_of(event: Event) -> str:
    """Answer what a status event says."""
    return str(event.data.get("status", "")) if isinstance(event.data, dict) else ""
