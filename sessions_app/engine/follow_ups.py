"""What agents were told to say at a later time: handed to the runner when it is due."""

from __future__ import annotations

from collections.abc import Mapping

from django.db import transaction
from django.db.models.functions import Now

from parlant_site.common.json import JSONValue
from sessions_app.events import Kind, Source, Status
from sessions_app.models import Event, FollowUp
from sessions_app.replying import ASKS

AT_ONCE = 50


def ask_what_is_due() -> None:
    """Make agents speak whose time has come; on a lane. Each is asked once, however many processes look."""
    due = FollowUp.objects.filter(asked_utc=None, due_utc__lte=Now())
    if not due.exists():  # on SQLite the transaction below would take the write lock
        return
    with transaction.atomic():
        for one in due.select_related("session").select_for_update(skip_locked=True, of=("self",))[:AT_ONCE]:
            if (
                one.only_if_silent
                and one.session.events.filter(
                    kind=Kind.MESSAGE, source=Source.CUSTOMER, deleted=False, creation_utc__gt=one.creation_utc
                ).exists()
            ):
                one.delete()
                continue
            ask(one)


def ask(follow_up: FollowUp, *, metadata: Mapping[str, JSONValue] | None = None) -> Event:
    """Make the agent say it now; answer the status with which it begins. In a transaction."""
    event = follow_up.session.append_event(
        kind=Kind.STATUS,
        source=Source.AI_AGENT,
        data={"status": Status.ACKNOWLEDGED.value, "data": {}},
        metadata=metadata,
        trace_id=follow_up.trace_id,
        effect=ASKS,
    )
    follow_up.asked_utc = event.creation_utc
    follow_up.save()
    return event
