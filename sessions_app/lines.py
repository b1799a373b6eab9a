"""Events as lines of JSON for those who follow a session: read once, encoded once, sent to however many wait."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import orjson
from django.db import connection

from parlant_site.common.errors import NotFound
from parlant_site.common.rendering import dumps
from sessions_app.events import Kind
from sessions_app.models import Event, Session
from sessions_app.rows import COLUMNS, event_row

PAGE = 500
DATA = 6  # its place among the columns


class Line(NamedTuple):
    """An event: what decides who wants it, and its JSON in the REST shape, without line breaks."""

    offset: int
    id: str
    kind: str
    source: str
    trace_id: str
    body: bytes
    # Whether it is a message that is still being written: its chunks do not end with null yet.
    is_growing: bool


class Page(NamedTuple):
    """Some events in order, and the session's revision of the moment in which they were read."""

    lines: list[Line]
    revision: int
    next_offset: int

    @property
    def is_full(self) -> bool:
        """Whether there may be more."""
        return len(self.lines) >= PAGE


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events are wanted; an empty part asks for nothing."""

    kinds: frozenset[str] = frozenset()
    source: str = ""
    traces: frozenset[str] = frozenset()

    def __contains__(self, line: Line) -> bool:
        """Answer whether the event is wanted."""
        return (
            (not self.kinds or line.kind in self.kinds)
            and (not self.source or line.source == self.source)
            and all(line.trace_id == trace for trace in self.traces)
        )


EVERYTHING = Wanted()


def read_page(session_id: str, offset: int) -> Page:
    """Answer the remaining events from an offset on, at most PAGE; NotFound when the session is gone.

    One query when there are any. The revision comes from the same statement: whoever has read a page has seen all that
    happened up to its revision.
    """
    rows = _read_rows(session_id, offset)
    if rows:
        return Page([line_of(*row[:-2]) for row in rows], rows[0][-2], rows[0][-1])
    # The revision first: an event that comes between the two queries is found by the next look.
    head = Session.objects.filter(pk=session_id).values_list("revision", "next_offset").first()
    if head is None:
        raise NotFound("Session", session_id)
    if head[1] > offset and (rows := _read_rows(session_id, offset)):
        return Page([line_of(*row[:-2]) for row in rows], *head)
    return Page([], *head)


def _read_rows(session_id: str, offset: int) -> list[tuple[Any, ...]]:
    """Answer COLUMNS, revision and next offset of each remaining event from an offset on.

    Every wake-up comes here. Written by hand because building the same statement anew takes four times as long as
    carrying it out.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            'SELECT e.id, e.source, e.kind, e."offset", e.creation_utc, e.trace_id, CAST(e.data AS text),'
            " CAST(e.metadata AS text), e.deleted, s.revision, s.next_offset FROM sessions_app_event e"
            " JOIN sessions_app_session s ON s.id = e.session_id"
            ' WHERE e.session_id = %s AND e."offset" >= %s AND NOT e.deleted ORDER BY e."offset" LIMIT %s',
            [session_id, offset, PAGE],
        )
        return cursor.fetchall()


def read_event(session_id: str, event_id: str) -> tuple[Line, int]:
    """Answer one event, deleted or not, with the session's revision; NotFound when either is gone."""
    found = Event.objects.filter(session_id=session_id, pk=event_id)
    row = found.values_list(*COLUMNS, "session__revision").first()
    if row is None:
        raise NotFound("Event", event_id)
    return line_of(*row[:-1]), row[-1]


def line_of(*columns: Any) -> Line:
    """Answer the line of an event's columns (see rows.py)."""
    row = event_row(*columns)
    data = columns[DATA]
    may_grow = row["kind"] == Kind.MESSAGE and not row["deleted"] and '"chunks"' in data
    return Line(
        offset=row["offset"],
        id=row["id"],
        kind=row["kind"],
        source=row["source"],
        trace_id=row["trace_id"],
        body=dumps(row),
        is_growing=may_grow and is_growing(orjson.loads(data)),
    )


def is_growing(data: Any) -> bool:
    """Answer whether the data of a message has chunks that do not end with null: it is still being written."""
    chunks = data.get("chunks") if isinstance(data, dict) else None
    return isinstance(chunks, list) and (not chunks or chunks[-1] is not None)


def as_list(lines: Iterable[Line]) -> bytes:
    """Answer the JSON list of the events."""
    return b"[%b]" % b",".join(line.body for line in lines)
