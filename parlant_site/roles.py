"""Roles: Django groups with the permissions that their people need; the same hold in the admin, REST and manage.py.

A migration makes the groups. Their permissions are granted at the end of the `migrate` in which group or permission
appeared, because Django makes permissions only then, and never again: what an administrator changes later stays.
"""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig

EVERYTHING = "*"
_VIEW = [
    "tags.view_tag",
    "customers.view_customer",
    "customers.view_segment",
    "sessions_app.view_agent",
    "sessions_app.view_session",
    "sessions_app.view_event",
    "sessions_app.view_followup",
    "sessions_app.view_cannedresponse",
]
_OPERATE = [
    *_VIEW,
    "customers.view_pii",
    "sessions_app.reply",
    "sessions_app.take_over",
    "sessions_app.add_followup",
    "sessions_app.delete_followup",
]
_WATCH_DATA = ["customers.view_datajob", "parlant_site.view_auditentry", "customers.view_pii"]

ROLES: dict[str, list[str]] = {
    "Viewer": _VIEW,
    "Operator": _OPERATE,
    "Lead": [
        *_OPERATE,
        "sessions_app.assign",
        "sessions_app.reply_as_agent",
        "sessions_app.change_session",
        *(f"sessions_app.{verb}_cannedresponse" for verb in ("add", "change", "delete")),
        "parlant_site.view_auditentry",
    ],
    "Segment editor": [*_VIEW, *(f"customers.{verb}_segment" for verb in ("add", "change", "delete"))],
    "Data steward": [
        *_VIEW,
        *_WATCH_DATA,
        *(f"customers.{verb}_customer" for verb in ("add", "change", "delete")),
        *(f"tags.{verb}_tag" for verb in ("add", "change", "delete")),
        "customers.import_customers",
        "customers.bulk_change",
        "customers.merge",
    ],
    "Privacy officer": [
        *_VIEW,
        *_WATCH_DATA,
        "customers.export",
        "customers.erase",
        "customers.view_erasure",
        "customers.view_metadatakey",
        "customers.change_metadatakey",
    ],
    "Admin": [EVERYTHING],
}


class RoleGrants:
    """Grants what is new when `migrate` ends; `flush` brings back the groups as they were made."""

    def __init__(self) -> None:
        self.groups_before: set[str] | None = None
        self.permissions_before: set[int] = set()

    def look(self, sender: AppConfig, using: str, **_: Any) -> None:
        """Remember, before `migrate`, which groups and permissions there are."""
        from django.contrib.auth.models import Group, Permission

        self.groups_before, self.permissions_before = set(), set()
        if {"auth_group", "auth_permission", "django_content_type"} <= _tables(using):
            self.groups_before = set(Group.objects.using(using).values_list("name", flat=True))
            self.permissions_before = set(Permission.objects.using(using).values_list("pk", flat=True))

    def grant(self, sender: AppConfig, using: str, **_: Any) -> None:
        """Grant the roles what appeared since."""
        from django.contrib.auth.models import Group, Permission

        if not {"auth_group", "auth_permission", "django_content_type"} <= _tables(using):
            return
        if self.groups_before is None:  # a flush: nothing was remembered, and everything is new
            self.groups_before, self.permissions_before = set(), set()
            for name in ROLES:
                Group.objects.using(using).get_or_create(name=name)
        permissions = {
            f"{permission.content_type.app_label}.{permission.codename}": permission
            for permission in Permission.objects.using(using).select_related("content_type")
        }
        for group in Group.objects.using(using).filter(name__in=ROLES):
            wanted = permissions if EVERYTHING in ROLES[group.name] else ROLES[group.name]
            new_group = group.name not in self.groups_before
            group.permissions.add(
                *(
                    permissions[codename]
                    for codename in wanted
                    if codename in permissions
                    and (new_group or permissions[codename].pk not in self.permissions_before)
                )
            )
        self.groups_before = None


def _tables(using: str) -> set[str]:
    from django.db import connections

    return set(connections[using].introspection.table_names())
