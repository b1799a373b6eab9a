"""Answers that belong to the site as a whole."""

from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import Resolver404, resolve
from django.utils.http import escape_leading_slashes
from django.views import defaults
from django.views.decorators.csrf import csrf_exempt


class TemporaryRedirect(HttpResponseRedirect):
    """A redirect that keeps method and body."""

    status_code = 307


def health(request: HttpRequest) -> JsonResponse:
    """Say whether the site can do its work: {"status": "healthy" | "degraded", "database": "ok" | "unreachable"}."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return JsonResponse({"status": "degraded", "database": "unreachable"})
    return JsonResponse({"status": "healthy", "database": "ok"})


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
    target = escape_leading_slashes(request.path.rstrip("/"))
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


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer 500 without inner text; the log has it."""
    if request.path.startswith("/admin/"):
        return defaults.server_error(request)
    return JsonResponse({"detail": "Internal Server Error"}, status=500)
