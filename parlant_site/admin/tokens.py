"""API tokens in the console."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.contrib import admin
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from knox.models import AuthToken

from parlant_site.common.console.keyset import Order
from parlant_site.common.console.listing import Column
from parlant_site.common.console.markup import ago, badge
from parlant_site.common.console.pages import ConsoleAdmin
from parlant_site.tokens import issue_token, revoke_tokens

LONGEST_DAYS = 36_500
admin.site.unregister(AuthToken)


class TokenForm(forms.ModelForm):
    """Ask for whom a token is made and how long it holds."""

    class Meta:
        model = AuthToken
        fields: ClassVar[list[str]] = ["user"]

    user = forms.ModelChoiceField(
        User.objects.filter(is_active=True).order_by("username"),
        label=_("User"),
        empty_label=_("Choose a user"),
        help_text=_("The token may do what this user may do."),
    )
    days = forms.IntegerField(label=_("Valid for"), min_value=1, max_value=LONGEST_DAYS, help_text=_("Days from now."))

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        ttl: Any = settings.REST_KNOX["TOKEN_TTL"]
        self.fields["days"].initial = ttl.days

    def restrict_to(self, user: Any) -> None:
        """Let nobody but a superuser make tokens for others: a token may do whatever its user may."""
        if not user.is_superuser:
            self.fields["user"].queryset = User.objects.filter(pk=user.pk)  # type: ignore[attr-defined]


@admin.register(AuthToken)
class TokenAdmin(ConsoleAdmin):
    """API tokens: made here, shown once, revoked by deleting."""

    form = TokenForm
    orders: Sequence[Order] = (Order("created", _("Created"), "created"),)
    list_title = _("API tokens")
    deleting = _("An application that sends it is refused from then on.")
    deletes = _("Revoke")
    has_change_page = False
    add_text = _("Make a token")
    empty_text = _("No tokens yet. In production your application needs one: Authorization: Bearer …")

    def get_queryset(self, request: HttpRequest) -> QuerySet[AuthToken]:
        """Answer the tokens with their users."""
        return AuthToken.objects.select_related("user").order_by("-created")

    def columns(self, request: HttpRequest) -> Sequence[Column]:
        """Answer the columns of the list."""
        return (
            Column("token", _("Begins with"), lambda token: format_html("<code>{}…</code>", token.token_key)),
            Column("user", _("User"), lambda token: token.user.get_username()),
            Column("state", _("State"), _state_of),
            Column("created", _("Created"), lambda token: ago(token.created), order="created"),
            Column("expires", _("Expires"), _expiry_of),
            Column("revoke", _("Revoke"), self._revoke),
        )

    def _revoke(self, token: AuthToken) -> Any:
        link = reverse("admin:knox_authtoken_delete", args=[token.pk])
        return format_html('<a class="deletelink" href="{}">{}</a>', link, _("Revoke"))

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Make a token and show it, this once."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = TokenForm(request.POST or None)
        form.restrict_to(request.user)
        context = {
            **self.admin_site.each_context(request),
            "title": _("New API token"),
            "opts": self.opts,
            "form": form,
        }
        if request.method == "POST" and form.is_valid():
            ttl = timedelta(days=form.cleaned_data["days"])
            made, token = issue_token(form.cleaned_data["user"], lifetime=ttl)
            context |= {"token": token, "made": made}
        return TemplateResponse(request, "admin/knox/authtoken/new.html", context)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never: a token is made and revoked."""
        return False

    def delete_model(self, request: HttpRequest, obj: AuthToken) -> None:
        """Revoke it."""
        revoke_tokens(AuthToken.objects.filter(pk=obj.pk))

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[Any, Any, set[str], list[str]]:
        """Answer the beginnings of the tokens, by which people know them."""
        _shown, counts, denied, protected = super().get_deleted_objects(objs, request)
        return [f"{token.token_key}… ({token.user})" for token in objs], counts, denied, protected


def _expiry_of(token: AuthToken) -> Any:
    return date_format(timezone.localtime(token.expiry), "DATE_FORMAT") if token.expiry else _("Never")


def _state_of(token: AuthToken) -> Any:
    if token.expiry and token.expiry <= timezone.now():
        return badge(_("Expired"), "off")
    return badge(_("Valid"), "manual")
