"""Conversations as a part of what is kept about a customer: in her bundle, in her erasure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from functools import partial
from typing import Any, ClassVar

from django.contrib.admin.models import LogEntry
from django.db import transaction
from django.db.models import F, Sum

from customers.merging.models import CustomerMerge
from customers.parts import Conversations, Part, Subject, part
from customers.privacy.scrubbing import ERASED
from parlant_site.common.audit import AuditEntry
from parlant_site.common.json import JSONValue
from parlant_site.common.rendering import dumps
from sessions_app import bell, feed
from sessions_app.activity import restate_customers, restate_session
from sessions_app.events import Kind, Source
from sessions_app.models import Event, FollowUp, MovedSession, Session, SessionLabel
from sessions_app.querysets import EventQuerySet, SessionQuerySet
from sessions_app.replying import revoked, withdrawn
from sessions_app.rows import read_rows
from sessions_app.serializers import SessionBody
from sessions_app.speakers import Speaker, from_customers

EVENTS_AT_ONCE = 1000
HERS = (Source.CUSTOMER, Source.CUSTOMER_UI)


@part
class Talks(Part):
    """Sessions that were opened under her ids, with all their events."""

    name: ClassVar[str] = "sessions"

    def bundle(self, subject: Subject) -> dict[str, Any]:
        """Answer the sessions, each with its events, deleted ones too, and what agents are told to say later."""
        sessions = _sessions(subject).prefetch_related("label_rows").order_by("creation_utc", "id")
        return {"sessions": (_session(session) for session in sessions.iterator(chunk_size=100))}

    def lock(self, ids: Collection[str]) -> None:
        """Lock the sessions before the customers, as everything does that appends."""
        rows = Session.objects.filter(customer_ref__in=ids).select_for_update(of=("self",)).order_by("pk")
        for _ in rows.values_list("pk").iterator(chunk_size=1000):
            pass

    def count(self, subject: Subject) -> Counter[str]:
        """Count sessions and events."""
        sessions = _sessions(subject)
        events = sessions.order_by().aggregate(number=Sum("next_offset"))["number"] or 0
        return Counter(sessions=sessions.count(), events=events)

    def erase(self, subject: Subject, conversations: Conversations) -> Counter[str]:
        """Delete the sessions, or redact them."""
        counts = self.count(subject)
        keys = list(_sessions(subject).values_list("pk", flat=True))
        counts["audit_entries"] += AuditEntry.objects.filter(kind="session", object_id__in=keys).redact()
        logged = LogEntry.objects.filter(content_type__app_label="sessions_app", content_type__model="session")
        logged.filter(object_id__in=keys).delete()
        if conversations is Conversations.DELETE:
            _sessions(subject).remove()
        else:
            for key in keys:
                redact(key, subject)
        return counts

    def sweep(self, subjects: Collection[Subject]) -> dict[str, Counter[str]]:
        """Redact what these persons said in sessions that were moved to others since."""
        by_id = {key: subject for subject in subjects for key in subject.ids}
        counts: dict[str, Counter[str]] = defaultdict(Counter)
        touched: dict[str, list[str]] = defaultdict(list)
        for event in said_by(by_id).only("id", "session_id", "kind", "source", "data"):
            data: Any = event.data
            subject = by_id[data["participant"]["id"]]
            Event.objects.filter(pk=event.pk).update(data=_redacted(event, subject), metadata={})
            counts[subject.id]["events"] += 1
            touched[event.session_id].append(event.pk)
        for key in sorted(touched):
            session = Session.lock(key)
            restate_session(session)
            _announce([key])
        return dict(counts)

    def move(self, merge: CustomerMerge) -> JSONValue:
        """Give the sessions to the survivor; a reply in progress is begun again, to her."""
        theirs = Session.objects.filter(customer=merge.gone_id).order_by()
        keys = list(theirs.values_list("pk", flat=True))
        moved = (MovedSession(merge=merge, session_id=key) for key in keys)
        MovedSession.objects.bulk_create(moved, batch_size=1000)
        _give(theirs, merge.survivor_id)
        restate_customers([merge.survivor_id])
        _announce(keys)
        return len(keys)

    def put_back(self, merge: CustomerMerge, kept: Any) -> Iterator[str]:
        """Give back the sessions that are still the survivor's."""
        moved = Session.objects.filter(pk__in=MovedSession.objects.filter(merge=merge).values("session")).order_by()
        keys = list(moved.filter(customer=merge.survivor_id).values_list("pk", flat=True))
        for start in range(0, len(keys), EVENTS_AT_ONCE):
            _give(Session.objects.filter(pk__in=keys[start : start + EVENTS_AT_ONCE]), merge.gone_id)
        restate_customers([merge.survivor_id, merge.gone_id])
        _announce(keys)
        MovedSession.objects.filter(merge=merge).delete()
        if kept > len(keys):
            yield f"{kept - len(keys)} of {kept} conversations were deleted or moved since"

    def forget_merges(self, merge_ids: Collection[str]) -> None:
        """Forget which sessions the merges moved."""
        MovedSession.objects.filter(merge__in=merge_ids).delete()


def said_by(ids: Collection[str]) -> EventQuerySet:
    """Answer the messages that customers of these ids said, in whoever's sessions; found through an index."""
    events: EventQuerySet = Event.objects.order_by().alias(speaker=Speaker("data"))
    return events.filter(from_customers(), speaker__in=[*ids])


def _give(sessions: SessionQuerySet, customer_id: str) -> None:
    sessions.update(customer=customer_id, customer_ref=customer_id, **revoked())


def redact(session_id: str, subject: Subject) -> None:
    """Take every text out of a session; kinds, sources, times and offsets of its events stay."""
    events = Event.objects.filter(session=session_id)
    for start in range(0, Session.lock(session_id).next_offset, EVENTS_AT_ONCE):
        some = events.filter(offset__gte=start, offset__lt=start + EVENTS_AT_ONCE)
        alike: dict[bytes, tuple[Any, list[str]]] = {}
        for event in some.only("id", "kind", "source", "data"):
            data = _redacted(event, subject)
            alike.setdefault(dumps(data), (data, []))[1].append(event.pk)
        for data, keys in alike.values():
            events.filter(pk__in=keys).update(data=data, metadata={})
    FollowUp.objects.filter(session=session_id).delete()
    SessionLabel.objects.filter(session=session_id).delete()
    row = Session.objects.filter(pk=session_id)
    row.exclude(last_message="").update(last_message=ERASED)
    row.update(
        customer=None, customer_ref=subject.pseudonym, title=None, metadata={}, waiting_since=None, **withdrawn()
    )
    _announce([session_id])


def _redacted(event: Event, subject: Subject) -> Any:
    """Answer the data of an event without any text that somebody wrote, in the shape of its kind."""
    data: dict[str, Any] = event.data if isinstance(event.data, dict) else {}
    if event.kind == Kind.STATUS:
        return {"status": data.get("status"), "data": {}}
    if event.kind == Kind.TOOL:
        return {"tool_calls": []}
    if event.kind == Kind.CUSTOM:
        return {"erased": True}
    participant = data.get("participant")
    if event.source in HERS:
        participant = {"id": subject.pseudonym, "display_name": ERASED}
    ended = {"chunks": [ERASED, None]} if "chunks" in data else {}
    return {"message": ERASED, "participant": participant, "flagged": False, "tags": [], **ended}


def _announce(keys: Sequence[str]) -> None:
    for start in range(0, len(keys), EVENTS_AT_ONCE):
        Session.objects.filter(pk__in=keys[start : start + EVENTS_AT_ONCE]).update(revision=F("revision") + 1)
    for key in keys:
        transaction.on_commit(partial(feed.publish, key))
        transaction.on_commit(partial(bell.ring, key))


def _sessions(subject: Subject) -> SessionQuerySet:
    """Answer all that were opened under her ids, by predecessors too: who they were, nothing else tells."""
    return Session.objects.filter(customer_ref__in=subject.ids)


def _session(session: Session) -> dict[str, Any]:
    told = FollowUp.objects.filter(session=session).order_by("due_utc", "id")
    return {
        **SessionBody(session).data,
        "follow_ups": [{"due_utc": one.due_utc, "guidelines": one.guidelines} for one in told],
        "events": _events(session),
    }


def _events(session: Session) -> Iterator[dict[str, Any]]:
    for start in range(0, session.next_offset, EVENTS_AT_ONCE):
        some = session.events.filter(offset__gte=start, offset__lt=start + EVENTS_AT_ONCE)
        yield from read_rows(some.order_by("offset"))
