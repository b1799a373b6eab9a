"""What segments keep about a customer: memberships, pins and their past."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import Any, ClassVar

from customers.insight.catalogue import CatalogueState, metadata_keys
from customers.merging.models import CustomerMerge
from customers.models import Customer
from customers.parts import Conversations, Part, Subject, part
from customers.rules.explaining import type_of_text
from customers.rules.expressions import MetadataText
from customers.segments import listing, pinning
from customers.segments.history import DeletedCustomer, MembershipEvent
from customers.segments.leaving import leave_segments
from customers.segments.models import Kind, Segment, SegmentMember, SegmentPin, SegmentQuerySet
from parlant_site.common.json import JSONValue


@part
class Memberships(Part):
    """The segments in which she is and was."""

    name: ClassVar[str] = "segments"

    def lock(self, ids: Collection[str]) -> None:
        """Lock every segment: none may take her in while she goes."""
        list(Segment.objects.order_by("pk").select_for_update().values_list("pk", flat=True))

    def bundle(self, subject: Subject) -> dict[str, Any]:
        """Answer the segments in which she is, how she came and went, and pins."""
        members = SegmentMember.objects.filter(customer_id__in=subject.ids).order_by("segment_id")
        events = MembershipEvent.objects.filter(customer_ref__in=subject.ids).order_by("at", "segment_id", "offset")
        pins = SegmentPin.objects.filter(customer_id__in=subject.ids).order_by("segment_id")
        return {
            "segments": members.values("segment_id", "segment__name", "since", "via").iterator(),
            "segment_events": events.values("segment_id", "move", "cause", "via", "at").iterator(),
            "segment_pins": pins.values("segment_id", "is_in", "reason", "at").iterator(),
        }

    def count(self, subject: Subject) -> Counter[str]:
        """Count them."""
        return Counter(
            segment_members=SegmentMember.objects.filter(customer_id__in=subject.ids).count(),
            segment_events=MembershipEvent.objects.filter(customer_ref__in=subject.ids).count(),
            segment_pins=SegmentPin.objects.filter(customer_id__in=subject.ids).count(),
        )

    def erase(self, subject: Subject, conversations: Conversations) -> Counter[str]:
        """Let her leave, and put the pseudonym for her into the past, whose numbers stay right."""
        counts = self.count(subject)
        SegmentPin.objects.filter(customer_id__in=subject.ids).delete()
        leave_segments(subject.ids)
        for key in subject.ids:
            MembershipEvent.objects.forget(key, subject.pseudonym)
        return counts

    def sweep(self, subjects: Collection[Subject]) -> Mapping[str, Counter[str]]:
        """Forget that she was deleted: no segment took her in meanwhile."""
        ids = [key for subject in subjects for key in subject.ids]
        DeletedCustomer.objects.filter(customer_ref__in=ids).delete()
        return {}

    def move(self, merge: CustomerMerge) -> JSONValue:
        """Put the survivor on the other's lists, and pin her where the other was pinned and she is not."""
        mine = {pin.segment_id for pin in SegmentPin.objects.filter(customer=merge.survivor_id)}
        pins = list(SegmentPin.objects.filter(customer=merge.gone_id).select_related("segment").order_by("segment_id"))
        lists = list(_lists().filter(pk__in=_member_of(merge.gone_id)).order_by("pk"))
        leave_segments([merge.gone_id])
        joined = [one.pk for one in lists if listing.add(one, [merge.survivor_id])]
        for pin in pins:
            if pin.segment_id not in mine:
                pinning.pin(pin.segment, merge.survivor_id, is_in=pin.is_in, reason=pin.reason)
        return {
            "lists": [one.pk for one in lists],
            "joined": [*joined],
            "pins": [
                {"segment": pin.segment_id, "in": pin.is_in, "reason": pin.reason, "new": pin.segment_id not in mine}
                for pin in pins
            ],
        }

    def put_back(self, merge: CustomerMerge, kept: Any) -> Iterator[str]:
        """Give back places on lists and pins; of the survivor, what the merge gave her and nobody changed since."""
        DeletedCustomer.objects.filter(customer_ref=merge.gone_id).delete()
        for one in _lists().filter(pk__in=kept["lists"]).order_by("pk"):
            listing.add(one, [merge.gone_id])
            if one.pk in kept["joined"]:
                listing.take_off(one, [merge.survivor_id])
        segments = Segment.objects.dynamic().in_bulk([each["segment"] for each in kept["pins"]])
        if len(segments) < len(kept["pins"]):
            yield "A segment in which she was pinned was deleted since"
        for each in kept["pins"]:
            if (segment := segments.get(each["segment"])) is None:
                continue
            pinning.pin(segment, merge.gone_id, is_in=each["in"], reason=each["reason"])
            hers = segment.pins.filter(customer=merge.survivor_id).first()
            if each["new"] and hers and (hers.is_in, hers.reason) == (each["in"], each["reason"]):
                pinning.unpin(segment, merge.survivor_id)
            elif each["new"]:
                yield f"The pin in the segment {segment.name} was changed since"


@part
class FrequentValues(Part):
    """The catalogue of metadata keeps frequent values; where customers are few, that is each of them."""

    name: ClassVar[str] = "metadata_catalogue"

    def erase(self, subject: Subject, conversations: Conversations) -> Counter[str]:
        """Forget the values that nobody else has, and count her no longer."""
        now = set(subject.customer.metadata.items()) if subject.customer else set()
        state = CatalogueState.objects.select_for_update().first()
        kept = {row.key: row for row in metadata_keys({key for key, _ in subject.values})}
        for key, value in subject.values:
            row = kept.get(key)
            found: dict[str, int] = state.found.get(key, ({}, {}))[1] if state else {}
            # Whether others have a value is asked of all customers: of those alone that stand here.
            stands = value in found or (row is not None and value in row.values)
            alone = stands and not _others_with(key, value, subject.ids)
            if row is not None:
                row.forget(value, type_of_text(value), counted=(key, value) in now, alone=alone)
            if alone:
                found.pop(value, None)
        if state:
            state.save(update_fields=["found"])
        return Counter()


def _others_with(key: str, value: str, ids: Collection[str]) -> bool:
    rows = Customer.objects.alias(kept=MetadataText(key)).filter(kept=value)
    return rows.exclude(pk__in=ids).exists()


def _lists() -> SegmentQuerySet:
    return Segment.objects.filter(kind=Kind.STATIC)


def _member_of(customer_id: str) -> Any:
    return SegmentMember.objects.filter(customer_id=customer_id).order_by().values("segment_id")
