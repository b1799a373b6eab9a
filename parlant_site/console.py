"""The operators' site: Django's admin with the console's menu and home page."""

from __future__ import annotations

from dataclasses import dataclass
from functools import wraps
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True)
class Item:
    """An entry of the menu: shown to those who hold the permission, where its page exists."""

    label: Any
    page: str
    permission: str
    icon: str
    counts: str = ""
    section: str = "work"


MENU = (
    Item(_("Home"), "admin:index", "", "home"),
    Item(_("Inbox"), "admin:inbox", "sessions_app.view_session", "inbox", counts="waiting"),
    Item(_("Customers"), "admin:customers_customer_changelist", "customers.view_customer", "people"),
    Item(_("Segments"), "admin:customers_segment_changelist", "customers.view_segment", "segments"),
    Item(
        _("Conversations"),
        "admin:sessions_app_session_changelist",
        "sessions_app.view_session",
        "talk",
        counts="waiting",
    ),
    Item(_("Tags"), "admin:tags_tag_changelist", "tags.view_tag", "tag"),
    Item(
        _("Canned responses"),
        "admin:sessions_app_cannedresponse_changelist",
        "sessions_app.view_cannedresponse",
        "quote",
    ),
    Item(_("Agents"), "admin:sessions_app_agent_changelist", "sessions_app.view_agent", "spark"),
    Item(_("Data jobs"), "admin:customers_datajob_changelist", "customers.view_datajob", "jobs"),
    Item(_("Audit"), "admin:parlant_site_auditentry_changelist", "parlant_site.view_auditentry", "clock"),
    Item(_("Users"), "admin:auth_user_changelist", "auth.view_user", "user", section="settings"),
    Item(_("Roles"), "admin:auth_group_changelist", "auth.view_group", "shield", section="settings"),
    Item(
        _("Metadata keys"),
        "admin:customers_metadatakey_changelist",
        "customers.view_metadatakey",
        "braces",
        section="settings",
    ),
    Item(_("API tokens"), "admin:knox_authtoken_changelist", "knox.view_authtoken", "key", section="settings"),
)


class OperatorsSite(admin.AdminSite):
    """The console."""

    site_title = site_header = "Parlant Site"
    index_title = _("Home")
    site_url = None
    empty_value_display = "–"
    enable_nav_sidebar = False
    index_template = "admin/console/home.html"

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        """Answer what every page shows: the menu with its counts."""
        return {**super().each_context(request), "menu": self.menu(request)}

    def menu(self, request: HttpRequest) -> list[dict[str, Any]]:
        """Answer the entries that this operator may open."""
        if not self.has_permission(request):
            return []
        entries: list[dict[str, Any]] = []
        waiting: int | None = None
        for item in MENU:
            if item.permission and not request.user.has_perm(item.permission):
                continue
            try:
                link = reverse(item.page)
            except NoReverseMatch:
                continue
            if item.counts and waiting is None:
                waiting = _waiting()
            # The most telling place for the number is the first one that shows it.
            count = waiting if item.counts and not any(entry["count"] for entry in entries) else 0
            here = request.path == link or (item.page != "admin:index" and request.path.startswith(link))
            entries.append({"item": item, "link": link, "count": count, "here": here})
        return entries

    def admin_view(self, view: Any, cacheable: bool = False) -> Any:
        """Answer the view for those who signed in; what is missing or not theirs is said inside the console."""

        @wraps(view)
        def answered(request: HttpRequest, *args: Any, **options: Any) -> Any:
            try:
                return view(request, *args, **options)
            except Http404:
                return self.trouble(request, 404)
            except PermissionDenied:
                return self.trouble(request, 403)

        return super().admin_view(answered, cacheable)

    def trouble(self, request: HttpRequest, status: int) -> TemplateResponse:
        """Say that there is no such page (404) or that it is not this operator's (403), with the ways on."""
        title = _("There is no such page") if status == 404 else _("You may not open this page")
        context = {**self.each_context(request), "title": title, "status": status}
        return TemplateResponse(request, "admin/console/trouble.html", context, status=status)

    def app_index(self, request: HttpRequest, app_label: str, extra_context: Any = None) -> Any:
        """Lead home: the menu is the list of what there is."""
        return HttpResponseRedirect(reverse("admin:index"))

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        """Answer nothing for the pages of the console, which has a menu of its own."""
        return super().get_app_list(request, app_label) if app_label else []

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        """Show what needs attention."""
        from parlant_site.home import home

        return super().index(request, {**home(request), **(extra_context or {})})


def _waiting() -> int:
    from sessions_app.models import Session

    return Session.objects.filter(waiting_since__isnull=False).order_by()[:1000].count()
