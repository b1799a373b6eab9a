"""Regular expressions that mean the same everywhere and can hang nothing.

A rule's pattern is read into a small regular language: literals, `.`, classes, `\\d \\w \\s` and their complements
(ASCII), groups, `|`, `* + ? {m,n}`, `^` and `$` (ends of the text), `(?i)` in front (ASCII letters). It is written out
again with every choice made explicit, so that RE2 (Python and SQLite: linear time) and PostgreSQL's engine, which knows
automata too, agree. Back references and look-around, which need backtracking, are refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import re2

LONGEST_PATTERN = 200
LARGEST_PATTERN = 1000  # states, roughly
MOST_REPEATS = 100
_CLASSES = {"d": "0-9", "w": "0-9A-Za-z_", "s": " \t\n\r\f\v"}
_CONTROLS = {"n": "\n", "t": "\t", "r": "\r", "f": "\f", "v": "\v"}


class UnusablePattern(ValueError):
    """The pattern cannot be used; the message says what to write."""


@dataclass(frozen=True)
class Pattern:
    """A pattern in its canonical form, which PostgreSQL takes as it is."""

    canonical: str

    def found_in(self, text: str) -> bool:
        """Answer whether the pattern occurs in a text."""
        return _compiled(self.canonical).search(text) is not None


@lru_cache(maxsize=1000)
def _compiled(canonical: str) -> re2._Regexp:
    return re2.compile("(?s)" + canonical)


@lru_cache(maxsize=1000)
def read_pattern(text: str) -> Pattern:
    """Read a pattern; UnusablePattern for broken ones and for what is not in the language."""
    if not text or len(text) > LONGEST_PATTERN:
        raise UnusablePattern(f"A pattern has 1 to {LONGEST_PATTERN} characters")
    reader = _Reader(text)
    canonical, size = reader.alternation(0)
    if not reader.at_end:
        raise reader.error("this parenthesis was not opened")
    if size > LARGEST_PATTERN:
        raise UnusablePattern("The pattern repeats too much in all: make the numbers in {} smaller")
    return Pattern(canonical)


class _Reader:
    def __init__(self, text: str) -> None:
        self.ignores_case = text.startswith("(?i)")
        self.text = text
        self.place = 4 if self.ignores_case else 0

    @property
    def at_end(self) -> bool:
        return self.place >= len(self.text)

    def peek(self, length: int = 1) -> str:
        return self.text[self.place : self.place + length]

    def take(self) -> str:
        if self.at_end:
            raise self.error("something is missing here")
        self.place += 1
        return self.text[self.place - 1]

    def error(self, what: str) -> UnusablePattern:
        return UnusablePattern(f"At character {self.place + 1} of the pattern: {what}")

    def alternation(self, depth: int) -> tuple[str, int]:
        if depth > 10:
            raise self.error("groups are nested deeper than 10")
        branches, size = [], 0
        while True:
            branch, states = self.sequence(depth)
            branches.append(branch)
            size += states
            if self.peek() != "|":
                return "|".join(branches), size
            self.take()

    def sequence(self, depth: int) -> tuple[str, int]:
        parts, size = [], 0
        while not self.at_end and self.peek() not in "|)":
            part, states = self.repeated(depth)
            parts.append(part)
            size += states
        if not parts:
            raise self.error("an alternative is empty; write ? behind what may be absent")
        return "".join(parts), size

    def repeated(self, depth: int) -> tuple[str, int]:
        is_anchor = self.peek() in ("^", "$")
        atom, size = self.atom(depth)
        mark = self.peek()
        if not mark or mark not in "*+?{":
            return atom, size
        if is_anchor:
            raise self.error("an end of the text cannot be repeated")
        if mark == "{":
            quantifier, most = self.bounds()
            size *= most
        else:
            quantifier = self.take()
            size += 1
        if self.peek() == "?":  # lazy: the same texts match
            self.take()
        if not self.at_end and self.peek() in "*+?{":
            raise self.error("two repetitions in a row")
        return f"(?:{atom}){quantifier}", size

    def bounds(self) -> tuple[str, int]:
        end = self.text.find("}", self.place)
        least, comma, most = self.text[self.place + 1 : max(end, self.place)].partition(",")
        if not all(part.isascii() and part.isdigit() and len(part) <= 3 for part in (least, most or least)):
            raise self.error("write {2}, {2,} or {2,5}; a literal brace is \\{")
        self.place = end + 1
        low, high = int(least), int(most or least)
        if high < low or high > MOST_REPEATS or high == 0:
            raise self.error(f"a repetition goes from 0 up to {MOST_REPEATS} at most")
        return (f"{{{low},{high}}}" if most else f"{{{low},}}" if comma else f"{{{low}}}"), high + 1

    def atom(self, depth: int) -> tuple[str, int]:
        character = self.take()
        if character == "(":
            if self.peek() == "?":
                if self.peek(2) != "?:":
                    raise self.error("look-around, names and flags inside are not offered; (?i) may stand in front")
                self.place += 2
            inner, size = self.alternation(depth + 1)
            if self.peek() != ")":
                raise self.error("a parenthesis is not closed")
            self.take()
            return f"(?:{inner})", size
        if character in ".^$":
            return character, 1
        if character == "[":
            return self.bracket(), 1
        if character == "\\":
            name = self.take()
            if name.lower() in _CLASSES:
                return f"[{'^' if name.isupper() else ''}{_CLASSES[name.lower()]}]", 1
            return self.literal(self.escaped(name)), 1
        if character in "*+?{":
            raise self.error("there is nothing to repeat")
        return self.literal(character), 1

    def escaped(self, name: str) -> str:
        if name in _CONTROLS:
            return _CONTROLS[name]
        if name.isalnum() or not name.isascii():
            raise self.error(f"\\{name} is not offered")
        return name

    def literal(self, character: str) -> str:
        if self.ignores_case and character.isascii() and character.isalpha():
            return f"[{character.lower()}{character.upper()}]"
        return _quoted(character)

    def bracket(self) -> str:
        negated = self.peek() == "^"
        if negated:
            self.take()
        parts: list[str] = []
        while self.peek() != "]":
            parts.append(self.bracket_part())
        self.take()
        if not parts:
            raise self.error("a class is empty")
        return f"[{'^' if negated else ''}{''.join(parts)}]"

    def bracket_part(self) -> str:
        first = self.take()
        if first == "[":
            raise self.error("write \\[ for a bracket within a class")
        if first == "\\":
            name = self.take()
            if name in _CLASSES:
                return _CLASSES[name]
            first = self.escaped(name)
        if self.peek() != "-" or self.peek(2) == "-]":
            return self.range(first, first)
        self.take()
        last = self.take()
        if last == "\\":
            last = self.escaped(self.take())
        if last == "[" or last < first:
            raise self.error("a range runs backwards")
        return self.range(first, last)

    def range(self, first: str, last: str) -> str:
        found = _quoted(first) if first == last else f"{_quoted(first)}-{_quoted(last)}"
        if self.ignores_case:
            for low, high, shift in (("a", "z", -32), ("A", "Z", 32)):
                start, end = max(first, low), min(last, high)
                if start <= end:
                    found += f"{chr(ord(start) + shift)}-{chr(ord(end) + shift)}"
        return found


def _quoted(character: str) -> str:
    return character if character.isalnum() or not character.isascii() or ord(character) < 32 else "\\" + character
