"""The filters of the list of customers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from customers.models import CustomerTag
from customers.querysets import CustomerQuerySet
from customers.searching import few_or_many
from parlant_site.common.console.listing import Filter
from tags.models import Tag

OFFERED_TAGS = 200


class TagFilter(Filter):
    """Customers who bear every chosen tag."""

    name = "tag"
    label = _("Tag")
    many = True

    def choices(self) -> Sequence[tuple[str, Any]]:
        """Answer the tags by name."""
        return list(Tag.objects.order_by("name").values_list("pk", "name")[:OFFERED_TAGS])

    def apply(self, rows: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Answer those who bear it."""
        assert isinstance(rows, CustomerQuerySet)
        return few_or_many(rows, CustomerTag.objects.filter(tag_id=value), "customer_id")


class LastSeenFilter(Filter):
    """Customers by when they last wrote."""

    name = "seen"
    label = _("Last seen")

    def choices(self) -> Sequence[tuple[str, Any]]:
        """Answer the spans."""
        return (
            ("1", _("In the last day")),
            ("7", _("In the last 7 days")),
            ("30", _("In the last 30 days")),
            ("-30", _("Not for 30 days")),
            ("-90", _("Not for 90 days")),
            ("never", _("Never")),
        )

    def apply(self, rows: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Answer those last seen in, or before, the span."""
        if value == "never":
            return rows.filter(last_seen__isnull=True)
        if value not in dict(self.choices()):
            return rows
        since = timezone.now() - timedelta(days=abs(int(value)))
        return rows.filter(last_seen__lt=since) if value.startswith("-") else rows.filter(last_seen__gte=since)


class CreatedFilter(Filter):
    """Customers by when they were registered."""

    name = "created"
    label = _("Created")

    def choices(self) -> Sequence[tuple[str, Any]]:
        """Answer the spans, in days."""
        return (("1", _("In the last day")), ("7", _("In the last 7 days")), ("30", _("In the last 30 days")))

    def apply(self, rows: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Answer those registered in the span."""
        if value not in dict(self.choices()):
            return rows
        return rows.filter(creation_utc__gte=timezone.now() - timedelta(days=int(value)))


class AnsweredByFilter(Filter):
    """Customers by who answers them now."""

    name = "with"
    label = _("Conversations")

    def choices(self) -> Sequence[tuple[str, Any]]:
        """Answer the states."""
        return (("human", _("With an operator now")), ("any", _("Has had some")), ("none", _("Has had none")))

    def apply(self, rows: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Answer those in the state."""
        state = {
            "human": Q(manual_session_count__gt=0),
            "any": Q(session_count__gt=0),
            "none": Q(session_count=0),
        }.get(value)
        return rows if state is None else rows.filter(state)
