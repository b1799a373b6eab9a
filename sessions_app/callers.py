"""Who is behind a WebSocket, and what the REST API answers to the same caller.

A WebSocket has no rules of its own: it asks the REST views, in this process, with the caller's token and address. What
they refuse is refused here; what they throttle, validate and answer is the same.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from importlib import import_module
from io import BytesIO
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit

import orjson
from django.conf import settings
from django.contrib.auth import get_user
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest
from django.http.request import split_domain_port, validate_host
from django.urls import resolve

from parlant_site.common.acting import Channel, acting
from parlant_site.common.json import JSONValue
from parlant_site.common.lanes import Scope, on_lane
from parlant_site.common.permissions import is_closed

logger = logging.getLogger(__name__)

# What a browser may offer as subprotocols: the protocol's name, and its token behind a prefix.
SUBPROTOCOL = "parlant"
TOKEN_PREFIX = "bearer."


@dataclass(frozen=True)
class Answer:
    """What the REST API answered."""

    status: int
    body: JSONValue

    @property
    def is_fine(self) -> bool:
        """Whether it is no refusal."""
        return self.status < 400

    @property
    def detail(self) -> JSONValue:
        """Why it was refused."""
        return self.body.get("detail") if isinstance(self.body, dict) else None


class Caller:
    """The one who opened a WebSocket: with a token, with an operator's cookie, or anonymous."""

    __slots__ = ("_cookie", "_scope", "token")

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self.token = _token_of(scope)
        # Another site's page must not act with the cookie of an operator who happens to look at it.
        self._cookie = _session_cookie(scope) if _comes_from_here(scope) else ""

    def is_welcome(self) -> bool:
        """Answer whether the page that connects may talk with this host at all."""
        host = _header(self._scope, b"host")
        if not validate_host(split_domain_port(host)[0], settings.ALLOWED_HOSTS):
            return False
        origin = _header(self._scope, b"origin")
        allowed = settings.CORS_ALLOW_ALL_ORIGINS or origin in settings.CORS_ALLOWED_ORIGINS
        return not origin or bool(allowed) or _comes_from_here(self._scope)

    async def call(self, method: str, path: str, *, query: str = "", body: bytes = b"") -> Answer:
        """Answer what the REST API answers to this caller."""
        return await on_lane(self._call, method, path, query, body)

    def _call(self, method: str, path: str, query: str, body: bytes) -> Answer:
        request = self._request(method, path, query, body)
        view, arguments, named = resolve(path)
        try:
            with acting(channel=Channel.WEBSOCKET, request=request):
                response = view(request, *arguments, **named)
                response.render()
        except Exception:
            logger.exception("%s %s failed", method, path)
            return Answer(500, {"detail": "Internal Server Error"})
        return Answer(response.status_code, orjson.loads(response.content) if response.content else None)

    def _request(self, method: str, path: str, query: str, body: bytes) -> HttpRequest:
        headers = [
            (name, value)
            for name, value in self._scope["headers"]
            if name not in (b"authorization", b"cookie", b"content-length", b"content-type")
        ]
        if self.token:
            headers.append((b"authorization", f"Bearer {self.token}".encode("latin-1", "replace")))
        if body:
            headers += [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        request: Any = ASGIRequest(
            {
                "type": "http",
                "method": method,
                "path": path,
                "query_string": query.encode(),
                "headers": headers,
                "client": self._scope.get("client"),
                "server": self._scope.get("server"),
                "scheme": "https" if self._scope.get("scheme") == "wss" else "http",
            },
            BytesIO(body),
        )
        if not self.token and self._cookie and is_closed() and (user := _user_of(self._cookie)):
            request._force_auth_user = user  # REST framework's own way to hand in a user who is known already
        return cast(HttpRequest, request)


def chosen_subprotocol(offered: Sequence[str]) -> str | None:
    """Answer which of the offered subprotocols to speak: a browser hangs up when it offered some and none is chosen."""
    return SUBPROTOCOL if SUBPROTOCOL in offered else next(iter(offered), None)


def _token_of(scope: Scope) -> str:
    scheme, _, token = _header(scope, b"authorization").partition(" ")
    if scheme.lower() == "bearer" and token:
        return token.strip()
    for offered in scope.get("subprotocols", []):
        if offered.startswith(TOKEN_PREFIX):
            return str(offered.removeprefix(TOKEN_PREFIX))
    return parse_qs(scope.get("query_string", b"").decode("latin-1")).get("token", [""])[0]


def _header(scope: Scope, wanted: bytes) -> str:
    return next((value.decode("latin-1") for name, value in scope["headers"] if name == wanted), "")


def _comes_from_here(scope: Scope) -> bool:
    origin = _header(scope, b"origin")
    own = urlsplit(origin).netloc == _header(scope, b"host")
    return not origin or own or origin in settings.CSRF_TRUSTED_ORIGINS


def _session_cookie(scope: Scope) -> str:
    try:
        cookies = SimpleCookie(_header(scope, b"cookie"))
    except CookieError:
        return ""
    found = cookies.get(settings.SESSION_COOKIE_NAME)
    return found.value if found else ""


def _user_of(cookie: str) -> Any:
    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(cookie)
    user = get_user(request)
    return user if user.is_authenticated else None
