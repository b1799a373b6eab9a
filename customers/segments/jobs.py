"""Bulk actions on segments: put a selection on a list or take it off, pin it in or out; and their undoing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, ClassVar

from django.utils.translation import gettext_lazy as _

from customers.changing import Difference
from customers.jobs.bulk import OverCustomers
from customers.jobs.models import problem
from customers.jobs.work import Batch, Outcome, Work, kind
from customers.models import Customer
from customers.segments.history import Move
from customers.segments.listing import MOST_NAMED, NotAList, add, take_off
from customers.segments.models import REASON_LENGTH, Segment, SegmentMember, SegmentPin
from customers.segments.pinning import PinsAreForRules, pin, unpin
from parlant_site.common.audit import Act, AuditEntry
from parlant_site.common.errors import BadInput, NotFound
from parlant_site.common.json import JSONValue

CHANGES_SEGMENTS = "customers.change_segment"
CLOCKS_DIFFER = timedelta(seconds=5)  # an event may be dated later than the audit entry of its transaction


class OverSegment(OverCustomers):
    """Work on the customers of a selection and one segment: parameters {"segment": id}.

    The audit names everybody whom a chunk moved, for the undoing: a chunk is no larger than what it names.
    """

    permission: ClassVar[str] = CHANGES_SEGMENTS
    chunk: ClassVar[int] = MOST_NAMED
    undo_kind: ClassVar[str] = "undo_segment"
    shows_changes: ClassVar[bool] = True
    is_list: ClassVar[bool] = True

    @classmethod
    def checked(cls, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Answer the segment; NotFound for an unknown one, and a refusal for one of the other kind."""
        segment: Segment = Segment.found_in(Segment.objects.all(), str(parameters.get("segment", "")))
        if segment.is_static != cls.is_list:
            raise NotAList if cls.is_list else PinsAreForRules
        return {"segment": segment.pk, "segment_name": segment.name}

    def segment(self) -> Segment:
        """Answer the segment; NotFound when it was deleted meanwhile."""
        segment: Segment = Segment.found_in(Segment.objects.all(), self.job.parameters["segment"])
        return segment


def _listed(customers: list[Customer], parameters: Mapping[str, Any]) -> set[str]:
    rows = SegmentMember.objects.filter(segment=parameters["segment"], customer__in=customers)
    return set(rows.values_list("customer_id", flat=True))


def _pinned(is_in: bool, reason: str) -> str:
    return f"{'in' if is_in else 'out'}: {reason}"


@kind
class AddToList(OverSegment):
    """Put customers on a list."""

    kind = "list_add"
    label = _("Add to list")

    @classmethod
    def describe(cls, parameters: Mapping[str, Any]) -> str:
        """Answer the title."""
        return f"Add to list {parameters['segment_name']}"

    @classmethod
    def samples(cls, customers: list[Customer], parameters: Mapping[str, Any]) -> list[Difference]:
        """Answer who is not on the list yet."""
        listed, name = _listed(customers, parameters), parameters["segment_name"]
        return [Difference(one, {}, {} if one.pk in listed else {"list": name}) for one in customers]

    def write(self, batch: Batch) -> Outcome:
        """Put a chunk on the list."""
        chosen = Customer.objects.filter(pk__in=batch.rows)
        moved = add(self.segment(), chosen)
        return Outcome(
            len(batch.rows), changed=moved.entered, problems=self.gone_of(batch, chosen.values_list("pk", flat=True))
        )


@kind
class TakeOffList(OverSegment):
    """Take customers off a list."""

    kind = "list_remove"
    label = _("Take off list")

    @classmethod
    def describe(cls, parameters: Mapping[str, Any]) -> str:
        """Answer the title."""
        return f"Take off list {parameters['segment_name']}"

    @classmethod
    def samples(cls, customers: list[Customer], parameters: Mapping[str, Any]) -> list[Difference]:
        """Answer who is on the list."""
        listed, name = _listed(customers, parameters), parameters["segment_name"]
        sides: list[dict[str, JSONValue]] = [{"list": name}, {"list": None}]
        return [Difference(one, *(sides if one.pk in listed else [{}, {}])) for one in customers]

    def write(self, batch: Batch) -> Outcome:
        """Take a chunk off the list."""
        chosen = Customer.objects.filter(pk__in=batch.rows)
        moved = take_off(self.segment(), chosen)
        return Outcome(
            len(batch.rows), changed=moved.left, problems=self.gone_of(batch, chosen.values_list("pk", flat=True))
        )


@kind
class PinCustomers(OverSegment):
    """Pin customers in or out of a dynamic segment: parameters {"segment": id, "is_in": bool, "reason": text}."""

    kind = "pin"
    label = _("Pin in segment")
    is_list = False

    @classmethod
    def checked(cls, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Answer the parameters; BadInput without a reason."""
        reason = str(parameters.get("reason") or "").strip()
        if not 1 <= len(reason) <= REASON_LENGTH:
            raise BadInput.at("parameters", "reason", msg=f"Say why, in 1 to {REASON_LENGTH} characters")
        if not isinstance(parameters.get("is_in"), bool):
            raise BadInput.at("parameters", "is_in", msg="Say whether they are in")
        return {**super().checked(parameters), "is_in": parameters["is_in"], "reason": reason}

    @classmethod
    def describe(cls, parameters: Mapping[str, Any]) -> str:
        """Answer the title."""
        return f"Pin {'in' if parameters['is_in'] else 'out of'} {parameters['segment_name']}"

    @classmethod
    def samples(cls, customers: list[Customer], parameters: Mapping[str, Any]) -> list[Difference]:
        """Answer who is not pinned so yet, and how she is pinned now."""
        pins = SegmentPin.objects.filter(segment=parameters["segment"], customer__in=customers)
        now = {pin.customer_id: pin for pin in pins}
        new = _pinned(parameters["is_in"], parameters["reason"])
        made = []
        for one in customers:
            old = now.get(one.pk)
            so = old is not None and old.is_in == parameters["is_in"]
            before = {"pin": _pinned(old.is_in, old.reason)} if old else {}
            made.append(Difference(one, {}, {}) if so else Difference(one, {**before}, {"pin": new}))
        return made

    def write(self, batch: Batch) -> Outcome:
        """Pin each; who is pinned so already keeps her reason."""
        segment, is_in = self.segment(), self.job.parameters["is_in"]
        so = SegmentPin.objects.filter(segment=segment, is_in=is_in, customer_id__in=batch.rows)
        pinned = set(so.values_list("customer_id", flat=True))
        outcome, found = Outcome(len(batch.rows)), set(batch.rows)
        for key in batch.rows:
            if key in pinned:
                continue
            try:
                pin(segment, key, is_in=is_in, reason=self.job.parameters["reason"])
                outcome.changed += 1
            except NotFound:
                found.discard(key)
        outcome.problems += self.gone_of(batch, found)
        return outcome


@kind
class UndoSegment(Work):
    """Put back what a job changed of a segment's list or pins, except for customers who were moved or pinned since."""

    kind = "undo_segment"
    label = _("Undo in a segment")
    permission = CHANGES_SEGMENTS
    can_be_undone = False

    @classmethod
    def checked(cls, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Answer the parameters."""
        return {"job": str(parameters["job"]), "title": str(parameters["title"])}

    @classmethod
    def describe(cls, parameters: Mapping[str, Any]) -> str:
        """Answer the title."""
        return f"Undo: {parameters['title']}"

    def entries(self) -> Any:
        """Answer what the job did, the latest first."""
        entries = AuditEntry.objects.of_job(self.job.parameters["job"])
        return entries.filter(kind="segment", act=Act.CHANGED).order_by("-id")

    def count(self) -> int | None:
        """Answer how many customers the job changed."""
        return int(self.job.undo_of.changed) if self.job.undo_of else None

    def read(self, cursor: JSONValue) -> Batch | None:
        """Answer the next entry."""
        rows = self.entries()
        entry = (rows.filter(id__lt=cursor) if isinstance(cursor, int) else rows).first()
        return Batch([entry], entry.pk) if entry else None

    def write(self, batch: Batch) -> Outcome:
        """Take back what an entry says."""
        entry: AuditEntry = batch.rows[0]
        segment = Segment.found_in(Segment.objects.all(), entry.object_id)
        before: dict[str, Any] = dict(entry.before or {})
        after: dict[str, Any] = dict(entry.after or {})
        if "pin" in after:
            return self._undo_pin(segment, before.get("pin"), after["pin"])
        was_added = "list" in after
        names = [str(key) for key in (after if was_added else before).get("list", {}).get("customers", [])]
        # Who moved since did so by somebody else's will: her latest event is another one.
        events = segment.events.filter(customer_ref__in=names).order_by("offset")
        latest = {row.customer_ref: (row.move, row.at) for row in events}
        move, until = Move.ENTERED if was_added else Move.LEFT, entry.at + CLOCKS_DIFFER
        own = [key for key in names if key in latest and latest[key][0] == move and latest[key][1] <= until]
        there = set(Customer.objects.filter(pk__in=own).values_list("pk", flat=True))
        moved = (take_off if was_added else add)(segment, Customer.objects.filter(pk__in=there))
        left = [key for key in names if key not in there]
        problems = [problem(self.job, "Changed since", ref=key) for key in left]
        return Outcome(len(names), changed=moved.entered + moved.left, skipped=len(left), problems=problems)

    def _undo_pin(self, segment: Segment, before: Any, after: Any) -> Outcome:
        key = str(after["customer"])
        now = SegmentPin.objects.filter(segment=segment, customer_id=key).first()
        if now is None or (now.is_in, now.reason) != (after["in"], after["reason"]):
            return Outcome(1, skipped=1, problems=[problem(self.job, "Changed since", ref=key)])
        if before:
            pin(segment, key, is_in=before["in"], reason=before["reason"])
        else:
            unpin(segment, key)
        return Outcome(1, changed=1)
