"""A list of the console: search, filters, sorting, columns and keyset pages, all of it in the address."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

from django.db import connection
from django.db.models import QuerySet
from django.http import HttpRequest, QueryDict

from parlant_site.common.console.keyset import Order, Stretch, stretch

PAGE_SIZE = 50
COUNTED = 10_000


@dataclass(frozen=True)
class Column:
    """A column: its heading and what it shows of a row; `order` names the Order that its heading sorts by."""

    name: str
    label: Any
    show: Callable[[Any], Any]
    order: str = ""


class Filter:
    """A filter of a list. Several values of one that is `many` must all hold."""

    name: ClassVar[str]
    label: ClassVar[Any]
    many: ClassVar[bool] = False

    def choices(self) -> Sequence[tuple[str, Any]]:
        """Answer the values that are offered, with their labels."""
        raise NotImplementedError

    def said(self, value: str) -> Any:
        """Answer a value for people, of a filter that offers nothing: one that is followed from elsewhere."""
        return value

    def counts(self, listing: Listing) -> Mapping[str, str]:
        """Answer how many rows some of the choices would show, beside what else the list is narrowed by."""
        return {}

    def apply(self, rows: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Answer the rows for which the value holds; all for an unknown value."""
        raise NotImplementedError


@dataclass(frozen=True)
class Choice:
    """A value that a filter offers, and the address that chooses or drops it."""

    label: Any
    link: str
    chosen: bool
    count: str = ""


@dataclass(frozen=True)
class OfferedFilter:
    """A filter as the page shows it: what it offers, or what was followed from elsewhere."""

    name: str
    label: Any
    choices: list[Choice]
    followed: list[Choice]

    @property
    def chosen(self) -> list[Choice]:
        """Answer the choices that hold now."""
        return [choice for choice in self.choices if choice.chosen]


class Listing:
    """What a list page shows for a request."""

    def __init__(
        self,
        request: HttpRequest,
        rows: QuerySet[Any],
        *,
        columns: Sequence[Column],
        orders: Sequence[Order],
        filters: Iterable[Filter] = (),
        search: Callable[[QuerySet[Any], str], QuerySet[Any]] | None = None,
        whole: int | None = None,
        fixed: Sequence[str] = (),
    ) -> None:
        """Show rows of a table, or some of them, who are `whole` in all: then nobody needs to count those.

        Filters that are `fixed` make the page what it is: they are neither shown nor cleared.
        """
        self.begun = time.monotonic()
        self.query: QueryDict = request.GET
        self.columns, self.orders, self.filters = columns, {order.name: order for order in orders}, list(filters)
        self.search = search
        self.words = self.query.get("q", "").replace("\0", "").strip() if search else ""
        self.all_rows = rows
        self.whole = whole
        self.fixed = fixed
        self.matching = self.narrow(rows)
        self.shared: dict[str, Any] = {}  # what filters find out for each other

    def narrow(self, rows: QuerySet[Any], *, but: str = "") -> QuerySet[Any]:
        """Answer those of the rows that match the search and the filters, or all but one filter."""
        for each in self.filters:
            if each.name == but:
                continue
            values = [value for value in self.query.getlist(each.name) if value and "\0" not in value]
            for value in values if each.many else values[-1:]:
                rows = each.apply(rows, value)
        return self.search(rows, self.words) if self.search and self.words else rows

    @property
    def order(self) -> Order:
        """Answer the order that was asked for, or the first one."""
        return self.orders.get(self.query.get("order", ""), next(iter(self.orders.values())))

    @cached_property
    def page(self) -> Stretch:
        """Answer the rows of this page."""
        return stretch(
            self.matching,
            self.order,
            size=PAGE_SIZE,
            after=self.query.get("after", ""),
            before=self.query.get("before", ""),
        )

    @cached_property
    def table(self) -> list[tuple[Any, list[Any]]]:
        """Answer each row with its cells."""
        return [(row, [column.show(row) for column in self.columns]) for row in self.page.rows]

    @property
    def is_narrowed(self) -> bool:
        """Whether not all rows are asked for."""
        return self.matching is not self.all_rows

    @property
    def is_filtered(self) -> bool:
        """Whether there is something to clear: a search, or a filter beside the fixed ones."""
        shown = [each.name for each in self.filters if each.name not in self.fixed]
        return bool(self.words) or any(value for name in shown for value in self.query.getlist(name))

    @property
    def cleared_link(self) -> str:
        """Answer the address of this list with nothing but its fixed filters."""
        return self.link(without=[name for name in self.query if name not in self.fixed])

    @cached_property
    def count(self) -> tuple[int, str]:
        """Answer how many rows match, and how exact that is: "exactly", "over" or "about".

        Counted to 10,000 at most, so that no page waits for the counting of a million rows.
        """
        if len(self.page.rows) < PAGE_SIZE and not (self.page.before or self.page.after):
            return len(self.page.rows), "exactly"
        if not self.is_narrowed and self.whole is not None:
            return self.whole, "exactly"
        if not self.is_narrowed and connection.vendor == "postgresql":
            estimate = _estimate(self.all_rows.model._meta.db_table)
            if estimate > COUNTED:
                return estimate, "about"
        counted = self.matching.order_by()[: COUNTED + 1].count()
        return (COUNTED, "over") if counted > COUNTED else (counted, "exactly")

    def link(self, *, without: Iterable[str] = (), **changes: Any) -> str:
        """Answer the address of this list with some parameters changed; a changed list begins at its first page."""
        query = self.query.copy()
        for name in {"after", "before", *without, *changes}:
            query.pop(name, None)
        for name, value in changes.items():
            if isinstance(value, list):
                query.setlist(name, value)
            elif value:
                query[name] = str(value)
        return f"?{query.urlencode()}"

    @property
    def next_link(self) -> str:
        """Answer the address of the following page; "" at the end."""
        return self.link(after=self.page.after) if self.page.after else ""

    @property
    def previous_link(self) -> str:
        """Answer the address of the page before; "" at the beginning."""
        return self.link(before=self.page.before) if self.page.before else ""

    @property
    def headings(self) -> list[tuple[Column, str, str]]:
        """Answer each column with the address that sorts by it, and how it is sorted now ("" or an aria-sort value)."""
        made = []
        for column in self.columns:
            ways = [order for order in self.orders.values() if order.name.lstrip("-") == column.order]
            now = self.order if self.order in ways else None
            following = ways[(ways.index(now) + 1) % len(ways)] if now else (ways[0] if ways else None)
            made.append(
                (
                    column,
                    self.link(order=following.name) if following and following != now else "",
                    "" if now is None else "descending" if now.descending else "ascending",
                )
            )
        return made

    @cached_property
    def offered(self) -> list[OfferedFilter]:
        """Answer the filters with the addresses of their choices."""
        return [self._offer(each) for each in self.filters if each.name not in self.fixed]

    def _offer(self, each: Filter) -> OfferedFilter:
        held = [value for value in self.query.getlist(each.name) if value]
        choices, counts = [], each.counts(self)
        for value, label in each.choices():
            chosen = value in held if each.many else held[-1:] == [value]
            if each.many:
                wanted = [other for other in held if other != value] if chosen else [*held, value]
                link = self.link(**{each.name: wanted})
            else:
                link = self.link(**{each.name: "" if chosen else value})
            choices.append(Choice(label, link, chosen, counts.get(value, "")))
        followed = []
        if not choices:
            for value in dict.fromkeys(held) if each.many else held[-1:]:
                rest = [other for other in held if other != value] if each.many else ""
                followed.append(Choice(each.said(value.replace("\0", "")), self.link(**{each.name: rest}), True))
        return OfferedFilter(each.name, each.label, choices, followed)


def _estimate(table: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT reltuples::bigint FROM pg_class WHERE oid = %s::regclass", [table])
        return int(cursor.fetchone()[0])
