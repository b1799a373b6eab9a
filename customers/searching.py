"""Searching customers by words: one module, because the databases find text in different ways.

On PostgreSQL a trigger keeps each customer's text (id, name, metadata) in a table of its own, under a trigram index. It
is not an index of the customers' table: that one is written with every message, and would have to be kept each time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import connections, models
from django.db.models import Exists, OuterRef, Q
from django.db.models.functions import Cast

if TYPE_CHECKING:
    from customers.querysets import CustomerQuerySet

FEW = 10_000


def matching(rows: CustomerQuerySet, words: list[str]) -> CustomerQuerySet:
    """Answer those of the rows whose id, name or metadata text contains every word, whatever its case."""
    if connections[rows.db].vendor == "postgresql":
        return _in_kept_text(rows, words)
    found = rows.alias(metadata_text=Cast("metadata", models.TextField()))
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
