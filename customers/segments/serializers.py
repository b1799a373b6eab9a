"""The shapes of segments."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from customers.rules.faces import DatabaseNames, write_sentence, write_text
from customers.rules.tree import to_json
from customers.segments.given import masked
from customers.segments.history import Cause, Move, RunState
from customers.segments.models import NAME_LENGTH, REASON_LENGTH, Kind, Segment, Via
from customers.segments.past import as_of
from parlant_site.common.json import JSONValue
from parlant_site.common.serializers import AnyJSON, Flag, Id, Input, Instant, Query, Text, Whole, Words

LARGEST_PAGE = 1000
MOST_NAMED = 10_000


class SegmentBody(serializers.Serializer[Any]):
    """A segment as callers see it: the rule in its three faces, the size and the instant for which that is right."""

    id = serializers.CharField()
    creation_utc = Instant()
    name = serializers.CharField()
    description = serializers.CharField(allow_blank=True)
    kind = serializers.ChoiceField(Kind.choices)
    rule = serializers.SerializerMethodField(help_text="In the shape of react-querybuilder; null for a list")
    text = serializers.SerializerMethodField(help_text="The rule as text; null for a list")
    sentence = serializers.SerializerMethodField(help_text="The rule as a sentence; null for a list")
    rule_version = serializers.IntegerField()
    time_zone = serializers.CharField(allow_blank=True, help_text="Empty: as the settings say")
    published_tag = serializers.CharField(
        source="published_tag_id", allow_null=True, help_text="The id of the tag that members, and nobody else, bear"
    )
    size = serializers.IntegerField()
    as_of = serializers.SerializerMethodField(help_text="Members and size are right for this instant")
    is_counting = serializers.SerializerMethodField(help_text="Whether a run is queued or at work")
    next_offset = serializers.IntegerField(help_text="The offset of the next membership event")

    @cached_property
    def _names(self) -> DatabaseNames:
        return DatabaseNames()

    @extend_schema_field(serializers.JSONField(allow_null=True))
    def get_rule(self, segment: Segment) -> dict[str, JSONValue] | None:
        """Answer the rule; personal values, names and ids are masked for who may not see them."""
        return None if segment.is_static else to_json(masked(segment.tree))

    def get_text(self, segment: Segment) -> str | None:
        """Answer the rule as text."""
        return None if segment.is_static else write_text(masked(segment.tree), self._names)

    def get_sentence(self, segment: Segment) -> str | None:
        """Answer the rule as a sentence."""
        return None if segment.is_static else write_sentence(masked(segment.tree), self._names)

    def get_as_of(self, segment: Segment) -> str:
        """Answer the instant as text."""
        return str(Instant().to_representation(self.context["as_of"][segment.pk]))

    def get_is_counting(self, segment: Segment) -> bool:
        """Answer whether there is an unfinished run."""
        return segment.pk in self.context["counting"]

    @classmethod
    def show(cls, segments: Iterable[Segment]) -> list[dict[str, Any]]:
        """Answer the shapes of segments, in a few queries for all of them."""
        from customers.segments.history import SegmentRun

        rows = list(segments)
        runs = SegmentRun.objects.unfinished().filter(segment__in=[row.pk for row in rows])
        context = {"as_of": as_of(rows), "counting": set(runs.values_list("segment_id", flat=True))}
        return [*cls(rows, many=True, context=context).data]

    @classmethod
    def one(cls, segment: Segment) -> dict[str, Any]:
        """Answer the shape of a segment as it is now."""
        (shown,) = cls.show([Segment.objects.get(pk=segment.pk)])
        return shown


class RuleGiven(Input):
    """A rule, in one of its faces."""

    rule = AnyJSON(required=False, help_text="{combinator, not, rules: [{field, operator, value} or a group]}")
    text = Text(required=False, help_text="For example: tag:VIP and metadata.mrr > 500")
    sentence = Text(required=False, help_text="As `sentence` of a segment is written")


class SegmentChange(RuleGiven):
    """What to change of a segment."""

    name = Text(required=False, min_length=1, max_length=NAME_LENGTH)
    description = Text(required=False)
    time_zone = Text(required=False, help_text='Such as "Europe/Berlin": where the days of the rule begin')
    published_tag = Text(required=False, help_text="The id of a tag that members are to bear; empty: none")


class NewSegment(SegmentChange):
    """A segment to make: dynamic with a rule, or static, an empty list."""

    name = Text(min_length=1, max_length=NAME_LENGTH)
    id = Id(required=False, help_text="Chosen by the caller; generated when absent")
    kind = serializers.ChoiceField(Kind.choices, required=False, default=Kind.DYNAMIC)


class RuleToPreview(RuleGiven):
    """A rule that somebody edits."""

    time_zone = Text(required=False)
    samples = Whole(required=False, max_value=100, default=20)


class NodeCount(serializers.Serializer[Any]):
    """How many a node of a rule matches; the root's path is empty."""

    path = serializers.ListField(child=serializers.IntegerField())
    count = serializers.IntegerField()
    exact = serializers.BooleanField()


class Person(serializers.Serializer[Any]):
    """A customer, in short."""

    id = serializers.CharField()
    name = serializers.CharField()


class DayBody(serializers.Serializer[Any]):
    """A day on which members changed: the size at its end, and how many entered and left."""

    day = serializers.DateField()
    size = serializers.IntegerField()
    entered = serializers.IntegerField()
    left = serializers.IntegerField()


class BacktestBody(serializers.Serializer[Any]):
    """How large a segment would have been, the oldest day first."""

    days = DayBody(many=True)
    is_exact = serializers.BooleanField()
    sampled = serializers.IntegerField(help_text="How many customers were asked")
    customers = serializers.IntegerField(help_text="Of how many")
    as_of_today = serializers.ListField(child=serializers.CharField())


class HintBody(serializers.Serializer[Any]):
    """What looks wrong about a node of a rule."""

    path = serializers.ListField(child=serializers.IntegerField())
    code = serializers.CharField()
    message = serializers.CharField()


class ValueCount(serializers.Serializer[Any]):
    """A value, and how many customers have it."""

    value = serializers.CharField(allow_blank=True)
    count = serializers.IntegerField()


class MetadataKeyBody(serializers.Serializer[Any]):
    """A metadata key that customers have."""

    key = serializers.CharField(allow_blank=True)
    personal = serializers.BooleanField(help_text="Marked: its values are masked for who may not see personal data")
    customers = serializers.IntegerField()
    fill_rate = serializers.FloatField(help_text="The part of all customers who have it, 0 to 1")
    types = serializers.ListField(child=serializers.CharField(), help_text="number, date, boolean, empty, text")
    top_values = ValueCount(many=True)
    estimated = serializers.BooleanField(help_text="Numbers are from a sample: customers are being read")


class PreviewBody(serializers.Serializer[Any]):
    """What a rule comes to."""

    rule = serializers.JSONField()
    text = serializers.CharField()
    sentence = serializers.CharField()
    count = serializers.IntegerField()
    exact = serializers.BooleanField(help_text="False: estimated from a sample")
    total = serializers.JSONField(help_text="{count, exact}: how many customers there are")
    nodes = NodeCount(many=True)
    sample = Person(many=True)
    as_of = Instant()
    took_ms = serializers.IntegerField()
    lint = HintBody(many=True)


class ExplanationBody(serializers.Serializer[Any]):
    """Why a customer is in a segment, or not."""

    segment_id = serializers.CharField()
    customer_id = serializers.CharField()
    is_in = serializers.BooleanField()
    pin = serializers.JSONField(allow_null=True, help_text="{is_in, reason}")
    rule = serializers.JSONField(
        allow_null=True, help_text="The tree: holds, and of leaves actual, type, distance {kind, by}, decides"
    )


class NearMissBody(serializers.Serializer[Any]):
    """Who is kept out by one leaf alone."""

    path = serializers.ListField(child=serializers.IntegerField())
    field = serializers.CharField()
    operator = serializers.CharField()
    value = serializers.JSONField(allow_null=True)
    count = serializers.IntegerField()
    exact = serializers.BooleanField()
    sample = Person(many=True)


class OverlapBody(serializers.Serializer[Any]):
    """A combination of segments: who is in all of them, and who of these is in none of the others."""

    segments = serializers.ListField(child=serializers.CharField())
    members = serializers.IntegerField()
    only = serializers.IntegerField()


class RuleToTest(RuleGiven):
    """A rule, and over how many of the last days to look."""

    time_zone = Text(required=False)
    days = Whole(required=False, min_value=1, max_value=90, default=90)


class MembersQuery(Query):
    """Which members to list."""

    at = Text(
        required=False,
        min_length=1,
        help_text="Members as of this instant, or the end of this day in the segment's time zone, those deleted since "
        "included",
    )
    limit = Whole(required=False, min_value=1, max_value=LARGEST_PAGE, default=100)
    cursor = Text(required=False, help_text="`next_cursor` of the page before")


class MemberBody(serializers.Serializer[Any]):
    """A member, since when and by what she is one. The name is null when the customer was deleted since."""

    customer_id = serializers.CharField()
    name = serializers.CharField(allow_null=True)
    since = Instant()
    via = serializers.ChoiceField(Via.choices)


class MemberPage(serializers.Serializer[Any]):
    """Some of the members, by id."""

    items = MemberBody(many=True)
    total_count = serializers.IntegerField()
    has_more = serializers.BooleanField()
    next_cursor = serializers.CharField(allow_null=True)
    as_of = Instant()


class ListChange(Input):
    """Customers to put on a list, or to take off it."""

    add = Words(required=False, max_length=MOST_NAMED, help_text="Ids of customers")
    remove = Words(required=False, max_length=MOST_NAMED, help_text="Ids of customers")


class MovedBody(serializers.Serializer[Any]):
    """How many entered and left."""

    entered = serializers.IntegerField()
    left = serializers.IntegerField()


class NewPin(Input):
    """A customer who is in a segment, or is not, whatever its rule says."""

    customer_id = Text(min_length=1)
    is_in = Flag()
    reason = Text(min_length=1, max_length=REASON_LENGTH)


class PinBody(serializers.Serializer[Any]):
    """A pin as callers see it."""

    customer_id = serializers.CharField()
    is_in = serializers.BooleanField()
    reason = serializers.CharField()
    at = Instant()
    by = serializers.CharField(source="actor_name", allow_blank=True)


class MembershipQuery(Query):
    """Which membership events to list."""

    min_offset = Whole(required=False, default=0)
    limit = Whole(required=False, min_value=1, max_value=LARGEST_PAGE, default=100)
    customer_id = Text(required=False)


class MembershipBody(serializers.Serializer[Any]):
    """A customer entered or left. Offsets count from 0 without gaps."""

    offset = serializers.IntegerField()
    customer_id = serializers.CharField(source="customer_ref")
    move = serializers.ChoiceField(Move.choices)
    cause = serializers.ChoiceField(Cause.choices)
    via = serializers.ChoiceField(Via.choices)
    rule_version = serializers.IntegerField()
    at = Instant()


class DaysQuery(Query):
    """Over how many days to look."""

    days = Whole(required=False, min_value=1, max_value=3660, default=30)


class RunBody(serializers.Serializer[Any]):
    """A look at every customer for one segment."""

    id = serializers.CharField()
    creation_utc = Instant()
    cause = serializers.ChoiceField(Cause.choices)
    state = serializers.ChoiceField(RunState.choices)
    error = serializers.CharField(allow_blank=True)
    percent = serializers.IntegerField(allow_null=True)
    entered = serializers.IntegerField()
    left = serializers.IntegerField()
    drift = serializers.IntegerField()
    started_utc = Instant(allow_null=True)
    finished_utc = Instant(allow_null=True)


class CustomerQuery(Query):
    """About which customer."""

    customer_id = Text(min_length=1)


class OverlapQuery(Query):
    """Which segments to lay over each other."""

    ids = Text(min_length=1, help_text="The ids of 1 to 4 segments, with commas between")
