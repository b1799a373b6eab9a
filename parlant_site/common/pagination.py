"""Pages of lists: bare arrays without `limit`, else pages that a cursor continues."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

import orjson
from django.db.models import Count, Q, QuerySet, Subquery, Value, prefetch_related_objects
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from parlant_site.common.rendering import utc_text
from parlant_site.common.serializers import Query, Whole

LARGEST_PAGE = 100
PREFETCHED_AT_ONCE = 10_000  # a statement takes 65,535 parameters at most


@extend_schema_field({"type": "string"})
class Opaque(serializers.Field[Any, Any, Any, Any]):
    """Text that is not looked at: what cannot be read counts as absent, whatever is wrong with it."""

    def to_internal_value(self, data: Any) -> str:
        """Answer the text."""
        return str(data)


class PageQuery(Query):
    """How a list is cut and sorted."""

    limit = Whole(required=False, min_value=1, max_value=LARGEST_PAGE, help_text="Without it: a bare array of all")
    cursor = Opaque(
        required=False, help_text="`next_cursor` of the page before; an unreadable one gives the first page"
    )
    sort = serializers.ChoiceField(["asc", "desc"], required=False, default="asc", help_text="By creation, then id")


@dataclass(frozen=True)
class Cursor:
    """The last row of a page. `first` alone was on it: the row that comes before all others, whatever the order."""

    creation_utc: datetime | None
    id: str

    def __str__(self) -> str:
        instant = utc_text(self.creation_utc) if self.creation_utc else None
        return base64.urlsafe_b64encode(orjson.dumps([instant, self.id])).decode().rstrip("=")

    @classmethod
    def read(cls, text: str) -> Cursor | None:
        """Answer the cursor, or None for what is none."""
        try:
            instant, key = orjson.loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
            moment = None if instant is None else datetime.fromisoformat(instant)
            if not isinstance(key, str) or "\0" in key or (moment and moment.tzinfo is None):
                return None
            return cls(moment and moment.astimezone(UTC), key)
        except (binascii.Error, ValueError, TypeError, OverflowError):
            return None


@dataclass(frozen=True)
class Page:
    """A page of rows, or all of them."""

    rows: list[Any]
    limit: int | None
    total_count: int
    next_cursor: Cursor | None

    def render(self, items: Any) -> Any:
        """Answer what the contract shows of the page: `items` are the shown rows."""
        if self.limit is None:
            return items
        return {
            "items": items,
            "total_count": self.total_count,
            "has_more": self.next_cursor is not None,
            "next_cursor": str(self.next_cursor) if self.next_cursor else None,
        }


def cut(rows: QuerySet[Any], query: dict[str, Any], *, first: str | None = None) -> Page:
    """Answer the page of the rows that a validated PageQuery asks for, sorted by creation, then id.

    `first` is the id of a row that comes before all others in either order. Costs a query, one more for `first` on a
    first page, and those of the prefetches.
    """
    limit, direction = query.get("limit"), "" if query["sort"] == "asc" else "-"
    ordered = rows.order_by(f"{direction}creation_utc", f"{direction}id")
    lookups = cast(Any, rows)._prefetch_related_lookups
    if limit is None:
        every: list[Any] = sorted(ordered.prefetch_related(None), key=lambda row: row.pk != first)
        for start in range(0, len(every), PREFETCHED_AT_ONCE):
            prefetch_related_objects(every[start : start + PREFETCHED_AT_ONCE], *lookups)
        return Page(every, None, 0, None)
    # The total comes along with the rows: databases evaluate a sub-query that does not look at the row once.
    total = rows.order_by().annotate(_every=Value(1)).values("_every").annotate(_total=Count("pk")).values("_total")
    ordered = ordered.prefetch_related(None).annotate(_total=Subquery(total))
    cursor = Cursor.read(query["cursor"]) if "cursor" in query else None
    leading = list(ordered.filter(pk=first)) if first and cursor is None else []
    others = ordered.exclude(pk=first) if first else ordered
    if cursor is not None and cursor.creation_utc is not None:
        others = others.filter(_after(cursor, query["sort"]))
    found: list[Any] = [*leading, *others[: limit - len(leading) + 1]]
    total = found[0]._total if found else rows.count()
    prefetch_related_objects(found[:limit], *lookups)
    if len(found) <= limit:
        return Page(found, limit, total, None)
    last: Any = found[limit - 1]
    at_first = first is not None and last.pk == first
    return Page(found[:limit], limit, total, Cursor(None if at_first else last.creation_utc, last.pk))


def _after(cursor: Cursor, sort: str) -> Q:
    beyond = "gt" if sort == "asc" else "lt"
    # The redundant first term lets databases use the index on (creation_utc, id).
    return Q(**{f"creation_utc__{beyond}e": cursor.creation_utc}) & (
        Q(**{f"creation_utc__{beyond}": cursor.creation_utc})
        | Q(creation_utc=cursor.creation_utc, **{f"id__{beyond}": cursor.id})
    )


def page_of(item: type[serializers.Serializer[Any]], name: str) -> Any:
    """Answer the schema of a list answer: a bare array, or a page."""
    from drf_spectacular.utils import PolymorphicProxySerializer, inline_serializer

    page = inline_serializer(
        f"{name}Page",
        {
            "items": item(many=True),
            "total_count": serializers.IntegerField(),
            "has_more": serializers.BooleanField(),
            "next_cursor": serializers.CharField(allow_null=True),
        },
    )
    return PolymorphicProxySerializer(
        component_name=f"{name}List",
        serializers=[item(many=True), page],
        resource_type_field_name=None,
        many=False,
    )
