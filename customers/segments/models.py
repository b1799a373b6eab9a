"""Segments of customers and their members."""

from __future__ import annotations

from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import models
from django.utils import timezone

from customers.segments.periods import Moment
from customers.segments.reading import read_rule
from customers.segments.rules import Group
from parlant_site.common.models import Identified, length_between, one_of

NAME_LENGTH = 100


class Kind(models.TextChoices):
    """Who is in a segment: those whom a rule matches, or those on a list."""

    DYNAMIC = "dynamic"
    STATIC = "static"


class Via(models.TextChoices):
    """How a member came to be one."""

    RULE = "rule"
    LIST = "list"


class Segment(Identified):
    """A set of customers: by rule or by list.

    `rule` is a tree of the rule language as JSON, null for a list. Without a `time_zone` days begin as in the settings.
    """

    name = models.CharField(max_length=NAME_LENGTH)
    description = models.TextField(default="", blank=True)
    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.DYNAMIC)
    rule = models.JSONField(null=True, blank=True)
    rule_version = models.PositiveIntegerField(default=1)
    time_zone = models.CharField(max_length=64, default="", blank=True)

    objects: ClassVar[models.Manager[Segment]] = models.Manager()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(fields=["name"], name="one_segment_per_name"),
            length_between("name", 1, NAME_LENGTH, name="segment_name_length"),
            one_of("kind", Kind, name="segment_kind"),
            models.CheckConstraint(
                condition=models.Q(kind="static", rule__isnull=True) | models.Q(kind="dynamic", rule__isnull=False),
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

    def moment(self, now: Any = None) -> Moment:
        """Answer now, or another instant, in the segment's time zone."""
        return Moment(now or timezone.now(), ZoneInfo(self.time_zone or settings.TIME_ZONE))


class SegmentMember(models.Model):
    """A customer is in a segment."""

    pk = models.CompositePrimaryKey("segment_id", "customer_id")
    segment = models.ForeignKey(Segment, on_delete=models.CASCADE, related_name="members")
    customer = models.ForeignKey("customers.Customer", on_delete=models.CASCADE, related_name="memberships")
    since = models.DateTimeField()
    via = models.CharField(max_length=10, choices=Via.choices)

    class Meta:
        ordering = ["segment_id", "customer_id"]

    def __str__(self) -> str:
        return f"{self.customer_id} is in {self.segment_id}"
