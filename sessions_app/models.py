"""Agents, sessions and their ordered events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, ClassVar

from django.db import IntegrityError, models, transaction
from django.db.models import F
from django.utils import timezone

from customers.models import GUEST_ID, Changed, Customer
from parlant_site.common.audit import Act, record
from parlant_site.common.errors import NotFound, Refusal
from parlant_site.common.ids import new_id
from parlant_site.common.json import JSONValue
from parlant_site.common.models import ID_LENGTH, Identified, length_between, one_of
from sessions_app import appending, bell, feed
from sessions_app.activity import restate_customers, restate_session
from sessions_app.canned_responses import CannedResponse, CannedResponseTag
from sessions_app.events import CompositionMode, Kind, MessageOutputMode, Mode, Responder, Source
from sessions_app.follow_ups import FollowUp, SessionParticipant
from sessions_app.handoffs import reply_after
from sessions_app.message_days import MessageDay
from sessions_app.moved import MovedSession
from sessions_app.querysets import EventQuerySet, SessionQuerySet
from sessions_app.replying import NO_EFFECT, Effect, LeaseLost, Replying, revoked, withdrawn
from sessions_app.speakers import Speaker
from tags.models import Tag

__all__ = [
    "Agent",
    "AgentTag",
    "CannedResponse",
    "CannedResponseTag",
    "Event",
    "FollowUp",
    "MessageDay",
    "MovedSession",
    "Session",
    "SessionLabel",
    "SessionParticipant",
]

AGENT_NAME_LENGTH = 100
LLM_FIELDS = ("llm_model", "llm_base_url", "llm_key_variable")
TITLE_LENGTH = 200
SNIPPET_LENGTH = 200


class AgentIdTaken(Refusal):
    """An agent of this id exists already."""


class OwnAgentStays(Refusal):
    """The session's own agent always answers in it: give the session to another one by `agent_id`."""


class TurnWouldBeCut(Refusal):
    """Events can only be deleted from the first remaining event of a trace on."""


class Agent(Identified):
    """A conversational AI agent that customers talk with."""

    name = models.CharField(max_length=AGENT_NAME_LENGTH)
    description = models.TextField(null=True, blank=True)  # noqa: DJ001 - the contract tells null from ""
    max_engine_iterations = models.PositiveIntegerField(default=3)
    composition_mode = models.CharField(max_length=20, choices=CompositionMode.choices, default=CompositionMode.FLUID)
    message_output_mode = models.CharField(
        max_length=10, choices=MessageOutputMode.choices, default=MessageOutputMode.BLOCK
    )
    responder = models.CharField(
        max_length=10,
        choices=Responder.choices,
        blank=True,
        default="",
        help_text="How it finds its answers; empty: as PARLANT_RESPONDER says",
    )
    llm_model = models.CharField(
        "model", max_length=ID_LENGTH, blank=True, default="", help_text="Empty: as PARLANT_LLM_MODEL says"
    )
    llm_base_url = models.CharField(
        "base URL", max_length=ID_LENGTH, blank=True, default="", help_text="Empty: as PARLANT_LLM_BASE_URL says"
    )
    llm_key_variable = models.CharField(
        "key variable",
        max_length=ID_LENGTH,
        blank=True,
        default="",
        help_text="Name of the environment variable, PARLANT_LLM_API_KEY_..., that holds the key of its own server",
    )
    tags = models.ManyToManyField(Tag, through="AgentTag", related_name="agents")

    objects: ClassVar[models.Manager[Agent]] = models.Manager()

    class Meta:
        ordering = ["creation_utc", "id"]
        constraints = [
            models.CheckConstraint(condition=~models.Q(id=""), name="agent_id_not_empty"),
            length_between("name", 1, AGENT_NAME_LENGTH, name="agent_name_length"),
            models.CheckConstraint(
                condition=models.Q(max_engine_iterations__gte=1), name="agent_iterates_at_least_once"
            ),
            one_of("composition_mode", CompositionMode, name="agent_composition_mode"),
            one_of("message_output_mode", MessageOutputMode, name="agent_message_output_mode"),
            models.CheckConstraint(condition=models.Q(responder__in=["", *Responder.values]), name="agent_responder"),
        ]

    def __str__(self) -> str:
        return self.name

    @classmethod
    def create(cls, *, tags: Iterable[Tag] = (), **fields: Any) -> Agent:
        """Create an agent with its tags, all or nothing; AgentIdTaken when the id is in use."""
        agent = cls(**fields)
        try:
            with transaction.atomic():
                agent.save(force_insert=True)
                borne = list(dict.fromkeys(tags))
                AgentTag.objects.bulk_create(AgentTag(agent=agent, tag=tag) for tag in borne)
                record(Act.CREATED, agent, after=agent.facts([tag.pk for tag in borne]))
        except IntegrityError as error:
            if "id" in fields and cls.objects.filter(pk=fields["id"]).exists():
                raise AgentIdTaken(f"An agent with the id {fields['id']!r} exists already") from error
            raise
        return agent

    @transaction.atomic
    def amend(self, *, add_tags: Iterable[str] = (), remove_tags: Iterable[str] = (), **fields: Any) -> Agent:
        """Change fields and tags (by id), all or nothing.

        NotFound for an unknown tag, and for a tag to remove that the agent does not bear.
        """
        current = Agent.lock(self.pk)
        before: dict[str, JSONValue] = {}
        after: dict[str, JSONValue] = {}
        for field, value in fields.items():
            if getattr(current, field) != value:
                before[field], after[field] = getattr(current, field), value
            setattr(self, field, value)
        if fields:
            self.save(update_fields=list(fields))
        borne = set(self.tag_links.values_list("tag_id", flat=True))
        wanted = borne | {tag.pk for tag in Tag.objects.with_ids(list(add_tags))}
        for tag_id in remove_tags:
            if tag_id not in wanted:
                raise NotFound("Tag of the agent", tag_id)
        wanted -= set(remove_tags)
        self.tag_links.filter(tag_id__in=borne - wanted).delete()
        AgentTag.objects.bulk_create(AgentTag(agent=self, tag_id=tag_id) for tag_id in sorted(wanted - borne))
        if wanted != borne:
            before["tags"], after["tags"] = [*sorted(borne - wanted)], [*sorted(wanted - borne)]
        if after:
            record(Act.CHANGED, self, before=before, after=after)
        return self

    @transaction.atomic
    def remove(self) -> None:
        """Delete the agent; its sessions stay."""
        record(Act.DELETED, self, before=self.facts(self.tag_ids()))
        self.delete()

    def facts(self, tag_ids: Iterable[str]) -> dict[str, JSONValue]:
        """Answer what the audit keeps of an agent that came or went."""
        return {
            "name": self.name,
            "description": self.description,
            "max_engine_iterations": self.max_engine_iterations,
            "composition_mode": str(self.composition_mode),
            "message_output_mode": str(self.message_output_mode),
            "responder": str(self.responder),
            **{name: getattr(self, name) for name in LLM_FIELDS},
            "tags": [*tag_ids],
        }

    def tag_ids(self) -> list[str]:
        """Answer the ids of the tags, in the order in which they were put on; uses prefetched links."""
        return [link.tag_id for link in self.tag_links.all()]


class AgentTag(models.Model):
    """An agent bears a tag."""

    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="tag_links")
    tag = models.ForeignKey(Tag, on_delete=models.CASCADE, related_name="agent_links")

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["agent", "tag"], name="one_link_per_agent_and_tag")]

    def __str__(self) -> str:
        return f"{self.agent_id} bears {self.tag_id}"


class Session(Replying, Identified):
    """A conversation of a customer with an agent: a timeline of events, numbered from 0 without gaps.

    `agent_ref` and `customer_ref` are the ids that callers see. They stay when the agent or the customer is deleted,
    while `agent` and `customer` become null: whoever later takes the same id does not inherit the session.
    """

    agent = models.ForeignKey(Agent, null=True, on_delete=models.SET_NULL, related_name="sessions")
    agent_ref = models.CharField(max_length=ID_LENGTH)
    customer = models.ForeignKey(Customer, null=True, on_delete=models.SET_NULL, related_name="sessions")
    customer_ref = models.CharField(max_length=ID_LENGTH)
    title = models.CharField(max_length=TITLE_LENGTH, null=True, blank=True)  # noqa: DJ001 - null: untitled
    mode = models.CharField(max_length=10, choices=Mode.choices, default=Mode.AUTO)
    client_offset = models.BigIntegerField("consumption offset of the client", default=0)
    metadata = models.JSONField(default=dict, blank=True)

    # Kept by appending: the number of the next event, and how often anything about the events changed.
    next_offset = models.BigIntegerField(default=0, db_default=0, editable=False)
    revision = models.BigIntegerField(default=0, db_default=0, editable=False)
    last_event_utc = models.DateTimeField(null=True, editable=False)
    last_message = models.CharField(max_length=SNIPPET_LENGTH, default="", db_default="", editable=False)
    last_message_source = models.CharField(max_length=40, default="", db_default="", editable=False)
    last_message_utc = models.DateTimeField(null=True, editable=False)
    waiting_since = models.DateTimeField(null=True, editable=False)
    customer_message_count = models.PositiveIntegerField(default=0, db_default=0, editable=False)
    ai_message_count = models.PositiveIntegerField(default=0, db_default=0, editable=False)
    human_message_count = models.PositiveIntegerField(default=0, db_default=0, editable=False)

    objects: ClassVar[SessionQuerySet] = SessionQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["creation_utc", "id"]
        permissions = [
            ("reply", "Can reply to customers as a human agent"),
            ("reply_as_agent", "Can reply on behalf of the AI agent"),
            ("take_over", "Can take over conversations and hand them back"),
            ("assign", "Can assign conversations to others"),
        ]
        constraints = [
            one_of("mode", Mode, name="session_mode"),
            models.CheckConstraint(condition=models.Q(client_offset__gte=0), name="session_client_offset_positive"),
            models.CheckConstraint(condition=models.Q(next_offset__gte=0), name="session_next_offset_positive"),
            models.CheckConstraint(
                condition=models.Q(title__isnull=True) | models.Q(title__length__lte=TITLE_LENGTH),
                name="session_title_length",
            ),
        ]
        indexes = [
            models.Index(fields=["creation_utc", "id"], name="session_by_creation"),
            models.Index(fields=["agent_ref", "creation_utc", "id"], name="session_by_agent"),
            models.Index(fields=["customer_ref", "creation_utc", "id"], name="session_by_customer"),
            models.Index(
                fields=["creation_utc", "id"], name="session_with_human", condition=models.Q(mode=Mode.MANUAL)
            ),
            models.Index(
                fields=["waiting_since", "customer"],
                name="session_waiting",
                condition=models.Q(waiting_since__isnull=False),
            ),
            models.Index(fields=["reply_due"], name="session_reply_due", condition=models.Q(reply_due__isnull=False)),
        ]

    def __str__(self) -> str:
        return self.title or self.pk

    @classmethod
    @transaction.atomic
    def open(
        cls,
        *,
        agent: Agent,
        customer: Customer,
        title: str | None = None,
        metadata: Mapping[str, JSONValue] | None = None,
        labels: Iterable[str] = (),
    ) -> Session:
        """Open a session of a customer with an agent."""
        session = cls(
            agent=agent,
            agent_ref=agent.pk,
            customer=customer,
            customer_ref=customer.pk,
            title=title,
            metadata=dict(metadata or {}),
        )
        session.save(force_insert=True)
        SessionLabel.objects.bulk_create(SessionLabel(session=session, label=label) for label in dict.fromkeys(labels))
        _count(customer.pk, session_count=1)
        return session

    @transaction.atomic
    def amend(
        self,
        *,
        set_metadata: Mapping[str, JSONValue] | None = None,
        unset_metadata: Iterable[str] = (),
        upsert_labels: Iterable[str] = (),
        remove_labels: Iterable[str] = (),
        **fields: Any,
    ) -> Session:
        """Change some of title, mode, agent, customer, client_offset, metadata (set, then unset) and labels (upsert,
        then remove), all or nothing.
        """
        current = Session.lock(self.pk)
        reply = reply_after(current, fields)
        moved = (customer := fields.get("customer")) is not None and customer.pk != current.customer_id
        if customer is not None:
            fields["customer_ref"] = customer.pk
        if agent := fields.get("agent"):
            fields["agent_ref"] = agent.pk
        if not reply and (("agent" in fields and agent != current.agent) or ("customer" in fields)):
            reply = revoked()
        unset = set(unset_metadata)
        if set_metadata or unset:
            merged = {**current.metadata, **(set_metadata or {})}
            fields["metadata"] = {key: value for key, value in merged.items() if key not in unset}
        for field, value in fields.items():
            setattr(self, field, value)
        if fields:
            self.save(update_fields=list(fields))
        put_on, taken_off = list(dict.fromkeys(upsert_labels)), list(remove_labels)
        SessionLabel.objects.bulk_create(
            (SessionLabel(session=self, label=label) for label in put_on), ignore_conflicts=True
        )
        self.label_rows.filter(label__in=taken_off).delete()
        if moved:
            restate_customers([current.customer_id, self.customer_id])
        elif (mode := fields.get("mode", current.mode)) != current.mode:
            _count(current.customer_id, manual_session_count=1 if mode == Mode.MANUAL else -1)
        if fields or put_on or taken_off:
            Session.objects.filter(pk=self.pk).update(revision=F("revision") + 1, **reply)
            transaction.on_commit(lambda: feed.publish(self.pk))
        if reply:
            transaction.on_commit(lambda: bell.ring(self.pk))
        return self

    @transaction.atomic
    def amend_participants(self, *, add: Iterable[Agent] = (), remove: Iterable[str] = ()) -> Session:
        """Let further agents answer in the session, then let some (by id) answer no longer; a reply is begun again.

        The session's own agent always answers: OwnAgentStays when it is to be removed. NotFound for an agent to remove
        that does not answer here.
        """
        Session.lock(self.pk)
        before = set(self.participant_rows.values_list("agent_id", flat=True))
        # In the order in which they were named: they answer in it.
        wanted = {agent.pk: agent for agent in add if agent.pk not in before and agent.pk != self.agent_id}
        gone = list(remove)
        for agent_id in gone:
            if agent_id == self.agent_ref:
                raise OwnAgentStays
            if agent_id not in before and agent_id not in wanted:
                raise NotFound("Participant of the session", agent_id)
            wanted.pop(agent_id, None)
        if not wanted and not before.intersection(gone):
            return self
        rows = (SessionParticipant(session=self, agent=agent) for agent in wanted.values())
        SessionParticipant.objects.bulk_create(rows, ignore_conflicts=True)
        self.participant_rows.filter(agent_id__in=gone).delete()
        Session.objects.filter(pk=self.pk).update(revision=F("revision") + 1, **revoked())
        transaction.on_commit(lambda: feed.publish(self.pk))
        transaction.on_commit(lambda: bell.ring(self.pk))
        return self

    def participant_ids(self) -> list[str]:
        """Answer the ids of the agents that answer in the session, its own first; uses prefetched rows."""
        return [self.agent_ref, *(row.agent_id for row in self.participant_rows.all() if row.agent_id != self.agent_id)]

    def labels(self) -> list[str]:
        """Answer the labels, in the order in which they were put on; uses prefetched rows."""
        return [row.label for row in self.label_rows.all()]

    def append_event(
        self,
        *,
        kind: Kind,
        source: Source,
        data: JSONValue,
        metadata: Mapping[str, JSONValue] | None = None,
        trace_id: str | None = None,
        creation_utc: datetime | None = None,
        effect: Effect = NO_EFFECT,
    ) -> Event:
        """Append an event to the timeline: the only way for an event to exist.

        The offset is counted up on the session's row in the statement (PostgreSQL) or transaction (SQLite) that
        inserts the event, so that offsets have no gaps and no duplicates under any number of writers; what is refused
        takes none. Who waits for the session is woken after the commit. NotFound when the session is gone, LeaseLost
        when its lease no longer bears the number that the effect demands.
        """
        event = Event(
            session=self,
            kind=kind,
            source=source,
            data=data,
            metadata=dict(metadata or {}),
            trace_id=trace_id or new_id(),
            creation_utc=creation_utc or timezone.now(),
        )
        offset = appending.append(event, effect)
        if offset is None:
            raise NotFound("Session", self.pk) if effect.token is None else LeaseLost
        event.offset = offset
        event._state.adding = False
        transaction.on_commit(lambda: feed.publish(self.pk))
        if effect.rings:
            transaction.on_commit(lambda: bell.ring(self.pk))
        return event

    @transaction.atomic
    def delete_events_from(self, min_offset: int) -> int:
        """Mark the events from an offset on as deleted and answer how many; their offsets are never used again.

        TurnWouldBeCut when the first event that would go is not the first remaining one of its trace.
        """
        current = Session.lock(self.pk)
        remaining = current.events.filter(deleted=False)
        going = remaining.filter(offset__gte=min_offset)
        first = going.order_by("offset").first()
        if first is None:
            return 0
        if remaining.filter(trace_id=first.trace_id, offset__lt=first.offset).exists():
            raise TurnWouldBeCut(
                f"Event {first.offset} is not the first one of its trace: delete from the beginning of the trace"
            )
        deleted = going.update(deleted=True)
        Session.objects.filter(pk=self.pk).update(revision=F("revision") + 1)
        restate_session(current)
        restate_customers([current.customer_id])
        if current.reply_due and current.reply_wanted >= min_offset:
            # The question itself is gone, and with it all that was said about its answer.
            Session.objects.filter(pk=self.pk).update(**{**withdrawn(), "open_trace": "", "reply_due": None})
            transaction.on_commit(lambda: bell.ring(self.pk))
        transaction.on_commit(lambda: feed.publish(self.pk))
        return deleted

    def remove(self) -> None:
        """Delete the session with its events."""
        Session.objects.filter(pk=self.pk).remove()


class SessionLabel(models.Model):
    """A session bears a label."""

    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="label_rows")
    label = models.CharField(max_length=ID_LENGTH)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["session", "label"], name="one_row_per_session_and_label"),
            length_between("label", 0, ID_LENGTH, name="label_length"),
        ]
        indexes = [models.Index(fields=["label", "session"], name="session_by_label")]

    def __str__(self) -> str:
        return self.label


class Event(Identified):
    """A moment in a session's timeline. Made by Session.append_event() alone, and never moved."""

    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="events", db_index=False)
    offset = models.BigIntegerField()
    kind = models.CharField(max_length=10, choices=Kind.choices)
    source = models.CharField(max_length=40, choices=Source.choices)
    trace_id = models.CharField(max_length=ID_LENGTH)
    data = models.JSONField(null=True)
    metadata = models.JSONField(default=dict, blank=True)
    deleted = models.BooleanField(default=False)

    objects: ClassVar[EventQuerySet] = EventQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["session", "offset"]
        constraints = [
            models.UniqueConstraint(fields=["session", "offset"], name="one_event_per_offset"),
            models.CheckConstraint(condition=models.Q(offset__gte=0), name="event_offset_from_0"),
            one_of("kind", Kind, name="event_kind"),
            one_of("source", Source, name="event_source"),
        ]
        indexes = [
            models.Index(
                Speaker("data"),
                name="event_by_speaker",
                condition=models.Q(kind=Kind.MESSAGE, source__in=[Source.CUSTOMER, Source.CUSTOMER_UI]),
            )
        ]

    def __str__(self) -> str:
        return f"{self.offset} {self.kind} from {self.source}"

    @transaction.atomic
    def amend_metadata(self, *, set: Mapping[str, JSONValue] | None = None, unset: Iterable[str] = ()) -> Event:
        """Set, then unset keys of the metadata: all that a caller may ever change about an event."""
        current = Event.lock(self.pk)
        gone = frozenset(unset)
        merged = {**current.metadata, **(set or {})}
        current.metadata = {key: value for key, value in merged.items() if key not in gone}
        current.save(update_fields=["metadata"])
        self.metadata = current.metadata
        self.announce_change()
        return self

    @property
    def is_growing(self) -> bool:
        """Whether it is a message that an agent is writing: its chunks do not end with null yet."""
        chunks = self.data.get("chunks") if isinstance(self.data, dict) else None
        return isinstance(chunks, list) and chunks[-1:] != [None]

    @transaction.atomic
    def grow(self, *, data: Mapping[str, Any], metadata: Mapping[str, JSONValue], token: int) -> None:
        """Let a message that an agent is writing grow; LeaseLost when the session's lease bears another number."""
        held = Session.objects.filter(pk=self.session_id, lease_token=token)
        snippet = appending.snippet(data)
        complete = {} if data.get("chunks", [])[-1:] != [None] else {"reply_done": F("reply_wanted")}
        if not held.update(revision=F("revision") + 1, last_message=snippet, **complete):
            raise LeaseLost
        self.data, self.metadata = dict(data), dict(metadata)
        self.save(update_fields=["data", "metadata"])
        transaction.on_commit(lambda: feed.publish(self.session_id))

    @transaction.atomic
    def retract(self) -> None:
        """Mark a message that was being written as deleted, and end its growth: its reply was cancelled."""
        session = Session.lock(self.session_id)
        data: Any = self.data
        if self.is_growing:
            self.data = {**data, "chunks": [*data["chunks"], None]}
        self.deleted = True
        self.save(update_fields=["data", "deleted"])
        Session.objects.filter(pk=self.session_id).update(revision=F("revision") + 1)
        restate_session(session)
        restate_customers([session.customer_id])
        transaction.on_commit(lambda: feed.publish(self.session_id))

    def announce_change(self) -> None:
        """Say, after the commit, to those who follow this event that it changed."""
        Session.objects.filter(pk=self.session_id).update(revision=F("revision") + 1)
        transaction.on_commit(lambda: feed.publish(self.session_id))


def _count(customer_id: str | None, **changes: int) -> None:
    """Add to the counts of a customer; the guest has none (see Customer)."""
    if customer_id is None or customer_id == GUEST_ID or not any(changes.values()):
        return
    Customer.objects.filter(pk=customer_id).update(
        stale=F("stale").bitor(Changed.ACTIVITY), **{name: F(name) + change for name, change in changes.items()}
    )
