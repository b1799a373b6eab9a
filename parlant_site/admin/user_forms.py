"""Forms of users and roles: Django's, in the console's words."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any, ClassVar

from django import forms
from django.contrib.auth.forms import (
    AdminPasswordChangeForm,
    AdminUserCreationForm,
    ReadOnlyPasswordHashWidget,
    UserChangeForm,
)
from django.contrib.auth.hashers import is_password_usable
from django.contrib.auth.models import Group, Permission
from django.db.models import QuerySet
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

APPS = ("customers", "tags", "sessions_app", "parlant_site", "auth", "knox")
ACTS = ("view", "add", "change", "delete")
KINDS = {"session": _("Conversation"), "group": _("Role"), "auth token": _("API token")}
# Parts of something else: what may be done with them is asked of that.
PARTS = ("permission", "customertag", "agenttag", "cannedresponsetag", "sessionlabel", "sessionparticipant")


def permissions_asked_for() -> QuerySet[Permission]:
    """Answer the permissions that the product asks for, by kind of things."""
    asked = Permission.objects.filter(content_type__app_label__in=APPS).exclude(content_type__model__in=PARTS)
    return asked.select_related("content_type")


class Ticks(forms.CheckboxSelectMultiple):
    """Boxes to tick: a list of this length needs no two-sided chooser."""

    def __init__(self) -> None:
        super().__init__(attrs={"class": "tag-choice"})


class ByKind(forms.models.ModelChoiceIterator):
    """Permissions in groups, one for each kind of things."""

    def __iter__(self) -> Iterator[Any]:
        asked = sorted(self.queryset, key=_place)
        for kind, permissions in groupby(asked, lambda permission: permission.content_type.name):
            yield KINDS.get(kind, capfirst(kind)), [self.choice(permission) for permission in permissions]


def _place(permission: Permission) -> tuple[Any, ...]:
    """Answer where a permission stands: customers first, users last, and to look before to change."""
    kind = permission.content_type
    acts = [f"{act}_{kind.model}" for act in ACTS]
    place = acts.index(permission.codename) if permission.codename in acts else len(acts)
    return APPS.index(kind.app_label), kind.model, place, permission.pk


class Permissions(forms.ModelMultipleChoiceField):
    """Permissions to choose, said as "Merge customers" under "Customer"."""

    iterator = ByKind

    def label_from_instance(self, obj: Any) -> str:
        """Answer what is allowed; the kind of things stands before it."""
        said = str(obj.name).removeprefix("Can ").removesuffix(f" {obj.content_type.name}")
        return str(capfirst(said))


class PasswordKept(ReadOnlyPasswordHashWidget):
    """Whether there is a password, and the way to another one; how it is kept is nobody's business here.

    The markup is our own, because the templates of Django's versions take different contexts.
    """

    def render(self, name: str, value: Any, attrs: Any = None, renderer: Any = None) -> SafeString:
        """Answer what the page shows."""
        if value and is_password_usable(value):
            said, act = _("Set, and kept so that nobody can read it"), _("Reset password")
        else:
            said, act = _("None: signs in with tokens alone"), _("Set password")
        return format_html('<p>{}</p><p><a class="button" href="../password/">{}</a></p>', said, act)


WITH_PASSWORD = {"true": _("With a password"), "false": _("Not at all: for API tokens alone")}


class NewOperatorForm(AdminUserCreationForm):
    """Create a user."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _say_how_to_sign_in(self)


class OperatorPasswordForm(AdminPasswordChangeForm):
    """Give a user another password, or none."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.order_fields(["usable_password"])
        _say_how_to_sign_in(self)


class OperatorForm(UserChangeForm):
    """Change a user."""

    class Meta(UserChangeForm.Meta):
        labels: ClassVar[dict[str, Any]] = {
            "is_active": _("Active"),
            "is_staff": _("May sign in here"),
            "is_superuser": _("May do everything"),
            "groups": _("Roles"),
            "last_login": _("Last signed in"),
            "date_joined": _("Created"),
        }
        help_texts: ClassVar[dict[str, Any]] = {
            "is_active": _("Off: neither a password nor a token is taken. Better than to delete the user."),
            "is_staff": _("Off: may use the API alone, with tokens."),
            "is_superuser": _("Whatever the roles say, users and roles included."),
            "groups": _("A user may do what any of the roles may do."),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if password := self.fields.get("password"):
            password.widget, password.help_text = PasswordKept(), ""


def _say_how_to_sign_in(form: forms.BaseForm) -> None:
    """Ask in the console's words what Django asks of a user's password."""
    if how := form.fields.get("usable_password"):
        how.label, how.help_text = _("Signs in"), ""
        how.choices = list(WITH_PASSWORD.items())  # type: ignore[attr-defined]
    form.fields["password2"].label = _("The same again")
    form.fields["password2"].help_text = ""


class RoleForm(forms.ModelForm):
    """Create or change a role; permissions that are not offered stay as they are."""

    class Meta:
        model = Group
        fields: ClassVar[list[str]] = ["name", "permissions"]

    def clean_permissions(self) -> QuerySet[Permission]:
        """Answer what was ticked, and what the role allows beside it."""
        ticked: QuerySet[Permission] = self.cleaned_data["permissions"]
        if self.instance.pk is None:
            return ticked
        beside = self.instance.permissions.exclude(pk__in=permissions_asked_for())
        return Permission.objects.filter(pk__in=[permission.pk for permission in (*ticked, *beside)])
