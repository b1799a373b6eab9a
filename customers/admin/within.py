"""How many of those whom a list shows each further choice would leave."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import Any, cast

from django.db import DEFAULT_DB_ALIAS
from django.db.models import Count as CountOf
from django.db.models import QuerySet
from django.db.models.fields.json import KeyTextTransform
from django.utils import timezone
from django.utils.timezone import get_default_timezone

from customers.insight.counting import Count, Counter
from customers.insight.limits import TookTooLong, time_limited
from customers.insight.sampling import Sample, sample_of
from customers.models import Customer, CustomerTag, SegmentMember
from customers.querysets import CustomerQuerySet
from customers.rules.periods import Moment
from customers.rules.tree import Node
from parlant_site.common.console.listing import COUNTED, Listing

# Seconds for all filters of a page together; less, but not nothing, where the page itself has already taken long.
COUNTED_WITHIN, LEAST, COUNTED_BY = 0.2, 0.05, 0.5
_NAME = "counted within"


class Within:
    """Some customers whose tags, segments and values are counted.

    Up to 10,000 are counted themselves; of more, those are who stand in the sample, and the numbers are estimates. What
    takes too long has no numbers.
    """

    def __init__(self, listing: Listing, end: float, *, but: str = "") -> None:
        self.listing = listing
        self.end = end
        self.but = but
        self.sample: Sample | None = None

    @cached_property
    def ids(self) -> list[str] | None:
        """The ids of those who are looked at; None when it takes too long to find them."""
        # The list counts them anyway; without a filter they are no fewer.
        if self.listing.count[1] != "over":
            found = self._limited(lambda: self._ids_of(self._matching(), COUNTED + 1), share=0.5)
            if found is not None and len(found) <= COUNTED:
                return found
        sample = self.sample = sample_of(DEFAULT_DB_ALIAS)
        sampled = cast(CustomerQuerySet, self.listing.all_rows).among(sample.ids)
        return self._limited(lambda: self._ids_of(self.listing.narrow(sampled, but=self.but), len(sample.ids)))

    def _matching(self) -> QuerySet[Any]:
        """Answer whom the list shows; without the one filter they are looked up here, a rule may take its time."""
        listing = self.listing
        return listing.narrow(listing.all_rows, but=self.but) if self.but else listing.matching

    def matching(self, wanted: Mapping[str, Node]) -> dict[str, Count]:
        """Count those for whom each node holds."""
        if self.ids is None:
            return {}
        if not self.ids:
            return self._counts({}, wanted)
        counter = Counter(Moment(timezone.now(), get_default_timezone()), DEFAULT_DB_ALIAS, self.end)
        customers = Customer.objects.among(self.ids).order_by()
        return self._counts(self._limited(lambda: counter.together(wanted, customers)[0]), wanted)

    def tags(self, wanted: Iterable[str]) -> dict[str, Count]:
        """Count who bears each tag."""
        return self._grouped(CustomerTag.objects.all(), "tag_id", wanted)

    def segments(self, wanted: Iterable[str]) -> dict[str, Count]:
        """Count who is in each segment."""
        return self._grouped(SegmentMember.objects.all(), "segment_id", wanted)

    def values(self, key: str, wanted: Iterable[str]) -> dict[str, Count]:
        """Count who has each value of a metadata key."""
        if self.ids is None:
            return {}
        rows = Customer.objects.among(self.ids).order_by().annotate(value=KeyTextTransform(key, "metadata"))
        return self._counts(self._limited(lambda: _numbers(rows, "value")), wanted)

    def _grouped(self, links: QuerySet[Any], column: str, wanted: Iterable[str]) -> dict[str, Count]:
        if self.ids is None:
            return {}
        rows = links.order_by().filter(customer__in=Customer.objects.among(self.ids).order_by().values("pk"))
        return self._counts(self._limited(lambda: _numbers(rows, column)), wanted)

    def _counts(self, numbers: Mapping[Any, int] | None, wanted: Iterable[str]) -> dict[str, Count]:
        if numbers is None:
            return {}
        return {key: self._count(numbers.get(key, 0)) for key in wanted}

    def _count(self, number: int) -> Count:
        if self.sample is None:
            return Count(number, True)
        return Count(self.sample.scaled(number, len(self.sample.ids)), False)

    def _ids_of(self, rows: QuerySet[Any], most: int) -> list[str]:
        return list(rows.order_by().values_list("pk", flat=True)[:most])

    def _limited(self, ask: Callable[[], Any], share: float = 1.0) -> Any:
        """Answer what is asked for; None when it takes longer than a share of what is left of the time."""
        left = (self.end - time.monotonic()) * share
        if left <= 0:
            return None
        try:
            with time_limited(left):
                return ask()
        except TookTooLong:
            return None


def _numbers(rows: QuerySet[Any], column: str) -> dict[Any, int]:
    return dict(rows.values_list(column).annotate(CountOf("pk")))


def within(listing: Listing, *, but: str = "") -> Within:
    """Answer the counts within what a list shows; without one filter, whose choices take each other's place."""
    known: dict[str, Any] = listing.shared
    now = time.monotonic()
    end = known.setdefault(f"{_NAME}, end", min(now + COUNTED_WITHIN, max(now + LEAST, listing.begun + COUNTED_BY)))
    but = but if but in listing.query else ""
    found: Within = known.setdefault(f"{_NAME} but {but}", Within(listing, end, but=but))
    return found
