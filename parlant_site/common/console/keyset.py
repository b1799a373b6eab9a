"""Pages of a sorted list by the last row seen: each costs the same, whichever page and however long the list."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import Any

import orjson
from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q, QuerySet

from parlant_site.common.rendering import dumps


@dataclass(frozen=True)
class Order:
    """A way to sort: by a field, then by id. Rows without a value come last, in either direction."""

    name: str
    label: Any
    field: str
    descending: bool = True
    nullable: bool = False


@dataclass(frozen=True)
class Place:
    """A row's place in an order."""

    value: Any
    id: Any

    def __str__(self) -> str:
        return base64.urlsafe_b64encode(dumps([self.value, self.id])).decode().rstrip("=")

    @classmethod
    def read(cls, text: str, field: models.Field[Any, Any]) -> Place | None:
        """Answer the place, or None for what is none."""
        try:
            value, key = orjson.loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
            if not isinstance(key, str | int) or "\0" in str(key):
                return None
            return cls(field.to_python(value), field.model._meta.pk.to_python(key))
        except (binascii.Error, ValueError, TypeError, ValidationError):
            return None


@dataclass(frozen=True)
class Stretch:
    """Rows of a list, and the places from which to go on in either direction."""

    rows: list[Any]
    before: Place | None
    after: Place | None


def stretch(rows: QuerySet[Any], order: Order, *, size: int, after: str = "", before: str = "") -> Stretch:
    """Answer up to `size` rows after (or before) a place; the first ones without a readable place."""
    field = rows.model._meta.get_field(order.field)
    backwards = bool(before and not after)
    place = Place.read(after or before, field) if after or before else None
    found = _walk(rows, order, place, backwards=backwards and place is not None, limit=size + 1)
    more = len(found) > size
    found = found[:size]
    if backwards and place is not None:
        found.reverse()
        earlier, later = more, True
    else:
        earlier, later = place is not None, more

    def place_of(row: Any) -> Place:
        return Place(getattr(row, order.field), row.pk)

    return Stretch(
        found,
        place_of(found[0]) if found and earlier else None,
        place_of(found[-1]) if found and later else None,
    )


def _walk(rows: QuerySet[Any], order: Order, place: Place | None, *, backwards: bool, limit: int) -> list[Any]:
    descending = order.descending != backwards
    sign, beyond = ("-", "lt") if descending else ("", "gt")
    with_value = rows.filter(**{f"{order.field}__isnull": False})
    without = rows.filter(**{f"{order.field}__isnull": True})
    # Each part is one stretch of the index; "nulls last" over both would have to sort the whole table.
    parts = [(False, with_value), (True, without)] if order.nullable else [(False, rows)]
    if backwards:
        parts.reverse()
    if place is not None and order.nullable and parts[0][0] != (place.value is None):
        parts = parts[1:]
    found: list[Any] = []
    for number, (is_null, part) in enumerate(parts):
        if place is not None and number == 0:
            past = Q(**{f"pk__{beyond}": place.id})
            if not is_null:
                # The redundant first term lets databases use the index on (field, id).
                past = Q(**{f"{order.field}__{beyond}e": place.value}) & (
                    Q(**{f"{order.field}__{beyond}": place.value}) | past
                )
            part = part.filter(past)
        columns = [f"{sign}pk"] if is_null else [f"{sign}{order.field}", f"{sign}pk"]
        found += part.order_by(*columns)[: limit - len(found)]
        if len(found) >= limit:
            break
    return found
