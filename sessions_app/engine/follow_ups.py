"""What agents were told to say at a later time: handed to the runner when it is due."""

from __future__ import annotations

from collections.abc import Mapping

from django.db import transaction

from parlant_site.common.errors import NotFound
from parlant_site.common.json import JSONValue
from sessions_app.events import Dropped, Kind, Mode, Source, Status
from sessions_app.models import Event, FollowUp, Session
from sessions_app.replying import ASKS

AT_ONCE = 50


def ask_what_is_due() -> None:
    """Make agents speak whose time has come; on a lane. Each is asked once, however many processes look."""
    # On SQLite the transactions below take the write lock: only where there is something to do.
    due = FollowUp.objects.due().filter(session__reply_due=None)
    for key, session_id in due.values_list("pk", "session_id")[:AT_ONCE]:
        try:
            _ask_or_drop(key, session_id)
        except NotFound:
            continue  # the session was deleted meanwhile


@transaction.atomic
def _ask_or_drop(key: str, session_id: str) -> None:
    # The session's row first, as those do who delete sessions; each in a transaction of its own: nobody waits in a
    # circle. What the customer writes comes before or after, not between.
    session = Session.lock(session_id)
    one = FollowUp.objects.due().select_for_update().filter(pk=key).first()
    if one is None or session.reply_due:
        return  # another process was faster, it was cancelled, or the customer is being answered and comes first
    one.session = session
    if session.mode == Mode.MANUAL:
        one.drop(Dropped.MANUAL_MODE)
    elif one.only_if_silent and _has_written(session, one.since_offset):
        one.drop(Dropped.CUSTOMER_WROTE)
    else:
        ask(one)
        one.save(update_fields=["asked_utc"])


def _has_written(session: Session, offset: int) -> bool:
    """Whether the customer has written since an offset."""
    return session.events.filter(kind=Kind.MESSAGE, source=Source.CUSTOMER, deleted=False, offset__gte=offset).exists()


def ask(follow_up: FollowUp, *, metadata: Mapping[str, JSONValue] | None = None) -> Event:
    """Make the agent say it now; answer the status with which it begins. In a transaction; the caller saves it."""
    session = follow_up.session
    named = session.agent if session.participant_rows.exists() else None
    event = session.append_event(
        kind=Kind.STATUS,
        source=Source.AI_AGENT,
        data={"status": Status.ACKNOWLEDGED.value, "data": {}},
        metadata={**({"agent_id": named.pk, "agent_name": named.name} if named else {}), **(metadata or {})},
        trace_id=follow_up.trace_id,
        effect=ASKS,
    )
    follow_up.asked_utc = event.creation_utc
    return event
