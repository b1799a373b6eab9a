"""Sets of sessions and events."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

from django.db import models, transaction
from django.db.models import Count, Exists, OuterRef, Q

from sessions_app import feed
from sessions_app.events import Kind, Source

if TYPE_CHECKING:
    pass

DELETED_AT_ONCE = 1000


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

    @transaction.atomic
    def remove(self) -> int:
        """Delete the sessions with their events and labels, all or nothing, and answer how many."""
        from sessions_app.activity import restate_customers
        from sessions_app.models import Event, SessionLabel

        # Locked in the order of their ids, so that two who delete do not wait for each other for ever.
        rows = list(self.select_for_update(of=("self",)).order_by("pk").values_list("pk", "customer_id"))
        for start in range(0, len(rows), DELETED_AT_ONCE):
            keys = [key for key, _ in rows[start : start + DELETED_AT_ONCE]]
            for part in (Event, SessionLabel):  # nothing hangs on these: no need to load them
                part.objects.filter(session__in=keys).order_by()._raw_delete(using=self.db)
            self.model._base_manager.filter(pk__in=keys).delete()
        owners = sorted({customer_id for _, customer_id in rows if customer_id is not None})
        for start in range(0, len(owners), DELETED_AT_ONCE):
            restate_customers(owners[start : start + DELETED_AT_ONCE])
        for key, _ in rows:
            transaction.on_commit(partial(feed.publish, key))
        return len(rows)

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
