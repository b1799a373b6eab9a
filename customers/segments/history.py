"""What became of segments: who entered and left, how large they were, and the runs that counted them."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from customers.segments.models import Segment, Via
from parlant_site.common.models import ID_LENGTH, Identified, one_of


class Move(models.TextChoices):
    """What a customer did."""

    ENTERED = "entered", "Entered"
    LEFT = "left", "Left"


class Cause(models.TextChoices):
    """Why members changed."""

    CUSTOMER = "customer", "The customer changed"
    TIME = "time", "Time passed"
    MADE = "made", "The segment was made"
    RULE = "rule", "The rule was edited"
    SEGMENT = "segment", "Another segment changed"
    PIN = "pin", "Pinned"
    UNPIN = "unpin", "No longer pinned"
    LIST = "list", "The list was edited"
    REFRESH = "refresh", "Counted again"
    PUBLISH = "publish", "A tag was published"
    RECONCILE = "reconcile", "Found by the nightly check"
    DELETED = "deleted", "The customer was deleted"


class MembershipEventQuerySet(models.QuerySet["MembershipEvent"]):
    """Sets of membership events."""

    def since(self, offset: int) -> MembershipEventQuerySet:
        """Answer those from an offset on, in their order."""
        return self.filter(offset__gte=offset).order_by("segment_id", "offset")

    def forget(self, customer_ref: str, pseudonym: str) -> int:
        """Put a pseudonym for a customer who is to be forgotten: the numbers stay right."""
        return self.filter(customer_ref=customer_ref).update(customer_ref=pseudonym)


class MembershipEvent(models.Model):
    """A customer entered or left a segment. Written once, in the transaction that changed the members.

    Offsets count from 0 without gaps, and `at` never goes back in their order. `customer_ref` stays when the customer
    is deleted. `rule_version` is the version of the rule by which the customer moved.
    """

    pk = models.CompositePrimaryKey("segment_id", "offset")
    segment = models.ForeignKey(
        Segment, on_delete=models.DO_NOTHING, related_name="events", db_constraint=False, db_index=False
    )
    offset = models.BigIntegerField()
    customer_ref = models.CharField(max_length=ID_LENGTH)
    move = models.CharField(max_length=10, choices=Move.choices)
    cause = models.CharField(max_length=10, choices=Cause.choices)
    via = models.CharField(max_length=10, choices=Via.choices)
    rule_version = models.PositiveIntegerField()
    at = models.DateTimeField()

    objects: ClassVar[MembershipEventQuerySet] = MembershipEventQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["segment_id", "offset"]
        default_permissions = ()
        indexes = [models.Index(fields=["customer_ref", "segment", "offset"], name="membership_by_customer")]

    def __str__(self) -> str:
        return f"{self.customer_ref} {self.move} {self.segment_id}"


class SegmentDay(models.Model):
    """How large a segment was at the end of a day, and how many entered and left on it."""

    pk = models.CompositePrimaryKey("segment_id", "day")
    segment = models.ForeignKey(
        Segment, on_delete=models.DO_NOTHING, related_name="days", db_constraint=False, db_index=False
    )
    day = models.DateField()
    size = models.PositiveBigIntegerField()
    entered = models.PositiveBigIntegerField(default=0)
    left = models.PositiveBigIntegerField(default=0)

    class Meta:
        ordering = ["segment_id", "day"]
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.segment_id} on {self.day}: {self.size}"


class RunState(models.TextChoices):
    """How far a run is."""

    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    OK = "ok", "Done"
    FAILED = "failed", "Failed"


class SegmentRunQuerySet(models.QuerySet["SegmentRun"]):
    """Sets of runs."""

    def unfinished(self) -> SegmentRunQuerySet:
        """Answer those that are queued or running."""
        return self.filter(state__in=[RunState.QUEUED, RunState.RUNNING])

    def claimable(self, now: datetime) -> SegmentRunQuerySet:
        """Answer those that nobody works on: queued, or running under a lease that ran out."""
        return self.unfinished().filter(Q(lease_until__isnull=True) | Q(lease_until__lt=now))


class SegmentRun(Identified):
    """A look at every customer for one segment, in steps by id, each of which commits with the run's progress.

    A segment has one unfinished run at most: a rule that is edited meanwhile sends it back to the start. `entered` and
    `left` say what the run changed, `repaired` how many tags of members and counts were wrong; of a reconciling run
    the three together are the drift.
    """

    segment = models.ForeignKey(Segment, on_delete=models.CASCADE, related_name="runs")
    cause = models.CharField(max_length=10, choices=Cause.choices)
    rule_version = models.PositiveIntegerField()
    state = models.CharField(max_length=10, choices=RunState.choices, default=RunState.QUEUED)
    error = models.TextField(blank=True)
    cursor = models.CharField(max_length=ID_LENGTH, blank=True)
    total = models.PositiveBigIntegerField(null=True)
    done = models.PositiveBigIntegerField(default=0)
    entered = models.PositiveBigIntegerField(default=0)
    left = models.PositiveBigIntegerField(default=0)
    repaired = models.PositiveBigIntegerField(default=0)
    started_utc = models.DateTimeField(null=True)
    finished_utc = models.DateTimeField(null=True)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    actor_name = models.CharField(max_length=150, blank=True)
    lease_token = models.CharField(max_length=32, blank=True, editable=False)
    lease_until = models.DateTimeField(null=True, editable=False)
    attempts = models.PositiveIntegerField(default=0, editable=False)

    objects: ClassVar[SegmentRunQuerySet] = SegmentRunQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["-creation_utc", "-id"]
        default_permissions = ()
        constraints = [
            one_of("state", RunState, name="segment_run_state"),
            models.UniqueConstraint(
                fields=["segment"],
                name="one_unfinished_run_per_segment",
                condition=Q(state__in=["queued", "running"]),
            ),
        ]
        indexes = [models.Index(fields=["segment", "-creation_utc"], name="segment_run_newest")]

    def __str__(self) -> str:
        return f"{self.segment_id}: {self.get_cause_display()}, {self.state}"

    @property
    def drift(self) -> int:
        """How much a reconciling run found wrong."""
        return self.entered + self.left + self.repaired

    @property
    def percent(self) -> int | None:
        """How much is done, 0 to 100; None while nobody knows."""
        if self.state == RunState.OK:
            return 100
        return min(99, self.done * 100 // self.total) if self.total else None


class DeletedCustomer(models.Model):
    """A customer who was deleted: whoever made her a member at that very moment takes her out again."""

    customer_ref = models.CharField(max_length=ID_LENGTH)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["id"]
        default_permissions = ()

    def __str__(self) -> str:
        return self.customer_ref


class Lease(models.Model):
    """Who does what one process alone does at a time; the number tells a later holder from an earlier one."""

    name = models.CharField(primary_key=True, max_length=40)
    token = models.PositiveBigIntegerField(default=0)
    until = models.DateTimeField(null=True)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.name
