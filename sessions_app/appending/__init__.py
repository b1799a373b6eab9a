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
from django.db.models import F

from parlant_site.common.rendering import dumps
from sessions_app.appending import postgresql, sqlite
from sessions_app.events import Kind, Source
from sessions_app.querysets import message_counter

if TYPE_CHECKING:
    from sessions_app.models import Event, Session

SNIPPET_LENGTH = 200


@dataclass(frozen=True)
class Assignments:
    """What a statement sets: SQL fragments `column = expression` of our own making, and their parameters."""

    session: list[tuple[str, list[Any]]]
    customer: list[tuple[str, list[Any]]]


def append(event: Event) -> int | None:
    """Insert an event under the next offset of its session and answer the offset; None when the session is gone."""
    write = postgresql.append if connection.vendor == "postgresql" else sqlite.append
    return write(
        connection,
        session_id=event.session_id,
        assignments=assignments_for(event),
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


def assignments_for(event: Event) -> Assignments:
    """Answer what an event changes on its session and, for a message, on the customer."""
    now = connection.ops.adapt_datetimefield_value(event.creation_utc)
    session: list[tuple[str, list[Any]]] = [
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
    customer: list[tuple[str, list[Any]]] = [
        ("last_message_source = %s", [str(source)]),
        ("last_message_utc = %s", [now]),
    ]
    if counter := message_counter(source):
        session.append((f"{counter} = {counter} + 1", []))
        customer.append((f"{counter} = {counter} + 1", []))
    if source is Source.CUSTOMER:
        session.append(("waiting_since = COALESCE(waiting_since, %s)", [now]))
        customer += [("first_seen = COALESCE(first_seen, %s)", [now]), ("last_seen = %s", [now])]
    elif source.is_agent:
        session.append(("waiting_since = NULL", []))
    return Assignments(session, customer)


def snippet(data: Any) -> str:
    """Answer the beginning of a message's text, for lists."""
    text = data.get("message") if isinstance(data, dict) else None
    return " ".join(text.split())[:SNIPPET_LENGTH] if isinstance(text, str) else ""


def restate_last_message(session: Session, last: Event | None, lost: dict[str, int]) -> None:
    """Set what the session says of its messages after some were deleted: `last` is the last that remains."""
    session.last_message = snippet(last.data) if last else ""
    session.last_message_source = last.source if last else ""
    session.last_message_utc = last.creation_utc if last else None
    if last is None or last.source != Source.CUSTOMER:
        session.waiting_since = None
    elif session.waiting_since is None:
        session.waiting_since = last.creation_utc
    for name, count in lost.items():
        setattr(session, name, F(name) - count)
    session.revision = F("revision") + 1
    session.save(
        update_fields=["last_message", "last_message_source", "last_message_utc", "waiting_since", "revision", *lost]
    )
