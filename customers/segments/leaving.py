"""Customers who are deleted leave their segments, in the transaction that deletes them."""

from __future__ import annotations

from collections.abc import Iterable

from customers.segments.history import Cause, DeletedCustomer
from customers.segments.membership import all_move
from customers.segments.models import Segment, SegmentMember
from customers.segments.writing import write

BATCH = 1000


def leave_segments(ids: Iterable[str]) -> None:
    """Let customers who are about to be deleted leave their segments. Inside the transaction, before they are deleted.

    The segments are locked before the customers, in the order of their ids: so runs, which come the same way, never
    wait for a deletion that waits for them. A segment that takes one of them in at this very moment drops her later.
    """
    wanted = sorted(set(ids))
    for start in range(0, len(wanted), BATCH):
        keys = wanted[start : start + BATCH]
        for segment in list(Segment.objects.of_customers(keys).order_by("pk").select_for_update()):
            members = SegmentMember.objects.filter(segment_id=segment.pk, customer_id__in=keys).order_by()
            write(segment, segment.next_moment(), Cause.DELETED, all_move(members, enter=False), tells_dependents=False)
        if Segment.objects.exists():
            DeletedCustomer.objects.bulk_create(DeletedCustomer(customer_ref=key) for key in keys)
