"""Sets of customers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from django.db import models

from parlant_site.common.personal import sight

if TYPE_CHECKING:
    pass


class CustomerQuerySet(models.QuerySet["Customer"]):  # type: ignore[name-defined]  # a circular import, of types alone
    """Sets of customers."""

    def tagged_any(self, tag_ids: Iterable[str]) -> CustomerQuerySet:
        """Answer those who bear at least one of the tags."""
        from customers.models import CustomerTag

        bearers = CustomerTag.objects.filter(tag_id__in=list(tag_ids), customer_id=models.OuterRef("pk"))
        return self.filter(models.Exists(bearers))

    def tagged_all(self, tag_ids: Iterable[str]) -> CustomerQuerySet:
        """Answer those who bear every one of the tags."""
        matching = self
        for tag_id in tag_ids:
            matching = matching.tagged_any([tag_id])
        return matching

    def search(self, words: str) -> CustomerQuerySet:
        """Answer those whose id, name or metadata text contains every one of the words, whatever their case.

        Nobody finds by values that are masked for her.
        """
        from customers.searching import matching

        parts = words.split()
        return matching(self, parts, hidden=sight().hidden) if parts else self
