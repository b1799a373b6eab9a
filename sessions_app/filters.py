"""Which sessions and events to list."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django import forms
from django.core.validators import ProhibitNullCharactersValidator
from django.db.models import QuerySet
from django_filters import FilterSet, MultipleChoiceFilter
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from customers.models import CustomerAlias
from parlant_site.common.filters import TextFilter
from parlant_site.common.serializers import Query, Text, Whole
from sessions_app.canned_responses import CannedResponse, CannedResponseQuerySet
from sessions_app.events import Kind, Moderation, Source
from sessions_app.lines import EVERYTHING, Wanted
from sessions_app.models import Session
from sessions_app.querysets import EventQuerySet, SessionQuerySet


def _of_agent(rows: Any, agent_id: str) -> SessionQuerySet:
    return SessionQuerySet.of_agent(rows, agent_id)


def _of_customer(rows: Any, customer_id: str) -> SessionQuerySet:
    return SessionQuerySet.of_customer(rows, customer_id)


class AnyTexts(forms.Field):
    """Any texts that a database can keep."""

    def validate(self, value: Any) -> None:
        """Refuse NUL characters."""
        for text in value or []:
            ProhibitNullCharactersValidator()(text)


@extend_schema_field({"type": "string"})  # of each value
class RepeatedFilter(MultipleChoiceFilter):
    """A parameter that may be repeated; `narrow(rows, values)` answers the rows that match."""

    def __init__(self, narrow: Callable[[QuerySet[Any], list[str]], QuerySet[Any]], **options: Any) -> None:
        super().__init__(choices=[], **options)
        self.narrow = narrow

    def filter(self, qs: QuerySet[Any], value: Any) -> QuerySet[Any]:
        """Answer the rows that match; all rows when the parameter is absent."""
        values = self.parent.data.getlist(self.field_name)
        return self.narrow(qs, values) if values else qs

    @property
    def field(self) -> Any:
        """Answer a form field that takes any text: labels are whatever callers made of them."""
        return AnyTexts(required=False, widget=forms.SelectMultiple)


def _labelled(rows: Any, labels: list[str]) -> SessionQuerySet:
    return SessionQuerySet.labelled_all(rows, labels)


def _tagged(rows: Any, tag_ids: list[str]) -> CannedResponseQuerySet:
    return CannedResponseQuerySet.tagged_any(rows, tag_ids)


class CustomerFilter(TextFilter):
    """The sessions of a customer; who reads by the id of one who was merged gets the survivor's, who deletes none."""

    def filter(self, qs: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Answer the rows."""
        request = self.parent.request
        alias = CustomerAlias.objects.filter(pk=value or "") if request and request.method == "GET" else None
        survivor = alias.values_list("customer_id", flat=True).first() if alias is not None else None
        return super().filter(qs, survivor or value)


class SessionFilter(FilterSet):
    """Which sessions to list."""

    agent_id = TextFilter(_of_agent)
    customer_id = CustomerFilter(_of_customer)
    labels = RepeatedFilter(_labelled, help_text="Repeated; all must match")

    class Meta:
        model = Session
        fields: list[str] = []


class CannedResponseFilter(FilterSet):
    """Which canned responses to list."""

    tags = RepeatedFilter(_tagged, help_text="Ids of tags; repeated: any of them")

    class Meta:
        model = CannedResponse
        fields: list[str] = []


@extend_schema_field({"type": "string"})
class Kinds(serializers.Field[Any, Any, Any, Any]):
    """Kinds of events, separated by commas."""

    def to_internal_value(self, data: Any) -> list[Kind]:
        """Answer the kinds."""
        words = [word.strip() for word in str(data).split(",")] if data else []
        for word in words:
            if word not in Kind.values:
                raise serializers.ValidationError(f"{word!r} is no kind of event: {', '.join(Kind.values)}")
        return [Kind(word) for word in words]


class EventQuery(Query):
    """Which events to list, and how long to wait for the first of them."""

    min_offset = Whole(required=False, help_text="The first offset to list")
    source = serializers.ChoiceField(Source.choices, required=False)  # type: ignore[assignment]
    kinds = Kinds(required=False, help_text="Separated by commas")
    trace_id = Text(required=False)
    correlation_id = Text(required=False, help_text="Older name of `trace_id`")
    wait_for_data = Whole(
        required=False, default=60, help_text="Seconds to wait when nothing matches yet; 504 when nothing came"
    )
    sse = serializers.BooleanField(required=False, default=False, help_text="Stream server-sent events")


class EventWait(Query):
    """How to read one event."""

    wait_for_completion = serializers.BooleanField(required=False, default=False)
    wait_for_data = Whole(required=False, default=60)
    sse = serializers.BooleanField(required=False, default=False)


class DeletionQuery(Query):
    """From which offset on to delete."""

    min_offset = Whole()


class PostingQuery(Query):
    """How to look at a posted message."""

    moderation = serializers.ChoiceField(Moderation.choices, required=False, default=Moderation.NONE)


class OpeningQuery(Query):
    """How to open a session."""

    allow_greeting = serializers.BooleanField(required=False, default=False)


def matching(events: EventQuerySet, query: dict[str, Any]) -> EventQuerySet:
    """Answer the remaining events that a validated EventQuery asks for, by offset."""
    wanted: dict[str, Any] = {"deleted": False, "offset__gte": query.get("min_offset", 0)}
    if "source" in query:
        wanted["source"] = query["source"]
    if query.get("kinds"):
        wanted["kind__in"] = query["kinds"]
    found = events.filter(**wanted)
    for name in ("trace_id", "correlation_id"):
        if name in query:
            found = found.filter(trace_id=query[name])
    return found.order_by("offset")


def wanted_by(query: dict[str, Any]) -> Wanted:
    """Answer what a validated EventQuery asks for, apart from the offset, to tell events apart that come later."""
    if not query.keys() & {"kinds", "source", "trace_id", "correlation_id"}:
        return EVERYTHING
    return Wanted(
        kinds=frozenset(str(kind) for kind in query.get("kinds", [])),
        source=query.get("source", ""),
        traces=frozenset(query[name] for name in ("trace_id", "correlation_id") if name in query),
    )
