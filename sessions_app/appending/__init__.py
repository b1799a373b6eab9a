"""The statement that appends an event, one module per database.

Measured: through the ORM the same work costs 5 to 20 times as much, and `max(offset) + 1` with a retry collapses on a
hot session. So this one statement is written by hand, here.

In one transaction it counts up the session's offset, inserts the event, and keeps what the console asks: the session's
last message and since when the customer waits, and the customer's activity.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db import connection

from parlant_site.common.rendering import dumps
from sessions_app.appending import postgresql, sqlite
from sessions_app.events import Kind, Source
from sessions_app.querysets import message_counter
from sessions_app.replying import NO_EFFECT, NOW, Assignment, Effect

if TYPE_CHECKING:
    from sessions_app.models import Event

SNIPPET_LENGTH = 200


@dataclass(frozen=True)
class Assignments:
    """What a statement sets: SQL fragments `column = expression` of our own making, and their parameters."""

    session: list[Assignment]
    customer: list[Assignment]
    # Only if the session's lease bears this number.
    token: int | None = None


def append(event: Event, effect: Effect = NO_EFFECT) -> int | None:
    """Insert an event under the next offset of its session and answer the offset.

    None when the session is gone, or its lease no longer bears the number that the effect demands.
    """
    write = postgresql.append if connection.vendor == "postgresql" else sqlite.append
    return write(
        connection,
        session_id=event.session_id,
        assignments=assignments_for(event, effect),
        columns={
            "id": event.id,
            "creation_utc": connection.ops.adapt_datetimefield_value(event.creation_utc),
            "kind": str(event.kind),
            "source": str(event.source),
            "trace_id": event.trace_id,
            "data": dumps(event.data).decode(),
            "metadata": dumps(event.metadata).decode(),
            "deleted": False,
        },
    )


def assignments_for(event: Event, effect: Effect = NO_EFFECT) -> Assignments:
    """Answer what an event changes on its session and, for a message, on the customer."""
    made = _assignments_for(event)
    now = connection.ops.adapt_datetimefield_value(event.creation_utc)
    for mine, beside in ((made.session, effect.session), (made.customer, effect.customer)):
        mine += [(sql, [now if value is NOW else value for value in given]) for sql, given in beside]
    return Assignments(made.session, made.customer, effect.token)


def _assignments_for(event: Event) -> Assignments:
    now = connection.ops.adapt_datetimefield_value(event.creation_utc)
    session: list[Assignment] = [
        ("next_offset = next_offset + 1", []),
        ("revision = revision + 1", []),
        ("last_event_utc = %s", [now]),
    ]
    if event.kind != Kind.MESSAGE:
        return Assignments(session, [])
    source = Source(event.source)
    session += [
        ("last_message = %s", [snippet(event.data)]),
        ("last_message_source = %s", [str(source)]),
        ("last_message_utc = %s", [now]),
    ]
    # Clocks differ, and imports append what happened long ago: the customer's newest message stays the newest.
    customer: list[Assignment] = [
        (
            "last_message_source = CASE WHEN last_message_utc > %s THEN last_message_source ELSE %s END",
            [now, source.value],
        ),
        ("last_message_utc = CASE WHEN last_message_utc > %s THEN last_message_utc ELSE %s END", [now, now]),
    ]
    if counter := message_counter(source):
        session.append((f"{counter} = {counter} + 1", []))
        customer.append((f"{counter} = {counter} + 1", []))
    if source is Source.CUSTOMER:
        session.append(("waiting_since = COALESCE(waiting_since, %s)", [now]))
        customer += [
            ("first_seen = CASE WHEN first_seen < %s THEN first_seen ELSE %s END", [now, now]),
            ("last_seen = CASE WHEN last_seen > %s THEN last_seen ELSE %s END", [now, now]),
        ]
    elif source.is_agent:
        session.append(("waiting_since = NULL", []))
    return Assignments(session, customer)


def snippet(data: Any) -> str:
    """Answer the beginning of a message's text, for lists."""
    text = data.get("message") if isinstance(data, dict) else None
    return " ".join(text.split())[:SNIPPET_LENGTH] if isinstance(text, str) else ""
