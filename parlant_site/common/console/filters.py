"""Filters that several lists of the console offer."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from parlant_site.common.console.listing import Filter
from parlant_site.common.console.markup import name_of_user


class ActorFilter(Filter):
    """Rows by the user who acted (`actor_id`): followed from a row, offered by nobody."""

    name, label = "actor", _("Who")

    def said(self, value: str) -> Any:
        """Answer the user's name."""
        return name_of_user(value)

    def choices(self) -> Sequence[tuple[str, Any]]:
        """Offer nothing."""
        return ()

    def apply(self, rows: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Answer what the user did."""
        return rows.filter(actor_id=int(value)) if value.isascii() and value.isdecimal() and len(value) < 10 else rows


class RecentFilter(Filter):
    """Rows of the last days, by the instant in `column`."""

    name, label = "when", _("When")
    column: ClassVar[str]

    def choices(self) -> Sequence[tuple[str, Any]]:
        """Answer the spans, in days."""
        return (("1", _("In the last day")), ("7", _("In the last 7 days")), ("30", _("In the last 30 days")))

    def apply(self, rows: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Answer those in the span."""
        if value not in dict(self.choices()):
            return rows
        return rows.filter(**{f"{self.column}__gte": timezone.now() - timedelta(days=int(value))})
