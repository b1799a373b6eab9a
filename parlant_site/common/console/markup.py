"""Small pieces of markup that lists and pages share. Everything is escaped; colours are classes, never styles."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import quote
from django.contrib.auth.models import User
from django.db.models import Model
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.http import urlencode
from django.utils.safestring import SafeString, mark_safe
from django.utils.timesince import timesince
from django.utils.translation import gettext as _

from parlant_site.common.acting import Channel
from parlant_site.common.audit import AuditEntry

NOTHING = mark_safe('<span class="nothing" aria-hidden="true">–</span>')
HUES = 8


def page_of(row: Model) -> str:
    """Answer the address of the page on which a row opens, whatever characters its id has."""
    meta = row._meta
    opens_on = getattr(admin.site.get_model_admin(type(row)), "opens_on", "change")
    return reverse(f"admin:{meta.app_label}_{meta.model_name}_{opens_on}", args=[quote(row.pk)])


def list_of(model: str, **query: str | int) -> str:
    """Answer the address of a model's list (such as customers_customer), narrowed by a query."""
    narrowed = f"?{urlencode(query)}" if query else ""
    return reverse(f"admin:{model}_changelist") + narrowed


def audit_of(user: Any, kind: str, key: object) -> str:
    """Answer the address of what was changed of an object; "" for those who may not see the audit."""
    if not user.has_perm("parlant_site.view_auditentry"):
        return ""
    return list_of("parlant_site_auditentry", kind=kind, object=str(key))


def name_of_user(key: str) -> str:
    """Answer the name of the user with an id in an address; the id itself when there is none."""
    if not (key.isascii() and key.isdecimal() and len(key) < 10):
        return key
    return User.objects.filter(pk=int(key)).values_list("username", flat=True).first() or key


def hue_of(key: str) -> int:
    """Answer which of the eight chip colours a thing has: always the same for the same id."""
    return zlib.crc32(key.encode()) % HUES


def chip(label: object, *, key: str = "", link: str = "") -> SafeString:
    """Answer a chip, coloured by its key; a link when there is one."""
    name = f"chip hue-{hue_of(key)}" if key else "chip"
    if link:
        return format_html('<a class="{}" href="{}" dir="auto">{}</a>', name, link, label)
    return format_html('<span class="{}" dir="auto">{}</span>', name, label)


def chips(pairs: Iterable[tuple[str, str, str]]) -> SafeString:
    """Answer chips of (id, label, link), or a dash."""
    made = [(chip(label, key=key, link=link),) for key, label, link in pairs]
    return format_html('<span class="chips">{}</span>', format_html_join("", "{}", made)) if made else NOTHING


def badge(label: object, kind: str) -> SafeString:
    """Answer a badge of a kind: auto, manual, waiting, off."""
    return format_html('<span class="badge badge-{}">{}</span>', kind, label)


def ago(instant: datetime | None) -> SafeString:
    """Answer how long ago something was, with the exact time on hover and for machines."""
    if instant is None:
        return NOTHING
    local = timezone.localtime(instant)
    past = (
        _("just now") if (timezone.now() - instant).total_seconds() < 60 else _("%s ago") % timesince(instant, depth=1)
    )
    return format_html(
        '<time datetime="{}" title="{}">{}</time>', local.isoformat(), date_format(local, "DATETIME_FORMAT"), past
    )


def age(instant: datetime | None) -> SafeString:
    """Answer how long something lasts already."""
    if instant is None:
        return NOTHING
    local = timezone.localtime(instant)
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        local.isoformat(),
        date_format(local, "DATETIME_FORMAT"),
        timesince(instant, depth=1),
    )


def number(value: int) -> Any:
    """Answer a count; a dash for none."""
    return NOTHING if value == 0 else format_html("<span class=number>{}</span>", f"{value:,}")


def named(name: object, key: str, link: str) -> SafeString:
    """Answer a link with a name, and the id under it."""
    return format_html('<a class="name" href="{}"><bdi>{}</bdi></a><span class="key">{}</span>', link, name, key)


def actor_of(entry: AuditEntry) -> Any:
    """Answer the name of who acted."""
    if entry.actor_name:
        return entry.actor_name
    return _("The system") if entry.channel == Channel.SYSTEM else _("Nobody signed in")


def change_lines(changes: Iterable[Any]) -> SafeString:
    """Answer changes as lines: what, the struck old value, the new one."""
    lines = [
        (
            change.label,
            format_html("<del><bdi>{}</bdi></del> ", change.before) if change.before is not None else "",
            format_html("<ins><bdi>{}</bdi></ins>", change.after) if change.after is not None else "",
        )
        for change in changes
    ]
    return format_html('<ul class="changes">{}</ul>', format_html_join("", "<li><b>{}</b> {}{}</li>", lines))
