"""Static segments: lists to which customers are added, and from which they are taken."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import transaction
from django.db.models import QuerySet

from customers.segments.history import Cause
from customers.segments.membership import Among, Stretch, Within, all_move, is_member
from customers.segments.models import Segment, Via
from customers.segments.writing import Moved, write
from parlant_site.common.audit import Act, record
from parlant_site.common.errors import NotFound, Refusal

MOST_NAMED = 100


class NotAList(Refusal):
    """The members of a dynamic segment are found by its rule: pin customers in or out instead."""


def add(segment: Segment, customers: Iterable[str] | QuerySet[Any, Any]) -> Moved:
    """Put customers (ids, or a queryset) on a list, and answer how many were not on it yet.

    NotFound for the first unknown id; NotAList for a dynamic segment. Many customers are one transaction: a job passes
    them in chunks.
    """
    return _change(segment, customers, is_added=True)


def take_off(segment: Segment, customers: Iterable[str] | QuerySet[Any, Any]) -> Moved:
    """Take customers (ids, or a queryset) off a list, and answer how many were on it."""
    return _change(segment, customers, is_added=False)


@transaction.atomic
def _change(segment: Segment, customers: Iterable[str] | QuerySet[Any, Any], *, is_added: bool) -> Moved:
    from customers.models import Customer

    locked = Segment.lock(segment.pk)
    if not locked.is_static:
        raise NotAList
    within: Within = Stretch()
    if isinstance(customers, QuerySet):
        chosen = customers.order_by()
    else:
        within = Among(tuple(dict.fromkeys(customers)))
        chosen = Customer.objects.filter(within.of("id")).order_by()
        _all_exist(within.ids, chosen)
    moment, first = locked.next_moment(), locked.next_offset
    on_it = is_member(locked, within)
    rows = chosen.filter(~on_it if is_added else on_it)
    moved = write(locked, moment, Cause.LIST, all_move(rows, enter=is_added, via=Via.LIST))
    if moved:
        refs = locked.events.filter(offset__gte=first).order_by().values_list("customer_ref", flat=True)[:MOST_NAMED]
        said = {"count": moved.entered + moved.left, "customers": list(refs)}
        record(Act.CHANGED, locked, **{"after" if is_added else "before": {"list": said}})  # type: ignore[arg-type]
    return moved


def _all_exist(named: Iterable[str], chosen: QuerySet[Any, Any]) -> None:
    found = set(chosen.values_list("pk", flat=True))
    for key in named:
        if key not in found:
            raise NotFound("Customer", key)
