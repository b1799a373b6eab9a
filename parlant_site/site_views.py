"""Answers that belong to the site as a whole."""

from collections.abc import Callable
from functools import cache, wraps

from django.contrib import admin
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.template.defaultfilters import filesizeformat
from django.template.response import TemplateResponse
from django.urls import Resolver404, resolve
from django.utils.encoding import escape_uri_path
from django.utils.http import escape_leading_slashes
from django.utils.translation import gettext as _
from django.views import defaults
from django.views.decorators.csrf import csrf_exempt
from drf_spectacular.generators import SchemaGenerator

from parlant_site.common.bodies import largest_body
from parlant_site.common.rendering import dumps


class TemporaryRedirect(HttpResponseRedirect):
    """A redirect that keeps method and body."""

    status_code = 307


def get_alone(view: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """Answer the view for GET, and 405 in the contract's shape for every other method."""

    @csrf_exempt
    @wraps(view)
    def answer(request: HttpRequest) -> HttpResponse:
        if request.method == "GET":
            return view(request)
        detail = f'Method "{request.method}" not allowed.'
        return JsonResponse({"detail": detail}, status=405, headers={"Allow": "GET"})

    return answer


@get_alone
def health(request: HttpRequest) -> JsonResponse:
    """Say whether the site can do its work: {"status": "healthy" | "degraded", "database": "ok" | "unreachable"}."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return JsonResponse({"status": "degraded", "database": "unreachable"})
    return JsonResponse({"status": "healthy", "database": "ok"})


@get_alone
def openapi(request: HttpRequest) -> HttpResponse:
    """Answer the OpenAPI document."""
    return HttpResponse(_document(), content_type="application/json")


@cache
def _document() -> bytes:
    return dumps(SchemaGenerator().get_schema(request=None, public=True))


@csrf_exempt
def without_slash(request: HttpRequest, path: str) -> HttpResponse:
    """Send to the path without its trailing slash, if there is one."""
    try:
        found = resolve(f"/{path.rstrip('/')}")
    except Resolver404:
        return not_found(request)
    if found.func is not_found:
        return not_found(request)
    query = request.META.get("QUERY_STRING", "")
    target = escape_leading_slashes(escape_uri_path(request.path.rstrip("/")))
    return TemporaryRedirect(target + (f"?{query}" if query else ""))


@csrf_exempt
def not_found(request: HttpRequest) -> HttpResponse:
    """Answer 404 in the contract's shape."""
    return JsonResponse({"detail": "Not Found"}, status=404)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 400 without inner text: a host name that is not served, a malformed request."""
    if request.path.startswith("/admin/"):
        return defaults.bad_request(request, exception)
    return JsonResponse({"detail": "Bad Request"}, status=400)


def stale_form(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer 403 to a form of the admin that was sent without a valid token, and say what to do."""
    context = {**admin.site.each_context(request), "title": _("This page is out of date"), "status": "stale"}
    return TemplateResponse(request, "admin/console/trouble.html", context, status=403).render()


def too_large(request: HttpRequest) -> HttpResponse:
    """Answer 413 to a form of the admin that was sent with too large a file, and say what to do."""
    context = {
        **admin.site.each_context(request),
        "title": _("The file is too large"),
        "status": "large",
        "limit": filesizeformat(largest_body(request.path)),
    }
    return TemplateResponse(request, "admin/console/trouble.html", context, status=413).render()


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer 500 without inner text; the log has it."""
    if request.path.startswith("/admin/"):
        return defaults.server_error(request)
    return JsonResponse({"detail": "Internal Server Error"}, status=500)
