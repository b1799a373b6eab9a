"""Conversations: the list, and one to read."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.db.models import Prefetch, Q, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from customers.models import Customer, CustomerTag
from parlant_site.common.console.keyset import Order
from parlant_site.common.console.listing import Column
from parlant_site.common.console.markup import NOTHING, age, ago, badge, chip, chips, list_of, page_of
from parlant_site.common.console.pages import NEWEST, OLDEST, ConsoleAdmin
from parlant_site.common.json import LARGEST
from parlant_site.common.personal import sight
from sessions_app.admin.conversation import SOURCES, entries
from sessions_app.admin.filters import AgentFilter, CustomerFilter, LabelFilter, OpenedFilter, SpokenFilter, StateFilter
from sessions_app.events import Mode
from sessions_app.follow_ups import FollowUpWasSaid
from sessions_app.models import Agent, FollowUp, Session

EVENTS_SHOWN = 300
FOLLOW_UPS_SHOWN = 20


@admin.register(Session)
class SessionAdmin(ConsoleAdmin):
    """Conversations, read-only: their events are made by those who talk."""

    orders: Sequence[Order] = (
        NEWEST,
        OLDEST,
        Order("waiting", _("Waiting"), "waiting_since", descending=False, nullable=True),
        Order("-waiting", _("Waiting"), "waiting_since", nullable=True),
    )
    filters = (StateFilter, OpenedFilter, SpokenFilter, AgentFilter, CustomerFilter, LabelFilter)
    search_hint = _("Search by title, last message, customer or id")
    list_title = _("Conversations")
    deleting = _("All that was said goes with it.")
    empty_text = _("No conversations yet. Your application opens them, and customers’ widgets do.")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Session]:
        """Answer the sessions with all that a list shows of them."""
        links = CustomerTag.objects.select_related("tag").order_by("id")
        return (
            Session.objects.select_related("agent", "customer")
            .defer("customer__metadata", "agent__description")
            .prefetch_related("label_rows", Prefetch("customer__tag_links", queryset=links))
        )

    def search(self, rows: QuerySet[Session], words: str) -> QuerySet[Session]:
        """Answer those with every word somewhere in title, last message, customer's name or id."""
        for word in words.split():
            rows = rows.filter(
                Q(title__icontains=word)
                | Q(last_message__icontains=word)
                | Q(customer__name__icontains=word)
                | Q(id=word)
                | Q(customer_ref=word)
            )
        return rows

    def columns(self, request: HttpRequest) -> Sequence[Column]:
        """Answer the columns of the list; the customer where it is not hers alone."""
        columns = (
            Column("conversation", _("Conversation"), self._conversation),
            Column("customer", _("Customer"), partial(self._customer, request)),
            Column("agent", _("Agent"), lambda session: session.agent.name if session.agent else session.agent_ref),
            Column("state", _("State"), state_of),
            Column("waiting", _("Waiting"), lambda session: age(session.waiting_since), order="waiting"),
            Column(
                "events", _("Events"), lambda session: f"{session.next_offset:,}" if session.next_offset else NOTHING
            ),
            Column("created", _("Opened"), lambda session: ago(session.creation_utc), order="created"),
        )
        return [column for column in columns if column.name not in self.fixed_filters(request)]

    def fixed_filters(self, request: HttpRequest) -> Sequence[str]:
        """Answer that the list under a customer's tabs is hers."""
        return ("customer",) if _customer_of(request) else ()

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show the list; of one customer under her own tabs, to those who may see her."""
        return super().changelist_view(request, {"customer": _customer_of(request), **(extra_context or {})})

    def _conversation(self, session: Session) -> SafeString:
        said = session.last_message
        who = SOURCES.get(session.last_message_source, "")
        return format_html(
            '<a class="name" href="{}"><bdi>{}</bdi></a><span class="snippet">{}<bdi>{}</bdi></span>{}',
            page_of(session),
            session.title or _("Untitled"),
            format_html("<b>{}:</b> ", who) if said else "",
            said,
            labels_of(session),
        )

    def _customer(self, request: HttpRequest, session: Session) -> SafeString:
        return format_html("{}{}", customer_link(request, session), tags_of(session))

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the conversation, its newest events first asked for; `until` goes back to earlier ones."""
        session = self.get_object(request, object_id)
        if session is None:
            return self.missing(request, object_id)
        if not self.has_view_permission(request, session):
            raise PermissionDenied
        end = min(_number(request.GET.get("until", "")), session.next_offset)
        shown = session.events.filter(offset__lt=end, offset__gte=end - EVENTS_SHOWN).order_by("offset")
        context = {
            **self.admin_site.each_context(request),
            "title": session.title or _("Untitled conversation"),
            "opts": self.opts,
            "session": session,
            "state": state_of(session),
            "entries": entries(shown),
            "earlier": max(end - EVENTS_SHOWN, 0),
            "later": end < session.next_offset,
            "customer": customer_link(request, session),
            "customer_metadata": _metadata_of(request, session),
            "tags": tags_of(session),
            "labels": labels_of(session),
            "beside": list(_beside(session)),
            "follow_ups": self._follow_ups(request, session),
            "may_cancel": request.user.has_perm("sessions_app.delete_followup"),
            "has_delete_permission": self.has_delete_permission(request, session),
        }
        request.current_app = self.admin_site.name
        return TemplateResponse(request, "admin/sessions_app/session/conversation.html", context)

    def get_urls(self) -> list[Any]:
        """Answer the addresses, with the one that cancels a follow-up."""
        cancel = path(
            "<path:object_id>/follow-ups/<str:key>/cancel/",
            self.admin_site.admin_view(self.cancel_follow_up_view),
            name="sessions_app_session_cancel_follow_up",
        )
        return [cancel, *super().get_urls()]

    def cancel_follow_up_view(self, request: HttpRequest, object_id: str, key: str) -> HttpResponse:
        """Cancel what the agent was to say later, for those who may do that over REST."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        if not request.user.has_perms(("sessions_app.view_session", "sessions_app.delete_followup")):
            raise PermissionDenied
        session = self.get_object(request, unquote(object_id))
        if session is None:
            return self.missing(request, object_id)
        follow_up = None if "\0" in key else session.follow_ups.listed().filter(pk=key).first()
        try:
            if follow_up is not None:  # else somebody cancelled it already
                follow_up.cancel()
            messages.success(request, _("It will not be said."))
        except FollowUpWasSaid:
            messages.error(request, _("The agent was told to say it already."))
        return HttpResponseRedirect(page_of(session))

    def _follow_ups(self, request: HttpRequest, session: Session) -> list[FollowUp]:
        """Answer what the agent is to say later, soonest first, for those who may see that."""
        if not request.user.has_perm("sessions_app.view_followup"):
            return []
        return list(session.follow_ups.listed().pending().order_by("due_utc", "id")[:FOLLOW_UPS_SHOWN])

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Never: sessions are opened by applications."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never: what was said stays."""
        return False


def _customer_of(request: Any) -> Customer | None:
    """Answer the one customer whose conversations are asked for, if she may be seen; looked up once for a page."""
    if not hasattr(request, "one_customer"):
        key = request.GET.get("customer", "")
        may_see = key and "\0" not in key and request.user.has_perm("customers.view_customer")
        rows = Customer.objects.prefetch_related("tag_links__tag")
        request.one_customer = rows.filter(pk=key).first() if may_see else None
    found: Customer | None = request.one_customer
    return found


def _number(text: str) -> int:
    """Answer the number in an address; the largest one for none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else LARGEST


def state_of(session: Session) -> SafeString:
    """Answer the badge that says who is to act."""
    if session.mode == Mode.MANUAL:
        return badge(_("Waiting"), "waiting") if session.waiting_since else badge(_("Operator"), "manual")
    return badge(_("AI"), "auto")


def _beside(session: Session) -> QuerySet[Agent]:
    """Answer the agents that answer beside the session's own."""
    others = Agent.objects.filter(participations__session=session).exclude(pk=session.agent_id)
    return others.order_by("participations__id")


def _metadata_of(request: HttpRequest, session: Session) -> dict[str, Any]:
    """Answer the customer's metadata as they are shown, to those who may see her; personal values are masked."""
    if session.customer is None or not request.user.has_perm("customers.view_customer"):
        return {}
    return sight().metadata(session.customer.metadata)


def customer_link(request: HttpRequest, session: Session) -> SafeString:
    """Answer the customer, with a link to her page for those who may open it; the bare id when she was deleted."""
    if session.customer is None:
        return format_html('<span class="key">{}</span>', session.customer_ref)
    if not request.user.has_perm("customers.view_customer"):
        return format_html("<bdi>{}</bdi>", session.customer.name)
    return format_html('<a href="{}"><bdi>{}</bdi></a>', page_of(session.customer), session.customer.name)


def tags_of(session: Session) -> SafeString | str:
    """Answer the chips of the customer's tags."""
    links = session.customer.tag_links.all() if session.customer else ()
    return chips((link.tag_id, link.tag.name, "") for link in links) if links else ""


def labels_of(session: Session) -> SafeString | str:
    """Answer the chips of the labels, each with a link to what else bears it."""
    rows = session.label_rows.all()
    made = [(chip(f"#{row.label}", link=list_of("sessions_app_session", label=row.label)),) for row in rows]
    return format_html('<span class="chips">{}</span>', format_html_join("", "{}", made)) if made else ""
