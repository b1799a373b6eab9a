"""Pins: customers who are in a dynamic segment, or are not, whatever its rule says, and why."""

from __future__ import annotations

from django.db import transaction
from django.db.models import QuerySet

from customers.segments.history import Cause
from customers.segments.membership import Among, look_at
from customers.segments.models import REASON_LENGTH, Segment, SegmentMember, SegmentPin, Via
from parlant_site.common.acting import current as acting_now
from parlant_site.common.audit import Act, record
from parlant_site.common.errors import BadInput, NotFound, Refusal
from parlant_site.common.json import JSONValue


class PinsAreForRules(Refusal):
    """A list names its members: there is nothing to pin."""


@transaction.atomic
def pin(segment: Segment, customer_id: str, *, is_in: bool, reason: str) -> SegmentPin:
    """Pin a customer in or out, with a reason of 1 to 500 characters; another pin of hers is replaced. She moves at
    once.

    PinsAreForRules for a list, NotFound for an unknown customer.
    """
    from customers.models import Customer

    locked = _lock(segment)
    reason = reason.strip()
    if not 1 <= len(reason) <= REASON_LENGTH:
        raise BadInput.at("reason", msg=f"Say why, in 1 to {REASON_LENGTH} characters")
    if not Customer.objects.filter(pk=customer_id).exists():
        raise NotFound("Customer", customer_id)
    before = SegmentPin.objects.filter(segment=locked, customer_id=customer_id).first()
    who = acting_now()
    made, _ = SegmentPin.objects.update_or_create(
        segment=locked,
        customer_id=customer_id,
        defaults={"is_in": is_in, "reason": reason, "actor": who.user, "actor_name": who.name},
    )
    look_at(locked, Among([customer_id]), Cause.PIN)
    _members(locked, customer_id).update(via=Via.PIN)
    record(Act.CHANGED, locked, before={"pin": _facts(before) if before else None}, after={"pin": _facts(made)})
    return made


@transaction.atomic
def unpin(segment: Segment, customer_id: str) -> None:
    """Let the rule alone decide about a customer again; NotFound when she is not pinned."""
    locked = _lock(segment)
    before = SegmentPin.objects.filter(segment=locked, customer_id=customer_id).first()
    if before is None:
        raise NotFound("Pin of customer", customer_id)
    before.delete()
    look_at(locked, Among([customer_id]), Cause.UNPIN)
    _members(locked, customer_id).update(via=Via.RULE)
    record(Act.CHANGED, locked, before={"pin": _facts(before)}, after={"pin": None})


def _lock(segment: Segment) -> Segment:
    locked = Segment.lock(segment.pk)
    if locked.is_static:
        raise PinsAreForRules
    return locked


def _members(segment: Segment, customer_id: str) -> QuerySet[SegmentMember]:
    return SegmentMember.objects.filter(segment_id=segment.pk, customer_id=customer_id)


def _facts(pin: SegmentPin) -> dict[str, JSONValue]:
    return {"customer": pin.customer_id, "in": pin.is_in, "reason": pin.reason}
