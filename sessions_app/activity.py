"""What sessions and customers keep about messages, stated anew from the events.

Appending keeps these columns as it goes. Where events or sessions go, or change hands, they are stated anew: rare, and
exact whatever was there before.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Count, F, OuterRef, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce

from customers.models import GUEST_ID, Changed, Customer
from sessions_app.appending import snippet
from sessions_app.events import Kind, Mode, Source

if TYPE_CHECKING:
    from sessions_app.models import Session

COUNTS = ("customer_message_count", "ai_message_count", "human_message_count")
AGENTS = [source for source in Source if source.is_agent]


def restate_session(session: Session) -> None:
    """State anew what the session says of its remaining messages. The caller holds the session's lock."""
    messages = session.events.filter(kind=Kind.MESSAGE, deleted=False).order_by("offset")
    last = messages.last()
    answered = messages.filter(source__in=AGENTS).values_list("offset", flat=True).last()
    waiting = messages.filter(source=Source.CUSTOMER, offset__gt=-1 if answered is None else answered).first()
    session.last_message = snippet(last.data) if last else ""
    session.last_message_source = last.source if last else ""
    session.last_message_utc = last.creation_utc if last else None
    session.waiting_since = waiting.creation_utc if waiting else None
    counts = messages.message_counts()
    for name, count in counts.items():
        setattr(session, name, count)
    session.save(
        update_fields=["last_message", "last_message_source", "last_message_utc", "waiting_since", *counts],
    )


@transaction.atomic
def restate_customers(ids: Iterable[str | None]) -> None:
    """State anew what these customers' sessions say of them; null and the guest have no activity of their own."""
    wanted = {key for key in ids if key is not None and key != GUEST_ID}
    # Locked first, in the order of their ids: an append to one of them is then either seen below or counted after it.
    locked = Customer.objects.select_for_update().filter(pk__in=wanted).order_by("pk").values_list("pk", flat=True)
    if known := list(locked):
        Customer.objects.filter(pk__in=known).update(stale=F("stale").bitor(Changed.ACTIVITY), **_activity())


def _activity() -> dict[str, Any]:
    """Answer an expression for each column that is kept about the activity of a customer."""
    from sessions_app.models import Event, Session

    sessions = Session.objects.filter(customer=OuterRef("pk")).order_by().values("customer")
    messages = Event.objects.filter(session__customer=OuterRef("pk"), kind=Kind.MESSAGE, deleted=False)
    heard = messages.filter(source=Source.CUSTOMER)
    last = messages.order_by("-creation_utc", "-id")

    def number(rows: QuerySet[Any, Any], expression: Count | Sum) -> Coalesce:
        return Coalesce(Subquery(rows.annotate(number=expression).values("number")), 0)

    return {
        "session_count": number(sessions, Count("pk")),
        "manual_session_count": number(sessions.filter(mode=Mode.MANUAL), Count("pk")),
        **{name: number(sessions, Sum(name)) for name in COUNTS},
        "first_seen": Subquery(heard.order_by("creation_utc").values("creation_utc")[:1]),
        "last_seen": Subquery(heard.order_by("-creation_utc").values("creation_utc")[:1]),
        "last_message_source": Coalesce(Subquery(last.values("source")[:1]), Value("")),
        "last_message_utc": Subquery(last.values("creation_utc")[:1]),
    }
