"""Searching customers by words: one module, because the databases find text in different ways.

On PostgreSQL a trigger keeps each customer's text (id, name, metadata) in a table of its own, under a trigram index. It
is not an index of the customers' table: that one is written with every message, and would have to be kept each time.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django.db import connections, models
from django.db.models import Exists, Func, OuterRef, Q, Value
from django.db.models.functions import Cast

if TYPE_CHECKING:
    from customers.querysets import CustomerQuerySet

FEW = 10_000


class Without(Func):
    """Metadata as text, without some keys."""

    output_field = models.TextField()

    def __init__(self, metadata: str, keys: Iterable[str]) -> None:
        super().__init__(metadata, Value(sorted(keys), output_field=models.JSONField()))

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """Ask for the object less the array of keys."""
        keys = "ARRAY(SELECT jsonb_array_elements_text(%(b)s))"
        (metadata, given), (wanted, more) = (compiler.compile(part) for part in self.get_source_expressions())
        return f"({metadata} - {keys % {'b': wanted}})::text", (*given, *more)

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """Ask the function that every connection is given."""
        return super().as_sql(compiler, connection, function="parlant_without", **context)


def register(sender: Any, connection: Any, **_: Any) -> None:
    """Give a new SQLite connection the function; a receiver of `connection_created`."""
    if connection.vendor == "sqlite":
        connection.connection.create_function("parlant_without", 2, _without, deterministic=True)


def _without(metadata: str, keys: str) -> str:
    hidden = set(json.loads(keys))
    return json.dumps({k: v for k, v in json.loads(metadata).items() if k not in hidden}, ensure_ascii=False)


def matching(rows: CustomerQuerySet, words: list[str], *, hidden: frozenset[str] = frozenset()) -> CustomerQuerySet:
    """Answer those of the rows whose id, name or metadata text contains every word, whatever its case.

    Metadata of hidden keys are not looked at.
    """
    if connections[rows.db].vendor == "postgresql":
        found = _in_kept_text(rows, words)
        if not hidden:
            return found
    else:
        found = rows
    shown = Without("metadata", hidden) if hidden else Cast("metadata", models.TextField())
    found = found.alias(metadata_text=shown)
    for word in words:
        found = found.filter(Q(id__icontains=word) | Q(name__icontains=word) | Q(metadata_text__icontains=word))
    return found


def few_or_many(rows: CustomerQuerySet, links: models.QuerySet[Any], column: str) -> CustomerQuerySet:
    """Answer the rows that `links` (rows of another table) name in a column.

    Few are looked up first and then sorted; of many, the first ones in the list's order are found soon. Left to itself
    a database guesses, and at a million customers a wrong guess costs seconds.
    """
    keys = links.order_by().values(column)[: FEW + 1]
    if keys.count() <= FEW:
        return rows.filter(pk__in=keys)
    return rows.filter(Exists(links.filter(**{column: OuterRef("pk")})))


def _in_kept_text(rows: CustomerQuerySet, words: list[str]) -> CustomerQuerySet:
    from customers.models import CustomerText

    texts = CustomerText.objects.using(rows.db).all()
    for word in words:
        texts = texts.filter(text__icontains=word)
    return few_or_many(rows, texts, "customer_id")
