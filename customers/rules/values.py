"""Metadata values are texts; here is which of them are numbers, instants and booleans.

One definition serves Python, SQLite (through functions registered on the connection) and PostgreSQL (through the same
patterns as guards in front of its own casts). Texts are taken as they are: spaces around a number make it a text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

# With at most 64 characters and an exponent of two digits no such text leaves the range of a double. PostgreSQL pays
# for the states of a pattern at each match: hence no counts in it, and first the plain digits that most numbers are.
LONGEST_NUMBER = 64
DIGITS = r"^[0-9]+$"
NUMBER = r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9][0-9]?)?$"

_YEAR = "[1-9][0-9]{3}"
_LEAP = "([1-9][0-9](0[48]|[2468][048]|[13579][26])|([2468][048]|[13579][26])00)"
_DATE = (
    f"({_YEAR}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)"
    f"|02-(0[1-9]|1[0-9]|2[0-8]))|{_LEAP}-02-29)"
)
_TIME = r"[T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]{1,6})?)?"
WALL_MOMENT = f"^{_DATE}({_TIME})?$"
ZONED_MOMENT = f"^{_DATE}{_TIME}(Z|[+-](0[0-9]|1[0-4]):[0-5][0-9])$"

TRUE_TEXTS = ("true", "True", "TRUE")
FALSE_TEXTS = ("false", "False", "FALSE")

_number, _wall, _zoned = (re.compile(pattern[:-1] + r"\Z") for pattern in (NUMBER, WALL_MOMENT, ZONED_MOMENT))
EPOCH = datetime(1970, 1, 1)
_MICROSECOND = timedelta(microseconds=1)


def number_of(text: str) -> float | None:
    """Answer the number that a text is; None when it is none."""
    return float(text) if len(text) <= LONGEST_NUMBER and _number.match(text) else None


@dataclass(frozen=True, order=True)
class Edge:
    """A boundary in time: as an instant, and as what the clock on the wall of the rule's time zone shows then."""

    utc: datetime
    wall: datetime


@dataclass(frozen=True)
class Span:
    """A stretch of time from `start` on and before `end`; None is without limit."""

    start: Edge | None
    end: Edge | None

    def has_instant(self, moment: datetime) -> bool:
        """Answer whether an instant lies within."""
        return (self.start is None or moment >= self.start.utc) and (self.end is None or moment < self.end.utc)

    def has_text(self, text: str) -> bool:
        """Answer whether a text is a date or time and lies within; one without zone is read off the wall's clock."""
        start, end = self.start, self.end
        if _wall.match(text):
            micros = _micros(datetime.fromisoformat(text))
            return (start is None or micros >= _micros(start.wall)) and (end is None or micros < _micros(end.wall))
        if _zoned.match(text):
            micros = _zoned_micros(text)
            return (start is None or micros >= utc_micros(start)) and (end is None or micros < utc_micros(end))
        return False


def utc_micros(edge: Edge) -> int:
    """Answer the microseconds from 1970 to an edge's instant."""
    return _micros(edge.utc.astimezone(UTC).replace(tzinfo=None))


def _micros(wall: datetime) -> int:
    return (wall - EPOCH) // _MICROSECOND


def _zoned_micros(text: str) -> int:
    # In integers: an offset can carry the last day of the year 9999 beyond what a datetime holds.
    if text.endswith("Z"):
        return _micros(datetime.fromisoformat(text[:-1]))
    sign, hours, minutes = text[-6], int(text[-5:-3]), int(text[-2:])
    offset = (hours * 60 + minutes) * 60_000_000
    return _micros(datetime.fromisoformat(text[:-6])) - (offset if sign == "+" else -offset)


def moment_of(text: str) -> datetime | None:
    """Answer the date or time that a text is, naive when it names no zone; None when it is none."""
    if _wall.match(text) or _zoned.match(text):
        return datetime.fromisoformat(text)
    return None


_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


def fold_ascii(text: str) -> str:
    """Answer the text with A-Z made a-z and all else as it is: what both databases do alike."""
    return text.translate(_LOWER)
