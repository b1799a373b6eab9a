"""Sessions as operators' lists and badges show them."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from django.db.models import F

from parlant_site.common.rendering import dumps
from sessions_app.models import Event, Session
from sessions_app.rows import COLUMNS, event_row

GONE = -1
# Of how many sessions is remembered up to which revision they were told of.
REMEMBERED = 1000
_told: dict[str, int] = {}


def told_revisions() -> dict[str, int]:
    """Answer up to which revision this process told of sessions lately, GONE for one that was deleted."""
    return dict(_told)


def read_overview(session_ids: Collection[str]) -> list[bytes]:
    """Answer a frame (JSON) for each session: its state, or that it is gone."""
    last = Event.objects.filter(session_id__in=session_ids, offset=F("session__next_offset") - 1, deleted=False)
    last_events = {row[-1]: event_row(*row[:-1]) for row in last.order_by().values_list(*COLUMNS, "session_id")}
    sessions = Session.objects.select_related("customer", "agent").in_bulk(list(session_ids))
    _remember({one: sessions[one].revision if one in sessions else GONE for one in session_ids})
    return [
        dumps(_overview(sessions[one], last_events.get(one)) if one in sessions else _gone(one)) for one in session_ids
    ]


def _remember(revisions: Mapping[str, int]) -> None:
    for one, revision in revisions.items():
        _told.pop(one, None)
        _told[one] = revision  # the most recent last
    for one in list(_told)[: max(0, len(_told) - REMEMBERED)]:
        _told.pop(one, None)


def _gone(session_id: str) -> dict[str, object]:
    return {"type": "session_deleted", "id": session_id}


def _overview(session: Session, last_event: dict[str, object] | None) -> dict[str, object]:
    return {
        "type": "session",
        "id": session.pk,
        "title": session.title,
        "mode": session.mode,
        "agent_id": session.agent_ref,
        "agent_name": session.agent.name if session.agent else None,
        "customer_id": session.customer_ref,
        "customer_name": session.customer.name if session.customer else None,
        "waiting_since": session.waiting_since,
        "next_offset": session.next_offset,
        "last_event": last_event,
        "last_message": session.last_message,
        "last_message_source": session.last_message_source or None,
        "last_message_utc": session.last_message_utc,
    }
