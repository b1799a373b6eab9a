"""Segments of customers and their members."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from customers.changes import Changed
from customers.rules.fields import Kind as FieldKind
from customers.rules.periods import Moment
from customers.rules.reading import is_relative, read_rule, referenced, uses_of
from customers.rules.tree import Group
from parlant_site.common.models import Identified, length_between, one_of
from tags.models import Tag

NAME_LENGTH = 100
REASON_LENGTH = 500


class Kind(models.TextChoices):
    """Who is in a segment: those whom a rule matches, or those on a list."""

    DYNAMIC = "dynamic"
    STATIC = "static"


class Via(models.TextChoices):
    """How a member came to be one."""

    RULE = "rule"
    PIN = "pin"
    LIST = "list"


class SegmentQuerySet(models.QuerySet["Segment"]):
    """Sets of segments."""

    def asking_for(self, changed: int) -> SegmentQuerySet:
        """Answer the dynamic ones whose rules ask for one of these changes (bits of Changed)."""
        return self.dynamic().alias(asked=F("uses").bitand(changed)).filter(asked__gt=0)

    def dynamic(self) -> SegmentQuerySet:
        """Answer those that are kept by a rule."""
        return self.filter(kind=Kind.DYNAMIC)

    def referring_to(self, *keys: str | None) -> SegmentQuerySet:
        """Answer those whose rules name one of these segments or tags."""
        wanted = set(keys)
        rows = self.asking_for(Changed.SEGMENTS | Changed.TAGS).order_by().values_list("pk", "refers")
        return self.filter(pk__in=[key for key, refers in rows if wanted.intersection(refers)])

    def of_customers(self, ids: Iterable[str]) -> SegmentQuerySet:
        """Answer those of which one of these customers is a member."""
        members = SegmentMember.objects.filter(customer_id__in=list(ids)).order_by().values("segment_id")
        return self.filter(pk__in=members)


class Segment(Identified):
    """A set of customers: by rule or by list.

    `rule` is a tree of the rule language as JSON, null for a list. Without a `time_zone` days begin as in the settings.
    `size` is the number of members: it changes in the transaction that changes them, under the lock of this row, as do
    the events, numbered by `next_offset`. `timed_utc` is the instant up to which passing time was taken into account,
    `changed_utc` that of the last event: both go forwards only. `uses` and `refers` say what the rule asks for: bits of
    Changed, and ids of segments and tags. Members bear the `published_tag`, and nobody else does.
    """

    name = models.CharField(max_length=NAME_LENGTH)
    description = models.TextField(default="", blank=True)
    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.DYNAMIC)
    rule = models.JSONField(null=True, blank=True)
    rule_version = models.PositiveIntegerField(default=1)
    time_zone = models.CharField(max_length=64, default="", blank=True)
    published_tag = models.OneToOneField(
        Tag, null=True, blank=True, on_delete=models.SET_NULL, related_name="published_by"
    )

    uses = models.PositiveSmallIntegerField(default=0, db_default=0, editable=False)
    is_relative = models.BooleanField(default=False, db_default=False, editable=False)
    refers = models.JSONField(default=list, editable=False)
    size = models.PositiveBigIntegerField(default=0, db_default=0, editable=False)
    next_offset = models.BigIntegerField(default=0, db_default=0, editable=False)
    timed_utc = models.DateTimeField(default=timezone.now, editable=False)
    changed_utc = models.DateTimeField(null=True, editable=False)
    reconciled_utc = models.DateTimeField(default=timezone.now, editable=False)

    objects: ClassVar[SegmentQuerySet] = SegmentQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["name"], name="one_segment_per_name"),
            length_between("name", 1, NAME_LENGTH, name="segment_name_length"),
            one_of("kind", Kind, name="segment_kind"),
            models.CheckConstraint(
                condition=Q(kind="static", rule__isnull=True) | Q(kind="dynamic", rule__isnull=False),
                name="segment_rule_when_dynamic",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_static(self) -> bool:
        """Whether the segment is a list."""
        return self.kind == Kind.STATIC

    @property
    def tree(self) -> Group:
        """Answer the rule; a list matches nobody, all its members are named."""
        return Group("or") if self.rule is None else read_rule(self.rule)

    @property
    def zone(self) -> ZoneInfo:
        """Answer the time zone in which the segment's days begin."""
        return ZoneInfo(self.time_zone or settings.TIME_ZONE)

    def moment(self, now: datetime | None = None) -> Moment:
        """Answer now, or another instant, in the segment's time zone."""
        return Moment(now or timezone.now(), self.zone)

    def next_moment(self) -> Moment:
        """Answer now, but never an instant before one that the segment has seen: clocks of processes differ."""
        return self.moment(max(filter(None, (timezone.now(), self.changed_utc, self.timed_utc))))

    def save(self, *args: Any, **options: Any) -> None:
        """Save; what the rule asks for is kept beside it."""
        fields = options.get("update_fields")
        if fields is None or "rule" in fields:
            tree = self.tree
            self.uses = 0 if self.rule is None else uses_of(tree)
            self.is_relative = is_relative(tree)
            self.refers = sorted(referenced(tree, FieldKind.SEGMENTS) | referenced(tree, FieldKind.TAGS))
            if fields is not None:
                options["update_fields"] = {*fields, "uses", "is_relative", "refers"}
        super().save(*args, **options)


class SegmentMember(models.Model):
    """A customer is in a segment.

    Without constraints in the database: checking them takes longer than all the rest of filling a large segment.
    Members are written under the lock of the segment alone, and customers take their leave when they are deleted.
    """

    pk = models.CompositePrimaryKey("segment_id", "customer_id")
    segment = models.ForeignKey(
        Segment, on_delete=models.DO_NOTHING, related_name="members", db_constraint=False, db_index=False
    )
    customer = models.ForeignKey(
        "customers.Customer",
        on_delete=models.DO_NOTHING,
        related_name="memberships",
        db_constraint=False,
        db_index=False,
    )
    since = models.DateTimeField()
    via = models.CharField(max_length=10, choices=Via.choices)

    class Meta:
        ordering = ["segment_id", "customer_id"]
        default_permissions = ()
        indexes = [models.Index(fields=["customer", "segment"], name="member_by_customer")]

    def __str__(self) -> str:
        return f"{self.customer_id} is in {self.segment_id}"


class SegmentPin(models.Model):
    """A customer is in a dynamic segment, or is not, whatever the rule says."""

    segment = models.ForeignKey(Segment, on_delete=models.CASCADE, related_name="pins", db_index=False)
    customer = models.ForeignKey("customers.Customer", on_delete=models.CASCADE, related_name="segment_pins")
    is_in = models.BooleanField()
    reason = models.CharField(max_length=REASON_LENGTH)
    at = models.DateTimeField(default=timezone.now)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    actor_name = models.CharField(max_length=150, blank=True)

    class Meta:
        ordering = ["-at", "-id"]
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["segment", "customer"], name="one_pin_per_customer")]

    def __str__(self) -> str:
        return f"{self.customer_id} is pinned {'in' if self.is_in else 'out of'} {self.segment_id}"
