"""Going through a text from left to right."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from functools import lru_cache

from customers.rules.faces.vocabulary import PLAIN_KEY
from customers.rules.reading import InvalidRule
from parlant_site.common.json import UnusableJSON, check

LONGEST_REASON = 1000
_SPACE = re.compile(r"\s*")
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"')
_NEXT = re.compile(r'"(?:[^"\\]|\\.)*"?|[^\s()",]+|.?', re.DOTALL)


class UnreadableRule(InvalidRule):
    """A text is no rule. The `loc` of a problem is [start, end], in characters from 0; `msg` says why."""

    @classmethod
    def of(cls, text: str, problems: list[tuple[int, int, str]]) -> UnreadableRule:
        """Answer the refusal of parts of a text: start, end, reason."""
        return cls(
            [
                {
                    "loc": [start, end],
                    "msg": f"At character {start + 1}: {_short(reason)}",
                    "type": "rule",
                    "input": text[start:end][:100],
                }
                for start, end, reason in problems
            ]
        )


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_REASON else f"{text[:LONGEST_REASON]}..."


class Scanner:
    """A text and the place where reading has come to."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.place = 0
        for place, character in enumerate(text):
            if character == "\0" or "\ud800" <= character <= "\udfff":
                raise self.error("this character cannot be used", place, place + 1)

    @property
    def here(self) -> int:
        """Answer where the next thing begins, behind spaces."""
        found = _SPACE.match(self.text, self.place)
        self.place = found.end() if found else self.place
        return self.place

    @property
    def at_end(self) -> bool:
        """Whether nothing follows."""
        return self.here >= len(self.text)

    def peek(self, *, skip: bool = True) -> str:
        """Answer the next character, "" at the end."""
        place = self.here if skip else self.place
        return self.text[place : place + 1]

    def error(self, reason: str, start: int | None = None, end: int | None = None) -> UnreadableRule:
        """Answer the refusal of what stands at a place; without one, of what follows."""
        if start is None:
            start, end = self.next_word()
        return UnreadableRule.of(self.text, [(start, start if end is None else end, reason)])

    def next_word(self) -> tuple[int, int]:
        """Answer where the next word stands."""
        found = _NEXT.match(self.text, self.here)
        return self.here, found.end() if found else self.here

    def mark(self, mark: str) -> bool:
        """Read this text when it follows, and answer whether it does."""
        if not self.text.startswith(mark, self.here):
            return False
        self.place += len(mark)
        return True

    def phrase(self, words: str, *, before: str = "") -> bool:
        """Read these words when they follow, whatever their case, and answer whether they do."""
        found = _phrase(words, before).match(self.text, self.here)
        if found:
            self.place = found.end()
        return found is not None

    def longest(self, phrases: Iterable[str]) -> str | None:
        """Read the longest of these phrases that follows, and answer it; of one with a hole, what is before it."""
        for words in sorted(phrases, key=lambda phrase: len(phrase.partition("{}")[0]), reverse=True):
            if self.phrase(words.partition("{}")[0].strip()):
                return words
        return None

    def pattern(self, pattern: re.Pattern[str]) -> str | None:
        """Read what matches a pattern here, and answer it."""
        found = pattern.match(self.text, self.here)
        if found:
            self.place = found.end()
        return found.group() if found else None

    def key(self) -> str | None:
        """Read a metadata key without quotes."""
        found = PLAIN_KEY.match(self.text, self.place)
        if found:
            self.place = found.end()
        return found.group() if found else None

    def string(self) -> str:
        """Read a text in double quotes, as JSON writes it."""
        start = self.here
        found = _STRING.match(self.text, start)
        if not found:
            raise self.error('this quote is not closed; within a text write \\" and \\\\', start, start + 1)
        try:
            text = json.loads(found.group())
            check(text)
        except UnusableJSON as error:
            raise self.error(str(error), start, found.end()) from None
        except ValueError:
            raise self.error('a backslash stands only before one of " \\ / b f n r t u', start, found.end()) from None
        self.place = found.end()
        return str(text)


@lru_cache(maxsize=500)
def _phrase(words: str, before: str) -> re.Pattern[str]:
    pattern = r"\s+".join(re.escape(word) for word in words.split())
    if words[-1:].isalnum():
        pattern += r"(?!\w)"
    return re.compile(pattern + (rf"(?=\s*{re.escape(before)})" if before else ""), re.IGNORECASE)
