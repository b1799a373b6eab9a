"""What conversations add to a customer's timeline."""

from __future__ import annotations

from datetime import datetime

from django.db.models import F, Q
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from customers.admin.timeline import Moment, add_source
from customers.models import Customer
from parlant_site.common.console.markup import page_of
from sessions_app.admin.conversation import SOURCES
from sessions_app.admin.sessions import state_of
from sessions_app.appending import SNIPPET_LENGTH, snippet
from sessions_app.events import Kind
from sessions_app.models import Event, Session

CONVERSATIONS_READ = 30
EVENTS_READ = 300


@add_source
def conversations(request: HttpRequest, customer: Customer, before: datetime | None, limit: int) -> list[Moment]:
    """Answer the conversations that she began."""
    if not request.user.has_perm("sessions_app.view_session"):
        return []
    began = Session.objects.of_customer(customer.pk).select_related("agent")
    if before:
        began = began.filter(creation_utc__lt=before)
    return [
        Moment(
            session.creation_utc,
            "conversation",
            format_html(
                '<b>{}</b> <a href="{}"><bdi>{}</bdi></a> {}',
                _("Conversation"),
                page_of(session),
                session.title or _("Untitled"),
                state_of(session),
            ),
        )
        for session in began.order_by("-creation_utc", "-id")[:limit]
    ]


@add_source
def messages(request: HttpRequest, customer: Customer, before: datetime | None, limit: int) -> list[Moment]:
    """Answer what was said, of each of the newest conversations the last 300 events."""
    if not request.user.has_perm("sessions_app.view_session"):
        return []
    hers = Session.objects.of_customer(customer.pk)
    if before:
        hers = hers.filter(creation_utc__lt=before)
    newest = list(hers.order_by("-creation_utc", "-id").values_list("pk", flat=True)[:CONVERSATIONS_READ])
    said = Event.objects.filter(
        Q(session_id__in=newest, kind=Kind.MESSAGE, deleted=False, offset__gte=F("session__next_offset") - EVENTS_READ)
    ).select_related("session")
    if before:
        said = said.filter(creation_utc__lt=before)
    return [
        Moment(
            event.creation_utc,
            "message",
            format_html(
                '<b>{}</b> <a href="{}#e{}"><bdi>{}</bdi></a>',
                SOURCES.get(event.source, event.source),
                page_of(event.session),
                event.offset,
                event.session.title or _("Untitled"),
            ),
            format_html("<p><bdi>{}</bdi></p>", _shortened(snippet(event.data))),
        )
        for event in said.order_by("-creation_utc", "-offset")[:limit]
    ]


def _shortened(text: str) -> str:
    return text if len(text) < SNIPPET_LENGTH else f"{text}…"
