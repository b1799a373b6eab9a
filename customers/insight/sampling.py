"""A sample of the customers, from which numbers are estimated; one way per database."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from django.db import connections

from customers.insight.remembering import kept
from customers.models import Customer
from customers.querysets import CustomerQuerySet

T = TypeVar("T")

SMALL = 20_000
PAGES = 400
ROWS = 5_000
_SECONDS = 60.0
_SEED = 20
_TRUSTED = 0.2
_LEAST = 200


def all_customers(using: str) -> CustomerQuerySet:
    """Answer everybody, in no order."""
    return Customer.objects.using(using).order_by()


def are_few(using: str) -> bool:
    """Whether there are so few customers that nothing needs estimating."""
    return all_customers(using)[: SMALL + 1].values("pk").count() <= SMALL


@dataclass(frozen=True)
class Sample:
    """The ids of some customers, and how many there are about in all."""

    ids: tuple[str, ...]
    total: int
    using: str

    @property
    def customers(self) -> CustomerQuerySet:
        """Answer those of them who are still there."""
        return all_customers(self.using).among(self.ids)

    def smaller(self) -> Sample:
        """Answer a twentieth of the sample."""
        return Sample(self.ids[: ROWS // 20], self.total, self.using)

    def scaled(self, found: int, sampled: int) -> int:
        """Answer how many of all there are when so many were found among the sampled."""
        return round(self.total * found / sampled) if sampled else 0


def sample_of(using: str) -> Sample:
    """Answer 5,000 customers from random pages (PostgreSQL) or rows (SQLite): the same ones for a minute."""
    return kept(("sample", using), _SECONDS, lambda: _of_pages(using) if _has_pages(using) else _of_rows(using))


def _has_pages(using: str) -> bool:
    return connections[using].vendor == "postgresql"


def _of_pages(using: str) -> Sample:
    with connections[using].cursor() as cursor:
        cursor.execute(
            "SELECT reltuples, relpages, pg_relation_size(oid) / current_setting('block_size')::int"
            " FROM pg_class WHERE oid = 'customers_customer'::regclass"
        )
        rows, counted_pages, pages = cursor.fetchone()
        share = min(100.0, 100 * PAGES / max(1, pages))
        ids = _on_share_of_pages(cursor, share)
        # Where many customers were deleted, most pages are empty.
        while len(ids) < _LEAST and share < 100:
            share = min(100.0, 10 * share)
            ids = _on_share_of_pages(cursor, share)
    # The server's figures are the more precise ones, unless it has not looked at the table since much changed.
    total = len(ids) * 100 / share
    if share < 100 and rows > 0 and counted_pages > 0:
        said = rows / counted_pages * pages
        total = said if abs(said - total) < _TRUSTED * total else total
    return Sample(_some(ids), round(total), using)


def _on_share_of_pages(cursor: Any, share: float) -> list[str]:
    """Answer the ids on so many per cent of the pages, the same ones each time."""
    cursor.execute(
        "SELECT id FROM customers_customer TABLESAMPLE SYSTEM (%s::real) REPEATABLE (%s::int)", [share, _SEED]
    )
    return [row[0] for row in cursor.fetchall()]


def _of_rows(using: str) -> Sample:
    with connections[using].cursor() as cursor:
        cursor.execute("SELECT coalesce(max(rowid), 0) FROM customers_customer")
        chosen = _some(range(cursor.fetchone()[0] + 1))
        cursor.execute(
            "SELECT id FROM customers_customer WHERE rowid IN (SELECT value FROM json_each(%s))",
            [json.dumps(chosen)],
        )
        ids = tuple(row[0] for row in cursor.fetchall())
    return Sample(ids, all_customers(using).count(), using)


def _some(of: Sequence[T]) -> tuple[T, ...]:
    return tuple(random.Random(_SEED).sample(of, min(ROWS, len(of))))
