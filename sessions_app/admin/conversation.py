"""A conversation as it is read: messages as bubbles, statuses on a line, tool calls folded, dates between."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from sessions_app.events import Kind, Source, Status
from sessions_app.models import Event

SOURCES: dict[str, str | Promise] = {
    Source.CUSTOMER: _("Customer"),
    Source.CUSTOMER_UI: _("Customer’s browser"),
    Source.AI_AGENT: _("AI agent"),
    Source.HUMAN_AGENT: _("Operator"),
    Source.HUMAN_AGENT_ON_BEHALF_OF_AI_AGENT: _("Operator, in the agent’s name"),
    Source.SYSTEM: _("System"),
}
STATUSES: dict[str, str | Promise] = {
    Status.ACKNOWLEDGED: _("acknowledged"),
    Status.PROCESSING: _("thinking"),
    Status.TYPING: _("typing"),
    Status.READY: _("ready"),
    Status.CANCELLED: _("cancelled"),
    Status.ERROR: _("error"),
}


@dataclass
class Entry:
    """One thing on the page: a message, some statuses in a row, tool calls, or data of the application."""

    shape: str
    offset: int
    moment: datetime
    label: str | Promise = ""
    author: str = ""
    source: str = ""
    text: str = ""
    deleted: bool = False
    flagged: bool = False
    statuses: list[tuple[str, str | Promise, str]] = field(default_factory=list)
    folded: list[tuple[str, str]] = field(default_factory=list)
    new_day: date | None = None


def entries(events: Iterable[Event]) -> list[Entry]:
    """Answer what the page shows of events, in their order."""
    made: list[Entry] = []
    day: date | None = None
    for event in events:
        if event.kind == Kind.STATUS and made and made[-1].shape == "status" and made[-1].source == event.source:
            made[-1].statuses.append(_status(event))
            continue
        entry = _entry(event)
        local = timezone.localtime(event.creation_utc).date()
        entry.new_day, day = (local if local != day else None), local
        made.append(entry)
    return made


def _entry(event: Event) -> Entry:
    data: Any = event.data if isinstance(event.data, dict) else {}
    entry = Entry(
        shape=event.kind,
        offset=event.offset,
        moment=event.creation_utc,
        label=SOURCES.get(event.source, event.source),
        source=event.source,
        deleted=event.deleted,
    )
    if event.kind == Kind.MESSAGE:
        participant = data.get("participant")
        entry.author = str(participant.get("display_name") or "") if isinstance(participant, dict) else ""
        entry.text = _text(data.get("message"))
        entry.flagged = bool(data.get("flagged"))
    elif event.kind == Kind.STATUS:
        entry.statuses.append(_status(event))
    elif event.kind == Kind.TOOL:
        calls = data.get("tool_calls")
        entry.folded = [_call(call) for call in calls] if isinstance(calls, list) else [("", _pretty(event.data))]
    else:
        entry.folded = [(_told(event) or _summary(event.data), _pretty(event.data))]
    return entry


def _status(event: Event) -> tuple[str, str | Promise, str]:
    """Answer a status: its word for colours, its name, and what is said about it."""
    data: Any = event.data if isinstance(event.data, dict) else {}
    word, about = str(data.get("status")), data.get("data")
    if not isinstance(about, dict):
        return word, STATUSES.get(word, word), ""
    return word, STATUSES.get(word, word), _text(about.get("exception") or about.get("stage"))


def _call(call: Any) -> tuple[str, str]:
    if not isinstance(call, dict):
        return "", _pretty(call)
    result = call.get("result")
    shown = {"arguments": call.get("arguments"), "result": result.get("data") if isinstance(result, dict) else result}
    return _text(call.get("tool_id")), _pretty(shown)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False)


def _told(event: Event) -> str:
    """Answer what an event of the engine says, in words; empty for data of the application."""
    data: Any = event.data if event.source == Source.SYSTEM and isinstance(event.data, dict) else {}
    if data.get("type") == "handoff":
        return gettext("Handed over to an operator: %(reason)s") % {"reason": _text(data.get("reason"))}
    if data.get("type") == "transfer":
        return gettext("Given to another agent: %(from)s → %(to)s") % {
            "from": _name(data.get("from")),
            "to": _name(data.get("to")),
        }
    return ""


def _name(agent: Any) -> str:
    return _text(agent.get("name") or agent.get("id")) if isinstance(agent, dict) else _text(agent)


def _summary(value: Any) -> str:
    text = _text(value)
    return text if len(text) <= 80 else f"{text[:79]}…"


def _pretty(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)
