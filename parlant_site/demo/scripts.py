"""The conversations of the demo: conversations.txt, read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from string import Template


@dataclass(frozen=True)
class Line:
    """One line of a script: who (C, A, H, B, U, T, E, X, takeover, handback) and what."""

    who: str
    text: Template

    def words(self, facts: Mapping[str, object]) -> str:
        """Answer the text with the customer's facts filled in."""
        return self.text.safe_substitute(facts).replace("\\n", "\n")


@dataclass
class Script:
    """A conversation to be had: what it is called, with which agent, in which language, and its lines."""

    key: str
    title: Template | None = None
    agent: str = "quill"
    language: str = "en"
    labels: list[str] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)

    @property
    def waits(self) -> bool:
        """Whether the customer has the last word and an operator is asked for."""
        return self.lines[-1].who == "C" and any(line.who == "takeover" for line in self.lines)


@cache
def scripts() -> dict[str, Script]:
    """Answer the scripts by their key."""
    found: dict[str, Script] = {}
    script = Script("")
    for text in (Path(__file__).parent / "conversations.txt").read_text(encoding="utf-8").splitlines():
        word, _, rest = text.partition(" ")
        if not text or word == "#":
            continue
        if word == "=":
            script = found[rest] = Script(rest)
        elif word == "title:":
            script.title = Template(rest)
        elif word == "labels:":
            script.labels = [label.strip() for label in rest.split(",")]
        elif word in ("agent:", "language:"):
            setattr(script, word[:-1], rest)
        else:
            script.lines.append(Line(word, Template(rest)))
    return found
