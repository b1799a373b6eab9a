"""One reply, from `acknowledged` to `ready`: each event under the trace of what asked, only while the lease holds."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction

from parlant_site.common.json import JSONValue
from sessions_app.engine import conversation as conversations
from sessions_app.engine.conversation import Conversation
from sessions_app.engine.lanes import on_lane
from sessions_app.engine.leases import Claim
from sessions_app.engine.replies import NoReply, Reply
from sessions_app.engine.responders import responder_of
from sessions_app.events import Kind, Mode, Source, Status
from sessions_app.models import Agent, Event, FollowUp, Session
from sessions_app.replying import ANSWERS, CLOSES, ENDS, HANDS_OVER, NO_EFFECT, Effect, LeaseLost, opens, resumes

logger = logging.getLogger(__name__)

# A reply whose processes die again and again is given up.
MOST_ATTEMPTS = 3
INTERRUPTED = "The agent was interrupted while it was at work on this reply"
GIVEN_UP = f"The agent was interrupted {MOST_ATTEMPTS} times while it was at work on this reply, and gives it up"
NOBODY = "The session's agent was deleted: nobody answers"
FAILED = "The agent failed to reply; the server's log says why"


async def answer(claim: Claim) -> None:
    """Reply to what is wanted of a claimed session, after closing what was left open."""
    turn = await on_lane(begin, claim)
    if turn is None:
        return
    try:
        await turn.run()
    except LeaseLost:
        return  # whoever holds the lease now says that this reply was cancelled
    except Exception:
        logger.exception("The reply on session %s failed", claim.session_id)
        await turn.fail(FAILED)


def begin(claim: Claim) -> Turn | None:
    """Close what was left open and say that the agent is at work; None when there is nothing to reply to. On a lane."""
    session = Session.objects.select_related("agent", "customer").filter(pk=claim.session_id).first()
    if session is None:
        return None
    ask = session.events.filter(offset=claim.wanted, deleted=False).first()
    timeline = Timeline(session, claim.token)
    try:
        with transaction.atomic():
            _close_what_is_open(timeline, claim, ask)
            if ask is None or claim.done >= claim.wanted:
                timeline.end_silently()
                return None
            return _opened(timeline, claim, ask)
    except LeaseLost:
        return None


def _opened(timeline: Timeline, claim: Claim, ask: Event) -> Turn | None:
    session = timeline.session
    timeline.trace_id = ask.trace_id
    turn = Turn(timeline, conversations.read(session, ask), claim)
    # Who made the agent speak has the acknowledgement already: it is what asks.
    is_acknowledged = conversations.is_acknowledgement(ask) and ask.trace_id != claim.open_trace
    named = turn.names(turn.speakers[0]) if turn.speakers else {}
    if not is_acknowledged:
        timeline.status(Status.ACKNOWLEDGED, effect=opens(ask.trace_id), metadata=named)
    problem = NOBODY if not turn.conversation.agents else GIVEN_UP if claim.attempts > MOST_ATTEMPTS else ""
    if problem:
        timeline.status(Status.ERROR, {"exception": problem}, metadata=named)
        timeline.status(Status.READY, effect=ENDS, metadata=named)
        return None
    timeline.status(Status.PROCESSING, {"stage": "Interpreting"}, effect=opens(ask.trace_id), metadata=named)
    return turn


def _close_what_is_open(timeline: Timeline, claim: Claim, ask: Event | None) -> None:
    traces = [claim.open_trace] if claim.open_trace else []
    # Somebody made the agent speak, and it was overtaken before it began.
    said = timeline.session.events.filter(
        kind=Kind.STATUS, source=Source.AI_AGENT, deleted=False, offset__gt=claim.done, offset__lt=claim.wanted
    ).order_by("offset")
    waiting = dict.fromkeys(event.trace_id for event in said if conversations.is_acknowledgement(event))
    # Callers may post statuses of their own: with those nobody asked for anything.
    asked = set(FollowUp.objects.filter(trace_id__in=waiting).values_list("trace_id", flat=True)) if waiting else set()
    ready = {event.trace_id for event in said if conversations.status_of(event) == Status.READY}
    traces += [trace for trace in waiting if trace in asked - ready and trace != claim.open_trace]
    for trace_id in traces:
        timeline.trace_id = trace_id
        under_it = timeline.session.events.filter(trace_id=trace_id, deleted=False)
        if not under_it.exists():
            continue  # all of it was deleted
        named = _named_by(under_it.filter(source=Source.AI_AGENT).order_by("offset").last())
        _retract_what_was_growing(timeline.session, trace_id)
        is_wanted = ask is not None and trace_id == ask.trace_id
        if claim.is_abandoned and trace_id == claim.open_trace and is_wanted:
            if claim.done < claim.wanted:
                timeline.status(Status.ERROR, {"exception": INTERRUPTED}, metadata=named)
        else:
            timeline.status(Status.CANCELLED, metadata=named)
        timeline.status(Status.READY, effect=CLOSES, metadata=named)


def _named_by(event: Event | None) -> dict[str, JSONValue]:
    """Answer the metadata with which an event says which of several agents it comes from."""
    known = event.metadata if event else {}
    return {name: known[name] for name in ("agent_id", "agent_name") if name in known}


def _retract_what_was_growing(session: Session, trace_id: str) -> None:
    messages = session.events.filter(
        trace_id=trace_id, kind=Kind.MESSAGE, source=Source.AI_AGENT, deleted=False, data__has_key="chunks"
    )
    for message in messages:
        if message.is_growing:
            message.retract()


class Timeline:
    """Appends the events of one reply. On a lane; LeaseLost as soon as the reply has lost its ground."""

    def __init__(self, session: Session, token: int) -> None:
        self.session = session
        self.token = token
        self.trace_id = ""

    def append(
        self,
        kind: Kind,
        source: Source,
        data: JSONValue,
        *,
        effect: Effect = NO_EFFECT,
        metadata: Mapping[str, JSONValue] | None = None,
    ) -> Event:
        """Append an event."""
        return self.session.append_event(
            kind=kind,
            source=source,
            data=data,
            metadata=metadata,
            trace_id=self.trace_id,
            effect=effect.with_token(self.token),
        )

    def status(
        self,
        status: Status,
        data: Mapping[str, JSONValue] | None = None,
        *,
        effect: Effect = NO_EFFECT,
        metadata: Mapping[str, JSONValue] | None = None,
    ) -> Event:
        """Append what the agent is doing."""
        said: JSONValue = {"status": status.value, "data": dict(data or {})}
        return self.append(Kind.STATUS, Source.AI_AGENT, said, effect=effect, metadata=metadata)

    def end_silently(self) -> None:
        """Note that nothing is left to do, without an event."""
        held = Session.objects.filter(pk=self.session.pk, lease_token=self.token)
        held.update(open_trace="", reply_due=None, lease_owner="", lease_until=None)


class Turn:
    """A reply in progress: what responders and tools may do to the session."""

    def __init__(self, timeline: Timeline, conversation: Conversation, claim: Claim) -> None:
        self.timeline = timeline
        self.conversation = conversation
        # Whether events have to say which of several agents they come from.
        self.is_shared = len(conversation.agents) > 1
        self.speakers = conversation.speakers()
        # What the last event of the reply does: a customer whom it overtook is answered then.
        overtaken = conversation.overtaken(claim.done)
        self.ends = resumes(overtaken.offset) if overtaken else ENDS
        # What agents have answered in this reply.
        self.said: set[str] = set()
        # Why a human takes over from here; said by a tool.
        self.hand_over = ""

    @property
    def trace_id(self) -> str:
        """The trace of what asked."""
        return self.timeline.trace_id

    async def run(self) -> None:
        """Let each agent whose turn it is speak, then say that they are ready."""
        resort: tuple[Agent, Reply] | None = None
        for place, agent in enumerate(self.speakers):
            if place:
                await self.status(Status.PROCESSING, {"stage": "Interpreting"}, agent)
            reply = await self._reply_of(agent)
            if reply.is_last_resort:
                resort, reply = resort or (agent, reply), Reply()
            is_last = place == len(self.speakers) - 1
            if is_last and resort and not (self.said or reply.message):
                if reply.error:
                    await on_lane(self._finish, agent, reply, False)
                agent, reply = resort
            await on_lane(self._finish, agent, reply, is_last or bool(reply.hand_over))
            if reply.hand_over:
                return

    async def _reply_of(self, agent: Agent) -> Reply:
        respond = await asyncio.to_thread(responder_of, agent)  # may import for seconds
        try:
            reply = await respond(self, agent)
        except NoReply as error:
            reply = Reply(error=str(error))
        if reply.message in self.said:
            reply.message = ""  # another agent said just that
        reply.hand_over = reply.hand_over or self.hand_over
        return reply

    def _finish(self, agent: Agent, reply: Reply, is_last: bool) -> None:
        with transaction.atomic():
            if reply.error:
                _retract_what_was_growing(self.timeline.session, self.trace_id)
                self.timeline.status(Status.ERROR, {"exception": reply.error}, metadata=self.names(agent))
            elif reply.message and not reply.is_written:
                self.timeline.status(Status.TYPING, metadata=self.names(agent))
                said = self._append_message(agent, message_data(agent, reply), reply.metadata, effect=ANSWERS)
                self.conversation.events.append(said)
            if reply.message:
                self.said.add(reply.message)
            if reply.hand_over:
                self._hand_over(agent, reply.hand_over)
            if is_last:
                self.timeline.status(Status.READY, effect=self.ends, metadata=self.names(agent))

    def _hand_over(self, agent: Agent, reason: str) -> None:
        effect = HANDS_OVER
        if self.conversation.session.mode == Mode.MANUAL:  # an agent that was told to speak: the human is there already
            effect = Effect(session=ANSWERS.session)
        data: JSONValue = {"type": "handoff", "reason": reason, "agent_id": agent.pk, "agent_name": agent.name}
        self.timeline.append(Kind.CUSTOM, Source.SYSTEM, data, effect=effect)

    def _append_message(
        self,
        agent: Agent,
        data: JSONValue,
        metadata: Mapping[str, JSONValue] | None = None,
        *,
        effect: Effect = NO_EFFECT,
    ) -> Event:
        return self.timeline.append(
            Kind.MESSAGE, Source.AI_AGENT, data, effect=effect, metadata={**self.names(agent), **(metadata or {})}
        )

    def names(self, agent: Agent) -> dict[str, JSONValue]:
        """Answer the metadata that says which of several agents an event comes from; nothing where there is but one."""
        return {"agent_id": agent.pk, "agent_name": agent.name} if self.is_shared else {}

    async def status(self, status: Status, data: Mapping[str, JSONValue] | None, agent: Agent) -> None:
        """Say what the agent is doing."""
        await on_lane(self.timeline.status, status, data, metadata=self.names(agent))

    async def say(self, agent: Agent, message: str, *, metadata: Mapping[str, JSONValue] | None = None) -> Event:
        """Say something before the reply itself."""
        reply = Reply(message)
        event = await on_lane(self._append_message, agent, message_data(agent, reply), metadata)
        self.conversation.events.append(event)
        return event

    async def tools_called(self, agent: Agent, calls: Sequence[JSONValue]) -> None:
        """Note what tools an agent called, and what they answered."""
        data: JSONValue = {"tool_calls": list(calls)}
        event = await on_lane(self.timeline.append, Kind.TOOL, Source.SYSTEM, data, metadata=self.names(agent))
        self.conversation.events.append(event)

    async def begin_message(self, agent: Agent) -> Event:
        """Begin a message that grows."""
        return await on_lane(self._begin_message, agent)

    def _begin_message(self, agent: Agent) -> Event:
        with transaction.atomic():
            self.timeline.status(Status.TYPING, metadata=self.names(agent))
            return self._append_message(agent, {**message_data(agent, Reply()), "chunks": []})

    async def grow_message(
        self, event: Event, *, data: Mapping[str, JSONValue], metadata: Mapping[str, JSONValue] | None = None
    ) -> None:
        """Let a message grow; complete when its chunks end with null."""
        known: dict[str, Any] = {**event.metadata, **(metadata or {})}
        before = event.data if isinstance(event.data, dict) else {}
        await on_lane(event.grow, data={**before, **data}, metadata=known, token=self.timeline.token)

    async def retract_message(self, event: Event) -> None:
        """Take back a message that could not be completed."""
        await on_lane(event.retract)

    async def fail(self, reason: str) -> None:
        """Say what went wrong, and that the agent is ready for the next message."""
        try:
            await on_lane(self._fail, reason)
        except LeaseLost:
            return

    def _fail(self, reason: str) -> None:
        with transaction.atomic():
            _retract_what_was_growing(self.timeline.session, self.trace_id)
            self.timeline.status(Status.ERROR, {"exception": reason})
            self.timeline.status(Status.READY, effect=self.ends)


def message_data(agent: Agent, reply: Reply) -> dict[str, Any]:
    """Answer the data of an agent's message."""
    data: dict[str, Any] = {
        "message": reply.message,
        "participant": {"id": agent.pk, "display_name": agent.name},
        "tags": [],
    }
    if reply.draft is not None:
        data["draft"] = reply.draft
    if reply.canned:
        data["canned_responses"] = [list(one) for one in reply.canned]
    return data
