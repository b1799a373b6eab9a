"""Who acts, and through which channel: what the audit writes beside every change."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from django.db import models
from django.http import HttpRequest, HttpResponseBase

GetResponse = Callable[[HttpRequest], HttpResponseBase]


class Channel(models.TextChoices):
    """Through what a change came."""

    ADMIN = "admin", "Admin"
    REST = "rest", "REST"
    WEBSOCKET = "websocket", "WebSocket"
    SDK = "sdk", "SDK"
    COMMAND = "command", "Command"
    SYSTEM = "system", "System"


@dataclass(frozen=True)
class Acting:
    """Somebody who acts: a user, or a name alone (of the system's own work, or of who typed a command)."""

    channel: Channel
    known_user: Any = None
    known_name: str = ""
    job_id: str | None = None
    request: HttpRequest | None = None

    @property
    def user(self) -> Any:
        """The authenticated user, or None.

        Asked of the request as late as possible: REST framework authenticates tokens inside the view, and then sets the
        user of the request that the middleware saw.
        """
        user = self.known_user or getattr(self.request, "user", None)
        return user if user is not None and user.is_authenticated else None

    @property
    def name(self) -> str:
        """The name that stays readable when the user is gone; "" for a caller who gave none."""
        return self.user.get_username() if self.user else self.known_name


_SYSTEM = Acting(Channel.SYSTEM)
_current: ContextVar[Acting] = ContextVar("acting", default=_SYSTEM)


def current() -> Acting:
    """Answer who acts here and now; the system itself when nobody said."""
    return _current.get()


@contextmanager
def acting(
    *, channel: Channel, user: Any = None, name: str = "", job_id: str | None = None, request: Any = None
) -> Iterator[Acting]:
    """Let changes inside the block be recorded as those of a user (a name, a request's user) through a channel."""
    who = Acting(channel, known_user=user, known_name=name, job_id=job_id, request=request)
    token = _current.set(who)
    try:
        yield who
    finally:
        _current.reset(token)


class NoteWhoActs:
    """The middleware: what a request changes came through the admin or through REST, by the request's user."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer inside the context of the request."""
        token = _current.set(self._of(request))
        try:
            return self.get_response(request)
        finally:
            _current.reset(token)

    @staticmethod
    def _of(request: HttpRequest) -> Acting:
        return Acting(Channel.ADMIN if request.path.startswith("/admin/") else Channel.REST, request=request)
