"""Users and their roles: Django's forms, with roles to tick instead of single permissions for each user."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.contrib.staticfiles import finders
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from parlant_site.admin.user_forms import (
    NewOperatorForm,
    OperatorForm,
    OperatorPasswordForm,
    Permissions,
    RoleForm,
    Ticks,
    permissions_asked_for,
)
from parlant_site.common.console.keyset import Order
from parlant_site.common.console.listing import Column, Filter
from parlant_site.common.console.markup import NOTHING, ago, badge, chips, list_of, named, number, page_of
from parlant_site.common.console.pages import ConsoleAdmin

admin.site.unregister(User)
admin.site.unregister(Group)


class StateFilter(Filter):
    """Users by what they may do at all."""

    name, label = "state", _("State")

    def choices(self) -> Sequence[tuple[str, Any]]:
        """Answer the states."""
        return (("operator", _("May sign in here")), ("all", _("May do everything")), ("off", _("Switched off")))

    def apply(self, rows: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Answer those in the state."""
        if value == "off":
            return rows.filter(is_active=False)
        known = {"operator": {"is_staff": True}, "all": {"is_superuser": True}}
        return rows.filter(is_active=True, **known[value]) if value in known else rows


class RoleFilter(Filter):
    """Users by role."""

    name, label = "role", _("Role")

    def choices(self) -> Sequence[tuple[str, Any]]:
        """Answer the roles by name."""
        return [(str(key), name) for key, name in Group.objects.order_by("name").values_list("pk", "name")]

    def apply(self, rows: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Answer who has it."""
        return rows.filter(groups=int(value)) if value.isascii() and value.isdecimal() and len(value) < 10 else rows


class LoggedAdmin(ConsoleAdmin):
    """Of users and roles, Django's own log knows who changed what; the audit is of what they do."""

    object_history_template = "admin/console/history.html"

    def audit_link(self, request: HttpRequest, row: Any) -> str:
        """Answer the address of Django's log of the row."""
        return reverse(f"admin:auth_{self.opts.model_name}_history", args=[row.pk])

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        """Show Django's log of the row."""
        more = {"list_title": self.list_title, **(extra_context or {})}
        return admin.ModelAdmin.history_view(self, request, object_id, more)


PASSWORD_SCRIPT = "admin/js/unusable_password_field.js"


@admin.register(User)
class OperatorAdmin(LoggedAdmin, UserAdmin):
    """Those who sign in, and whose tokens applications bear."""

    orders: Sequence[Order] = (
        Order("name", _("User"), "username", descending=False),
        Order("-name", _("User"), "username"),
        Order("seen", _("Last signed in"), "last_login", nullable=True),
        Order("-seen", _("Last signed in"), "last_login", descending=False, nullable=True),
    )
    filters = (RoleFilter, StateFilter)
    list_title = _("Users")
    search_hint = _("Search by name or email")
    deleting = _("The tokens go too. What the user did stays in the audit.")
    add_form_template = "admin/auth/user/add_form.html"
    change_user_password_template = "admin/console/user_password.html"
    form, add_form, change_password_form = OperatorForm, NewOperatorForm, OperatorPasswordForm
    readonly_fields = ("last_login", "date_joined")
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        (_("Person"), {"fields": ("first_name", "last_name", "email")}),
        (_("Access"), {"fields": ("is_active", "is_staff", "is_superuser", "groups")}),
        (_("Dates"), {"fields": ("last_login", "date_joined")}),
    )

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Answer the form in parts; of a password it says nothing to those who may only look."""
        parts = super().get_fieldsets(request, obj)
        if obj is None or self.has_change_permission(request, obj):
            return parts
        return [(title, {"fields": [name for name in part["fields"] if name != "password"]}) for title, part in parts]

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> Any:
        """Show the form; Django's script for it is there before 6.1 alone, where a style sheet does the same."""
        script = finders.find(PASSWORD_SCRIPT) and PASSWORD_SCRIPT
        return super().add_view(request, form_url, {**(extra_context or {}), "password_script": script})

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        """Answer the users with their roles."""
        return User.objects.prefetch_related("groups")

    def search(self, rows: QuerySet[Any], words: str) -> QuerySet[Any]:
        """Answer those with every word in a name or the email."""
        for word in words.split():
            rows = rows.filter(
                Q(username__icontains=word)
                | Q(first_name__icontains=word)
                | Q(last_name__icontains=word)
                | Q(email__icontains=word)
            )
        return rows

    def columns(self, request: HttpRequest) -> Sequence[Column]:
        """Answer the columns of the list."""
        return (
            Column("name", _("User"), lambda user: named(user, user.get_full_name(), page_of(user)), order="name"),
            Column("email", _("Email"), lambda user: user.email or NOTHING),
            Column("roles", _("Roles"), _roles_of),
            Column("state", _("State"), _state_of),
            Column("seen", _("Last signed in"), lambda user: ago(user.last_login), order="seen"),
        )

    def formfield_for_dbfield(self, db_field: Any, request: Any, **options: Any) -> Any:
        """Answer the field; roles are made on their own page."""
        field = super().formfield_for_dbfield(db_field, request, **options)
        if field is not None and db_field.name == "groups":
            field.widget.can_add_related = False
        return field

    def formfield_for_manytomany(self, db_field: Any, request: Any = None, **options: Any) -> Any:
        """Answer boxes for the roles."""
        return super().formfield_for_manytomany(db_field, request, widget=Ticks(), **options)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Let nobody but a superuser hand out what only superusers have."""
        fields = super().get_readonly_fields(request, obj)
        return fields if request.user.is_superuser else (*fields, "is_superuser", "groups")

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Let nobody but a superuser change one: whoever sets a password is that user."""
        allowed = super().has_change_permission(request, obj)
        return allowed and (obj is None or not obj.is_superuser or request.user.is_superuser)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Let nobody but a superuser delete one."""
        allowed = super().has_delete_permission(request, obj)
        return allowed and (obj is None or not obj.is_superuser or request.user.is_superuser)


@admin.register(Group)
class RoleAdmin(LoggedAdmin, GroupAdmin):
    """Roles: what their people may do."""

    orders: Sequence[Order] = (
        Order("name", _("Role"), "name", descending=False),
        Order("-name", _("Role"), "name"),
    )
    list_title = _("Roles")
    add_text = new_title = _("New role")
    deleting = _("Its users lose what it alone allowed.")
    form = RoleForm
    filter_horizontal = ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Group]:
        """Answer the roles with how many have them, and what they allow."""
        return Group.objects.annotate(people=Count("user", distinct=True), allowed=Count("permissions", distinct=True))

    def columns(self, request: HttpRequest) -> Sequence[Column]:
        """Answer the columns of the list."""
        return (
            Column("name", _("Role"), lambda role: named(role.name, "", page_of(role)), order="name"),
            Column("people", _("Users"), _people_of),
            Column("allowed", _("Permissions"), lambda role: number(role.allowed)),
        )

    def formfield_for_manytomany(self, db_field: Any, request: Any = None, **options: Any) -> Any:
        """Answer boxes for the permissions that the product asks for."""
        return super().formfield_for_manytomany(
            db_field, request, queryset=permissions_asked_for(), widget=Ticks(), form_class=Permissions, **options
        )


def _roles_of(user: User) -> Any:
    return chips((f"role {role.pk}", role.name, f"?role={role.pk}") for role in user.groups.all())


def _state_of(user: User) -> Any:
    if not user.is_active:
        return badge(_("Off"), "off")
    if user.is_superuser:
        return badge(_("May do everything"), "waiting")
    return badge(_("May sign in"), "manual") if user.is_staff else badge(_("Only over REST"), "plain")


def _people_of(role: Any) -> Any:
    return (
        format_html('<a href="{}">{}</a>', list_of("auth_user", role=role.pk), role.people) if role.people else NOTHING
    )
