"""A customer's timeline: everything about her in one stream, newest first. Other apps add their sources."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.utils.dateparse import parse_datetime
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from customers.models import Customer
from parlant_site.common.audit import AuditEntry
from parlant_site.common.console.changes import changes_of, tag_ids_in
from parlant_site.common.console.markup import actor_of, badge, change_lines
from tags.models import Tag

SHOWN = 50


@dataclass(frozen=True)
class Moment:
    """Something that happened: its shape (message, conversation, change), who and what, and more of it."""

    at: datetime
    shape: str
    head: SafeString | str
    body: SafeString | str = ""


Source = Callable[[HttpRequest, Customer, datetime | None, int], Sequence[Moment]]
_sources: list[Source] = []


def add_source(source: Source) -> Source:
    """Let a function add to the timeline: it answers so many moments before an instant, the newest first."""
    _sources.append(source)
    return source


def timeline(request: HttpRequest, customer: Customer) -> dict[str, Any]:
    """Answer the newest moments, or those before the instant that the address names, and where to go on."""
    before = _instant(request.GET.get("before", ""))
    found = [moment for source in _sources for moment in source(request, customer, before, SHOWN + 1)]
    found.sort(key=lambda moment: moment.at, reverse=True)
    shown = found[:SHOWN]
    # What happened at the same instant stays together: the next page begins strictly before it.
    shown += [moment for moment in found[SHOWN:] if moment.at == shown[-1].at]
    more = len(found) > len(shown)
    return {"moments": shown, "before": shown[-1].at.isoformat() if more else "", "is_first": before is None}


def _instant(text: str) -> datetime | None:
    try:
        instant = parse_datetime(text)
    except (ValueError, OverflowError):
        return None
    return instant if instant and instant.tzinfo else None


@add_source
def changes(request: HttpRequest, customer: Customer, before: datetime | None, limit: int) -> list[Moment]:
    """Answer what was changed about her, to those who may see the audit."""
    if not request.user.has_perm("parlant_site.view_auditentry"):
        return []
    entries = list(AuditEntry.objects.about("customer", customer.pk).between(end=before).order_by("-id")[:limit])
    names = dict(Tag.objects.filter(pk__in=tag_ids_in(entries)).values_list("pk", "name"))
    return [
        Moment(
            entry.at,
            "change",
            format_html(
                "<b>{}</b> {} {}",
                entry.get_act_display(),
                actor_of(entry),
                badge(entry.get_channel_display(), "plain"),
            ),
            str(_("Erased")) if entry.redacted else change_lines(changes_of(entry, names)),
        )
        for entry in entries
    ]
