"""Users and their roles: Django's own pages, with roles to tick instead of single permissions for each user."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, Permission, User
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

admin.site.unregister(User)
admin.site.unregister(Group)


class Ticks(forms.CheckboxSelectMultiple):
    """Boxes to tick: a list of this length needs no two-sided chooser."""

    def __init__(self) -> None:
        super().__init__(attrs={"class": "tag-choice"})


@admin.register(User)
class OperatorAdmin(UserAdmin):
    """Those who sign in, and whose tokens applications bear."""

    list_display = ("username", "first_name", "last_name", "email", "is_staff", "last_login")
    list_filter = ("is_active", "is_superuser", "groups")
    filter_horizontal = ()
    actions = None
    readonly_fields = ("last_login", "date_joined")
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        (_("Person"), {"fields": ("first_name", "last_name", "email")}),
        (_("Access"), {"fields": ("is_active", "is_staff", "is_superuser", "groups")}),
        (_("Dates"), {"fields": ("last_login", "date_joined")}),
    )

    def formfield_for_manytomany(self, db_field: Any, request: Any = None, **options: Any) -> Any:
        """Answer boxes for the roles."""
        field = super().formfield_for_manytomany(db_field, request, widget=Ticks(), **options)
        if field is not None and db_field.name == "groups":
            field.label = _("Roles")
            field.help_text = _("A user may do what any of the roles may do.")
        return field

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
class RoleAdmin(GroupAdmin):
    """Roles: what their people may do."""

    filter_horizontal = ()
    actions = None

    def formfield_for_manytomany(self, db_field: Any, request: Any = None, **options: Any) -> Any:
        """Answer boxes for the permissions that the product asks for."""
        asked = Permission.objects.filter(
            content_type__app_label__in=["tags", "customers", "sessions_app", "parlant_site", "auth", "knox"]
        ).select_related("content_type")
        return super().formfield_for_manytomany(db_field, request, queryset=asked, widget=Ticks(), **options)
