"""Dates and periods as rules write them, and the stretch of time that they mean now, in a time zone."""

from __future__ import annotations

from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from customers.rules.values import Edge, Span, moment_of

_EXACT = {
    "minutes": timedelta(minutes=1),
    "hours": timedelta(hours=1),
    "days": timedelta(days=1),
    "weeks": timedelta(weeks=1),
}
_MONTHS = {"months": 1, "years": 12}
UNITS = (*_EXACT, *_MONTHS)
PERIODS = ("day", "week", "month", "year")
_LONGEST = timedelta(days=365_000)


@dataclass(frozen=True)
class Moment:
    """The one `now` of a run and the time zone in which its days begin."""

    now: datetime
    zone: tzinfo

    def edge(self, instant: datetime) -> Edge:
        """Answer an instant as a boundary."""
        return Edge(instant.astimezone(UTC), instant.astimezone(self.zone).replace(tzinfo=None))

    def edge_on_wall(self, wall: datetime) -> Edge:
        """Answer what the clock on the wall shows as a boundary."""
        return Edge(wall.replace(tzinfo=self.zone).astimezone(UTC), wall)


@dataclass(frozen=True)
class Length:
    """So many minutes, hours, days, weeks, months or years; months and years go by the calendar."""

    amount: int
    unit: str

    @classmethod
    def read(cls, text: object) -> Length:
        """Read a length such as `7 days`; ValueError says what to write."""
        amount, _, unit = text.partition(" ") if isinstance(text, str) else ("", "", "")
        unit = unit if unit.endswith("s") else unit + "s"
        if not (amount.isascii() and amount.isdigit() and len(amount) <= 9 and int(amount) and unit in UNITS):
            raise ValueError(f'Write a length of time such as "7 days"; units are {", ".join(UNITS)}')
        length = cls(int(amount), unit)
        step = _EXACT.get(unit, timedelta(days=31 * _MONTHS.get(unit, 0)))
        if length.amount > _LONGEST // step:
            raise ValueError("A length of time may be 1000 years at most")
        return length

    def __str__(self) -> str:
        return f"{self.amount} {self.unit[:-1] if self.amount == 1 else self.unit}"

    @property
    def goes_by_calendar(self) -> bool:
        """Whether the length differs from month to month."""
        return self.unit in _MONTHS

    def before(self, moment: Moment) -> Edge:
        """Answer the boundary that lies this long before now."""
        if self.unit in _EXACT:
            return moment.edge(moment.now - self.amount * _EXACT[self.unit])
        wall = moment.now.astimezone(moment.zone).replace(tzinfo=None)
        months = wall.year * 12 + wall.month - 1 - self.amount * _MONTHS[self.unit]
        year, month = months // 12, months % 12 + 1
        return moment.edge_on_wall(wall.replace(year=year, month=month, day=min(wall.day, monthrange(year, month)[1])))


def day_or_instant(text: object) -> datetime:
    """Read a date or a time as a rule writes it; ValueError says what to write."""
    moment = moment_of(text) if isinstance(text, str) else None
    if moment is None:
        raise ValueError('Write a date such as "2026-03-01" or a time such as "2026-03-01T10:00:00Z"')
    return moment


def is_day(text: str) -> bool:
    """Whether a date was written without a time."""
    return len(text) == 10


def edges_of(text: str, moment: Moment) -> tuple[Edge, Edge]:
    """Answer where a day begins and ends; a time is both at once."""
    written = day_or_instant(text)
    if written.tzinfo is not None:
        edge = moment.edge(written)
        return edge, edge
    start = moment.edge_on_wall(written)
    return start, moment.edge_on_wall(written + timedelta(days=1)) if is_day(text) else start


def instant_named(text: object, moment: Moment) -> datetime:
    """Read an instant; a day stands for its end, and what names no zone is read in the moment's. ValueError."""
    day_or_instant(text)
    if not "1000-01-02" <= str(text) < "9998":
        raise ValueError("Write a year from 1000 to 9997")
    start, end = edges_of(str(text), moment)
    return end.utc - timedelta(microseconds=1) if is_day(str(text)) else start.utc


def period(name: str, moment: Moment, *, back: int) -> Span:
    """Answer this (`back` 0) or the last (`back` 1) day, week, month or year; weeks begin on Monday."""
    today = moment.now.astimezone(moment.zone).replace(tzinfo=None, hour=0, minute=0, second=0, microsecond=0)
    if name in ("day", "week"):
        length = timedelta(days=1 if name == "day" else 7)
        first = today - timedelta(days=today.weekday() if name == "week" else 0) - back * length
        return Span(moment.edge_on_wall(first), moment.edge_on_wall(first + length))
    if name == "month":
        number = today.year * 12 + today.month - 1 - back
        first, after = (datetime(n // 12, n % 12 + 1, 1) for n in (number, number + 1))
    else:
        first, after = datetime(today.year - back, 1, 1), datetime(today.year - back + 1, 1, 1)
    return Span(moment.edge_on_wall(first), moment.edge_on_wall(after))
