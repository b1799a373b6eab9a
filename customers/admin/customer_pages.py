"""Pages about one customer beside her form: looked up, and for those who hold a permission."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.urls import URLPattern, path, reverse

from customers.merging.models import CustomerAlias
from customers.models import Customer
from parlant_site.common.console.pages import ConsoleAdmin

Handler = Callable[[HttpRequest, Customer, dict[str, Any]], HttpResponseBase]


def customer_page(admin: ConsoleAdmin, name: str, handler: Handler, *, permission: str) -> URLPattern:
    """Answer the path `<id>/<name>/`; the handler is given the request, the customer and what every page shows."""

    def view(request: HttpRequest, object_id: str) -> HttpResponseBase:
        if not admin.has_view_permission(request) or not request.user.has_perm(permission):
            raise PermissionDenied
        customer = admin.get_object(request, unquote(object_id))
        if customer is None:
            missing: HttpResponse = admin.missing(request, object_id)
            return missing
        context = {**admin.admin_site.each_context(request), "opts": admin.opts, "customer": customer}
        return handler(request, customer, context)

    return path(f"<path:object_id>/{name}/", admin.admin_site.admin_view(view), name=f"customers_customer_{name}")


def profile_of(customer_id: str) -> str:
    """Answer the address of the page with the form and, beside it, the merges."""
    return reverse("admin:customers_customer_change", args=[quote(customer_id)])


def to_survivor(object_id: str) -> HttpResponseRedirect | None:
    """Answer the way to the customer into whom the bearer of an id was merged; None when she was not."""
    alias = None if "\0" in object_id else CustomerAlias.objects.filter(pk=unquote(object_id)).first()
    if alias is None:
        return None
    return HttpResponseRedirect(profile_of(alias.customer_id))
