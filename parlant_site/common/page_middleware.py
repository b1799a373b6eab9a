"""Middleware that pages need and the API does not: callers of the API have tokens, and are answered in English.

Each middleware costs every request time. The check of CSRF tokens is not among these: views of the API say themselves
that they do not look at cookies, and whatever does not say so is checked.
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest
from django.middleware.locale import LocaleMiddleware

PAGES = "/admin/"


class ForPages:
    """Passes by what is no page."""

    get_response: Any

    def __call__(self, request: HttpRequest) -> Any:
        """Answer a page by way of the middleware, everything else without."""
        if request.path_info.startswith(PAGES):
            return super().__call__(request)  # type: ignore[misc]  # a middleware stands behind this class
        return self.get_response(request)


class Sessions(ForPages, SessionMiddleware):
    """Django's sessions, for pages."""


class Locale(ForPages, LocaleMiddleware):
    """The reader's language, for pages."""


class Authentication(ForPages, AuthenticationMiddleware):
    """The signed-in operator, for pages."""


class Messages(ForPages, MessageMiddleware):
    """Notes at the head of the next page."""
