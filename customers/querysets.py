"""Sets of customers."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

from django.db import connections, models, transaction
from django.db.models.expressions import RawSQL
from django.db.models.lookups import GreaterThan

from parlant_site.common.personal import sight

if TYPE_CHECKING:
    from customers.rules.periods import Moment
    from customers.rules.tree import Node
    from customers.segments.models import Segment


class CustomerQuerySet(models.QuerySet["Customer"]):  # type: ignore[name-defined]  # a circular import, of types alone
    """Sets of customers."""

    @transaction.atomic
    def delete(self) -> tuple[int, dict[str, int]]:
        """Delete the rows; the customers leave their segments in the same transaction."""
        from customers.segments.leaving import leave_segments

        keys = list(self.order_by("pk").values_list("pk", flat=True))
        leave_segments(keys)
        return models.QuerySet.delete(self.model._base_manager.filter(pk__in=keys))

    def stale(self) -> CustomerQuerySet:
        """Answer those of whom something changed that their segments have not been asked about yet.

        The 0 stands in the SQL: of a parameter PostgreSQL may not know, when it plans, that the small index will do.
        """
        return self.filter(GreaterThan(models.F("stale"), RawSQL("0", ())))

    def among(self, ids: Iterable[str]) -> CustomerQuerySet:
        """Answer those of whom the ids are: one parameter, however many there are."""
        if connections[self.db].vendor == "postgresql":
            return self.filter(pk__in=RawSQL("SELECT unnest(%s::text[])", [[*ids]]))
        return self.filter(pk__in=RawSQL("SELECT value FROM json_each(%s)", [json.dumps([*ids])]))

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

    def in_segment(self, segment: Segment) -> CustomerQuerySet:
        """Answer the members of a segment, as they are now."""
        from customers.segments.models import SegmentMember

        members = SegmentMember.objects.filter(segment_id=segment.pk, customer_id=models.OuterRef("pk"))
        return self.filter(models.Exists(members))

    def matching(self, rule: Node, moment: Moment) -> CustomerQuerySet:
        """Answer those whom a valid rule matches at a moment, whoever the members of any segment are."""
        from customers.rules.compiling import condition

        return self.filter(condition(rule, moment))

    def search(self, words: str) -> CustomerQuerySet:
        """Answer those whose id, name or metadata text contains every one of the words, whatever their case.

        Nobody finds by values that are masked for her.
        """
        from customers.searching import matching

        parts = words.split()
        return matching(self, parts, hidden=sight().hidden) if parts else self
