"""What no change of a customer tells: members who are gone, tags that do not match, a size that is wrong."""

from __future__ import annotations

from django.db.models import Exists, OuterRef

from customers.rules.periods import Moment
from customers.segments.history import Cause, DeletedCustomer
from customers.segments.membership import Among, Stretch, Within, all_move, is_member, members_within, one_of
from customers.segments.models import Segment, SegmentMember
from customers.segments.writing import Moved, compiled, execute, write


def let_the_gone_leave(segment: Segment, moment: Moment, cause: Cause, within: Within) -> Moved:
    """Take out of a locked segment those of some members whose customers do not exist any more."""
    from customers.models import Customer

    gone = ~Exists(Customer.objects.filter(pk=OuterRef("customer_id")).order_by())
    rows = SegmentMember.objects.filter(within.of("customer_id"), segment_id=segment.pk).filter(gone).order_by()
    return write(segment, moment, cause, all_move(rows, enter=False), tells_dependents=False)


def match_tag(segment: Segment, stretch: Stretch) -> int:
    """Put a locked segment's tag on members who lack it and off others; answer how many links were wrong."""
    from customers.models import Customer, CustomerTag

    if segment.published_tag_id is None:
        return 0
    links = CustomerTag.objects.filter(stretch.of("customer_id"), tag_id=segment.published_tag_id).order_by()
    customers = Customer.objects.filter(stretch.of("id"), is_member(segment, stretch))
    lacking = customers.filter(~one_of("id", links.values("customer_id"))).values("id")
    sql, parameters = compiled(lacking)
    put_on = execute(
        f"INSERT INTO {CustomerTag._meta.db_table} (customer_id, tag_id)"
        f" SELECT who.id, %s FROM ({sql}) who WHERE TRUE ON CONFLICT DO NOTHING",
        [segment.published_tag_id, *parameters],
    )
    taken_off, _ = links.filter(~one_of("customer_id", members_within(segment, stretch))).delete()
    return put_on + taken_off


def correct_size(segment: Segment) -> int:
    """Count the members of a locked segment; answer by how much its size was wrong."""
    counted = SegmentMember.objects.filter(segment_id=segment.pk).count()
    wrong = abs(counted - segment.size)
    if wrong:
        segment.size = counted
        segment.save(update_fields=["size"])
    return wrong


def forget_deleted(limit: int = 1000) -> int:
    """Take customers who were deleted out of segments that they were just entering; answer how many were looked at."""
    from django.db import transaction

    rows = list(DeletedCustomer.objects.order_by("pk")[:limit])
    if not rows:
        return 0
    among = Among(tuple(row.customer_ref for row in rows))
    # A segment that somebody is writing may hold them yet unseen: each is locked before it is asked.
    for key in Segment.objects.order_by("pk").values_list("pk", flat=True):
        with transaction.atomic():
            segment = Segment.objects.select_for_update().filter(pk=key).first()
            if segment is not None:
                let_the_gone_leave(segment, segment.next_moment(), Cause.DELETED, among)
    DeletedCustomer.objects.filter(pk__in=[row.pk for row in rows]).delete()
    return len(rows)
