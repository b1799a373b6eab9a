"""The filters of the list of conversations."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db import connection
from django.db.models import BooleanField, F, Func, QuerySet
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

from customers.models import Customer
from parlant_site.common.console.listing import Filter
from sessions_app.counting_days import messages_of
from sessions_app.events import Mode
from sessions_app.models import Agent
from sessions_app.querysets import SessionQuerySet

OFFERED_AGENTS = 100


class StateFilter(Filter):
    """Conversations by who is to act."""

    name = "state"
    label = _("State")

    def choices(self) -> Sequence[tuple[str, Any]]:
        """Answer the states."""
        return (
            ("waiting", _("Customer waits")),
            ("waiting-hour", _("Customer waits over an hour")),
            (Mode.MANUAL.value, _("With an operator")),
            (Mode.AUTO.value, _("With the agent")),
        )

    def apply(self, rows: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Answer those in the state."""
        if value == "waiting":
            return rows.filter(waiting_since__isnull=False)
        if value == "waiting-hour":
            return rows.filter(waiting_since__lt=timezone.now() - timedelta(hours=1))
        return rows.filter(mode=value) if value in Mode.values else rows


class OpenedFilter(Filter):
    """Conversations by when they were opened."""

    name = "opened"
    label = _("Opened")

    def choices(self) -> Sequence[tuple[str, Any]]:
        """Answer the spans, in days."""
        return (("1", _("In the last day")), ("7", _("In the last 7 days")), ("30", _("In the last 30 days")))

    def apply(self, rows: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Answer those opened in the span."""
        if value not in dict(self.choices()):
            return rows
        return rows.filter(creation_utc__gte=timezone.now() - timedelta(days=int(value)))


class SpokenFilter(Filter):
    """Conversations in which somebody said something on a day: followed from the home page, so it offers nothing."""

    name = "said"
    label = _("Messages on")

    def said(self, value: str) -> Any:
        """Answer the day in words."""
        day = _day_in(value)
        return date_format(day) if day else value

    def choices(self) -> Sequence[tuple[str, Any]]:
        """Offer nothing."""
        return ()

    def apply(self, rows: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Answer those with a message on that day; none for what is no day, as the page says that it filters."""
        if not (day := _day_in(value)):
            return rows.none()
        keys = messages_of(day).values("session").distinct()
        if connection.vendor == "sqlite":
            return rows.filter(pk__in=keys)
        # As an array they are looked up first, by time: left to itself PostgreSQL goes through all events by session.
        among = {"template": "(%(expressions)s))", "arg_joiner": " = ANY (", "output_field": BooleanField()}
        return rows.filter(Func(F("pk"), ArraySubquery(keys), **among))


def _day_in(text: str) -> date | None:
    try:
        day = parse_date(text)
    except ValueError:
        return None
    return day if day and 1900 < day.year < 9000 else None


class AgentFilter(Filter):
    """Conversations with an agent."""

    name = "agent"
    label = _("Agent")

    def choices(self) -> Sequence[tuple[str, Any]]:
        """Answer the agents by name."""
        return list(Agent.objects.order_by("name").values_list("pk", "name")[:OFFERED_AGENTS])

    def apply(self, rows: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Answer those with it."""
        assert isinstance(rows, SessionQuerySet)
        return rows.of_agent(value)


class CustomerFilter(Filter):
    """Conversations of a customer: reached from her page, so it offers nothing."""

    name = "customer"
    label = _("Customer")

    def said(self, value: str) -> Any:
        """Answer her name; her id when she is gone."""
        return Customer.objects.filter(pk=value).values_list("name", flat=True).first() or value

    def choices(self) -> Sequence[tuple[str, Any]]:
        """Offer nothing."""
        return ()

    def apply(self, rows: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Answer hers."""
        assert isinstance(rows, SessionQuerySet)
        return rows.of_customer(value)


class LabelFilter(Filter):
    """Conversations that bear a label."""

    name = "label"
    label = _("Label")
    many = True

    def choices(self) -> Sequence[tuple[str, Any]]:
        """Offer nothing: labels are followed from a conversation."""
        return ()

    def apply(self, rows: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Answer those that bear it."""
        assert isinstance(rows, SessionQuerySet)
        return rows.labelled_all([value])
