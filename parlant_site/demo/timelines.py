"""A script becomes a session: its events in order, each turn of the agent under the trace of the message it answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from string import Template
from typing import Any

from customers.models import GUEST_ID
from parlant_site.common.ids import make_id
from parlant_site.common.json import JSONValue
from parlant_site.demo.answers import answers
from parlant_site.demo.scripts import Line, Script
from sessions_app.engine import templates
from sessions_app.events import Kind, Mode, Source, Status
from sessions_app.models import Agent, Event, Session

WELCOMES = {
    "en": "You're welcome, $first!",
    "de": "Sehr gern, $first!",
    "fr": "Avec plaisir, $first !",
    "es": "¡De nada, $first!",
    "ja": "どういたしまして。",
    "ar": "على الرحب والسعة!",
    "he": "בשמחה!",
}
STAGES = ("Interpreting", "Looking things up", "Writing")


@dataclass
class Timeline:
    """A session that is being written: its events so far, the clock, and who answers."""

    session: Session
    labels: list[str]
    agent: Agent
    customer_name: str
    metadata: Mapping[str, str]
    facts: Mapping[str, object]
    operator: str
    random: Random
    clock: datetime
    events: list[Event] = field(default_factory=list)
    trace: str = ""
    tools: list[JSONValue] = field(default_factory=list)

    @property
    def names(self) -> dict[str, Any]:
        """What the templates of canned responses may name."""
        words = self.customer_name.split()
        return {
            **self.metadata,
            "customer": {
                "name": self.customer_name,
                "first_name": words[0] if words else "",
                "is_known": self.session.customer_ref != GUEST_ID,
                "metadata": self.metadata,
            },
            "agent": {"name": self.agent.name},
        }

    def play(self, script: Script) -> None:
        """Write the lines of a script."""
        for line in script.lines:
            getattr(self, f"_line_{line.who}")(line)
        if script.lines[-1].who == "C" and self.session.mode == Mode.AUTO:
            # An agent answers every message: nobody waits for it.
            self._line_A(Line("A", Template(WELCOMES[script.language])))

    def shift_before(self, anchor: datetime) -> None:
        """Move all events back in time when the last one would lie after the anchor."""
        over = self.events[-1].creation_utc - anchor
        if over > timedelta(0):
            over += timedelta(seconds=self.random.randint(20, 400))
            for event in self.events:
                event.creation_utc -= over
            self.session.creation_utc -= over

    def _line_C(self, line: Line) -> None:  # noqa: N802 - named after the script's letter
        text = line.words(self.facts)
        self._pass(8 + len(text) / 4)
        self.trace = self._new_id()
        participant = {"id": self.session.customer_ref, "display_name": self.customer_name}
        data: dict[str, JSONValue] = {"message": text, "participant": participant, "flagged": False, "tags": []}  # type: ignore[dict-item]
        self._add(Kind.MESSAGE, Source.CUSTOMER, data)

    def _line_U(self, line: Line) -> None:  # noqa: N802
        self._add(Kind.CUSTOM, Source.CUSTOMER_UI, json.loads(line.words(self.facts)), trace=self._new_id())

    def _line_T(self, line: Line) -> None:  # noqa: N802
        head, _, result = line.words(self.facts).partition(" => ")
        tool, _, arguments = head.partition(" ")
        self.tools.append(
            {
                "tool_id": tool,
                "arguments": json.loads(arguments),
                "result": {"data": json.loads(result), "metadata": {}},
            }
        )

    def _line_A(self, line: Line) -> None:  # noqa: N802
        self._begin_turn()
        self._status(Status.TYPING)
        participant = {"id": self.agent.pk, "display_name": self.agent.name}
        data: dict[str, JSONValue] = {"message": "", "participant": participant, "tags": []}  # type: ignore[dict-item]
        text = line.words(self.facts)
        if answer := answers().get(text.removeprefix("=")) if text.startswith("=") else None:
            text = templates.render(answer.value, self.names)
            data["canned_responses"] = [[answer.id, text]]
        self._pass(1 + len(text) / 120)
        self._add(Kind.MESSAGE, Source.AI_AGENT, {**data, "message": text})
        self._status(Status.READY)

    def _line_E(self, line: Line) -> None:  # noqa: N802
        self._begin_turn()
        self._pass(10)
        self._status(Status.ERROR, {"exception": line.words(self.facts)})
        self._status(Status.READY)

    def _line_X(self, line: Line) -> None:  # noqa: N802
        """Stop the turn on the message before the last: the customer wrote again while the agent was at work."""
        if len(messages := [event for event in self.events if event.source == Source.CUSTOMER]) < 2:
            return
        last = self.events.pop()
        last_clock, newest, self.trace = self.clock, self.trace, messages[-2].trace_id
        self.clock = messages[-2].creation_utc
        self._status(Status.ACKNOWLEDGED)
        self._status(Status.PROCESSING, {"stage": STAGES[0]})
        self.events.append(last)
        self.clock = last_clock
        self._status(Status.CANCELLED)
        self._status(Status.READY)
        self.trace = newest

    def _line_H(self, line: Line) -> None:  # noqa: N802
        self._human(line, Source.HUMAN_AGENT, {"id": None, "display_name": self.operator})

    def _line_B(self, line: Line) -> None:  # noqa: N802
        named = {"id": self.agent.pk, "display_name": self.agent.name}
        self._human(line, Source.HUMAN_AGENT_ON_BEHALF_OF_AI_AGENT, named)

    def _line_takeover(self, line: Line) -> None:
        self.session.mode = Mode.MANUAL

    def _line_handback(self, line: Line) -> None:
        self.session.mode = Mode.AUTO

    def _human(self, line: Line, source: Source, participant: dict[str, Any]) -> None:
        text = line.words(self.facts)
        self._pass(40 + len(text) / 5)
        self._add(Kind.MESSAGE, source, {"message": text, "participant": participant}, trace=self._new_id())

    def _begin_turn(self) -> None:
        self._status(Status.ACKNOWLEDGED)
        self._status(Status.PROCESSING, {"stage": STAGES[0]})
        if self.tools:
            self._pass(1.5)
            self._add(Kind.TOOL, Source.SYSTEM, {"tool_calls": self.tools})
            self.tools = []
            self._status(Status.PROCESSING, {"stage": STAGES[2]})

    def _status(self, status: Status, data: dict[str, JSONValue] | None = None) -> None:
        self._pass(0.25)
        self._add(Kind.STATUS, Source.AI_AGENT, {"status": str(status), "data": data or {}})

    def _add(self, kind: Kind, source: Source, data: Any, trace: str | None = None) -> None:
        self.events.append(
            Event(
                id=self._new_id(),
                creation_utc=self.clock,
                session=self.session,
                kind=kind,
                source=source,
                trace_id=trace or self.trace or self._new_id(),
                data=data,
            )
        )

    def _pass(self, seconds: float) -> None:
        self.clock += timedelta(seconds=seconds * (0.5 + self.random.random()))

    def _new_id(self) -> str:
        # The millisecond counts from the session's number, not from the clock: ids do not depend on the anchor.
        return make_id(1_735_689_600_000 + len(self.events), self.random.getrandbits(64))
