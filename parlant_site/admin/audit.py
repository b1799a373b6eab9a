"""The audit in the console: who changed what, when, through which channel, before and after."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.apps import apps
from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from customers.jobs.models import DataJob
from customers.models import Customer
from parlant_site.common.acting import Channel
from parlant_site.common.audit import Act, AuditEntry
from parlant_site.common.console.changes import changes_of, tag_ids_in
from parlant_site.common.console.filters import ActorFilter, RecentFilter
from parlant_site.common.console.keyset import Order
from parlant_site.common.console.listing import Column, Filter, Listing
from parlant_site.common.console.markup import actor_of, ago, badge, change_lines, list_of, page_of
from parlant_site.common.console.pages import ConsoleAdmin
from tags.models import Tag

# Kinds of objects that have pages, and whose they are.
APPS = {
    "customer": "customers",
    "tag": "tags",
    "agent": "sessions_app",
    "cannedresponse": "sessions_app",
    "session": "sessions_app",
    "segment": "customers",
    "datajob": "customers",
    "metadatakey": "customers",
    "user": "auth",
}

# Of kinds that are more than one word.
NAMES = {"cannedresponse": "canned response", "datajob": "data job", "metadatakey": "metadata key"}


class ActFilter(Filter):
    """Entries by what was done."""

    name, label = "act", _("Act")

    def choices(self) -> Sequence[tuple[str, Any]]:
        """Answer the acts."""
        return Act.choices

    def apply(self, rows: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Answer the entries of the act."""
        return rows.filter(act=value) if value in Act.values else rows


class KindFilter(Filter):
    """Entries by the kind of object."""

    name, label = "kind", _("Object")

    def choices(self) -> Sequence[tuple[str, Any]]:
        """Answer the kinds that have pages."""
        return [(kind, NAMES.get(kind, kind).capitalize()) for kind in APPS]

    def apply(self, rows: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Answer the entries on such objects."""
        return rows.filter(kind=value)


class ObjectFilter(Filter):
    """Entries on one object: followed from a row."""

    name, label = "object", _("Id")

    def choices(self) -> Sequence[tuple[str, Any]]:
        """Offer nothing."""
        return ()

    def apply(self, rows: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Answer the entries on it."""
        return rows.filter(object_id=value)


class ChannelFilter(Filter):
    """Entries by the channel."""

    name, label = "channel", _("Channel")

    def choices(self) -> Sequence[tuple[str, Any]]:
        """Answer the channels."""
        return Channel.choices

    def apply(self, rows: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Answer what came through it."""
        return rows.filter(channel=value) if value in Channel.values else rows


class JobFilter(Filter):
    """Entries by the data job that made them: followed from the job's page."""

    name, label = "job", _("Data job")

    def said(self, value: str) -> Any:
        """Answer the job's title."""
        return DataJob.objects.filter(pk=value).values_list("title", flat=True).first() or value

    def choices(self) -> Sequence[tuple[str, Any]]:
        """Offer nothing."""
        return ()

    def apply(self, rows: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Answer what the job changed."""
        return rows.filter(job_id=value)


class WhenFilter(RecentFilter):
    """Entries by when."""

    column = "at"


@admin.register(AuditEntry)
class AuditAdmin(ConsoleAdmin):
    """Entries of the audit, read-only."""

    orders: Sequence[Order] = (
        Order("at", _("When"), "id"),
        Order("-at", _("When"), "id", descending=False),
    )
    filters = (ActFilter, KindFilter, ObjectFilter, ChannelFilter, ActorFilter, JobFilter, WhenFilter)
    list_title = _("Audit")
    empty_text = _("Nothing was changed yet.")

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show the list; of one object with the way back to its page, of a customer under her own tabs."""
        return super().changelist_view(request, {**_subject(request), **(extra_context or {})})

    def fixed_filters(self, request: HttpRequest) -> Sequence[str]:
        """Answer that the list of one object is of that alone."""
        return ("kind", "object") if _subject(request) else ()

    def listing(self, request: HttpRequest) -> Listing:
        """Answer the list, with the names of all its tags looked up at once."""
        listing = super().listing(request)
        names = dict(Tag.objects.filter(pk__in=tag_ids_in(listing.page.rows)).values_list("pk", "name"))
        for entry in listing.page.rows:
            entry.lines = change_lines(changes_of(entry, names))
        return listing

    def columns(self, request: HttpRequest) -> Sequence[Column]:
        """Answer the columns of the list."""
        return (
            Column("at", _("When"), lambda entry: ago(entry.at), order="at"),
            Column("actor", _("Who"), _who),
            Column("act", _("Act"), lambda entry: entry.get_act_display()),
            Column("object", _("Object"), _object),
            Column("changes", _("Change"), lambda entry: _("Erased") if entry.redacted else entry.lines),
        )

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Never: entries are made by what is done."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never."""
        return False


def _model_of(kind: str) -> type[Model]:
    return apps.get_model(APPS[kind], kind)


def _subject(request: Any) -> dict[str, Any]:
    """Answer the one object that is asked for, if it may be seen: a customer, or whose page to go back to."""
    if not hasattr(request, "subject"):
        request.subject = _find_subject(request)
    subject: dict[str, Any] = request.subject
    return subject


def _find_subject(request: HttpRequest) -> dict[str, Any]:
    kind, key = request.GET.get("kind", ""), request.GET.get("object", "")
    if kind not in APPS or not key or "\0" in key:
        return {}
    model = _model_of(kind)
    if not request.user.has_perm(f"{model._meta.app_label}.view_{kind}"):
        return {}
    found = Customer.objects.prefetch_related("tag_links__tag").filter(pk=key).first() if kind == "customer" else None
    if found is not None:
        return {"customer": found}
    try:
        row = model._default_manager.filter(pk=key).first()
    except ValueError:  # such as a user's id that is no number
        return {}
    return {"subject": row, "title": _("What was changed of %s") % row} if row is not None else {}


def _who(entry: AuditEntry) -> Any:
    name = actor_of(entry)
    shown = format_html('<a href="?actor={}">{}</a>', entry.actor_id, name) if entry.actor_id else name
    if not entry.actor_name and entry.channel == Channel.SYSTEM:
        return shown
    return format_html("{} {}", shown, badge(entry.get_channel_display(), "auto" if entry.actor_id else "plain"))


def _object(entry: AuditEntry) -> Any:
    name = entry.object_name or entry.object_id
    if entry.kind in APPS and entry.object_id:
        link = page_of(_model_of(entry.kind)(pk=entry.object_id))
        shown = format_html('<a class="name" href="{}"><bdi>{}</bdi></a>', link, name)
    else:
        shown = format_html('<bdi class="name">{}</bdi>', name)
    about = list_of("parlant_site_auditentry", kind=entry.kind, object=entry.object_id)
    kind = NAMES.get(entry.kind, entry.kind)
    return format_html('{}<a class="key" href="{}">{} {}</a>', shown, about, kind, entry.object_id)
