"""Sets of sessions and events."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Count, Exists, OuterRef, Q

from sessions_app.events import Kind, Source

if TYPE_CHECKING:
    pass


def message_counter(source: str) -> str | None:
    """Answer the name of the count (of a session, of a customer) that a message from a source adds to."""
    if source == Source.CUSTOMER:
        return "customer_message_count"
    if source == Source.AI_AGENT:
        return "ai_message_count"
    return "human_message_count" if Source(source).is_human_agent else None


class SessionQuerySet(models.QuerySet["Session"]):  # type: ignore[name-defined]  # a circular import, of types alone
    """Sets of sessions."""

    def of_customer(self, customer_id: str) -> SessionQuerySet:
        """Answer the sessions of the customer who has this id now; of whoever had it last when nobody has.

        A re-created customer does not inherit the sessions of her predecessor.
        """
        from customers.models import Customer

        has_it_now = Customer.objects.filter(pk=customer_id)
        return self.filter(Q(customer__isnull=False) | ~Exists(has_it_now), customer_ref=customer_id)

    def of_agent(self, agent_id: str) -> SessionQuerySet:
        """Answer the sessions of the agent that has this id now; of whichever had it last when none has."""
        from sessions_app.models import Agent

        has_it_now = Agent.objects.filter(pk=agent_id)
        return self.filter(Q(agent__isnull=False) | ~Exists(has_it_now), agent_ref=agent_id)

    def labelled_all(self, labels: Iterable[str]) -> SessionQuerySet:
        """Answer the sessions that bear every one of the labels."""
        from sessions_app.models import SessionLabel

        matching = self
        for label in labels:
            matching = matching.filter(Exists(SessionLabel.objects.filter(session_id=OuterRef("pk"), label=label)))
        return matching


class EventQuerySet(models.QuerySet["Event"]):  # type: ignore[name-defined]  # a circular import, of types alone
    """Sets of events."""

    def message_counts(self) -> dict[str, int]:
        """Answer how many messages there are for each count that a session keeps."""
        counts = {"customer_message_count": 0, "ai_message_count": 0, "human_message_count": 0}
        rows = self.filter(kind=Kind.MESSAGE).order_by().values_list("source").annotate(number=Count("pk"))
        for source, number in rows:
            if counter := message_counter(source):
                counts[counter] += number
        return counts
