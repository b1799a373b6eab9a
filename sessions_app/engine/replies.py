"""What a responder answers."""

from __future__ import annotations

from dataclasses import dataclass, field

from parlant_site.common.json import JSONValue


class NoReply(Exception):
    """The agent could not find an answer; the text is for people to read."""


@dataclass
class Reply:
    """What an agent says. Without a message it stays silent."""

    message: str = ""
    # The canned responses that it is made of: id and text.
    canned: list[tuple[str, str]] = field(default_factory=list)
    # What the agent wrote before it was put into canned words.
    draft: str | None = None
    metadata: dict[str, JSONValue] = field(default_factory=dict)
    # Why a human takes over from here; empty: nobody does.
    hand_over: str = ""
    # Whether the message was written while it grew, and is in the timeline already.
    is_written: bool = False
    # Whether it only says that the agent has no answer: left out where another agent has one.
    is_last_resort: bool = False
    # What went wrong, for people to read; then there is no message.
    error: str = ""
