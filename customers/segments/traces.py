"""What segments keep about a customer: memberships, pins and their past."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any, ClassVar

from customers.parts import Conversations, Part, Subject, part
from customers.segments.history import DeletedCustomer, MembershipEvent
from customers.segments.leaving import leave_segments
from customers.segments.models import Segment, SegmentMember, SegmentPin


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
