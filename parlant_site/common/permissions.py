"""Who may call the API.

Two policies, as in Parlant. `development`: everybody may do all. `production`: callers without a token may do what a
view declares public, under rate limits; everything else needs a token, which carries the permissions of its user.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from django.conf import settings
from knox.auth import TokenAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

if TYPE_CHECKING:
    from rest_framework.views import APIView


Needed = str | tuple[str, ...]


class BearerAuthentication(TokenAuthentication):
    """`Authorization: Bearer <token>`, tokens made by `manage.py create_token` or in the admin."""

    def authenticate(self, request: Request) -> Any:
        """Answer (user, token), or None without the header; in the open policy a header is not looked at."""
        return super().authenticate(request) if is_closed() else None

    def authenticate_credentials(self, token: bytes) -> Any:
        """Answer (user, token); AuthenticationFailed for what is no token."""
        try:
            token.decode("ascii")
        except UnicodeDecodeError:
            raise AuthenticationFailed("Invalid token.") from None
        return super().authenticate_credentials(token)


def is_closed() -> bool:
    """Whether the production policy holds."""
    return bool(settings.PARLANT_POLICY == "production")


class Restricted:
    """A view that says for each action which permission it needs, and what anonymous callers may do.

    `needs` maps an action to a permission codename such as `customers.change_customer`, or to several, all of which it
    takes; an action that is not named is refused to everybody in production. `public` maps an action to the throttle
    scope for anonymous callers.
    """

    needs: ClassVar[Mapping[str, Needed]] = {}
    public: ClassVar[dict[str, str]] = {}

    def needed(self) -> Needed | None:
        """Answer the permission or permissions that this very request needs; None: nobody may make it."""
        return self.needs.get(getattr(self, "action", None) or "")

    def public_scope(self) -> str | None:
        """Answer the throttle scope under which anonymous callers may make this very request; None: they may not."""
        return self.public.get(getattr(self, "action", None) or "")


class MayCall(BasePermission):
    """The policy as REST framework asks it; 401 without a token, 403 when the token's user may not."""

    message = "You may not do this"

    def has_permission(self, request: Request, view: "APIView") -> bool:
        """Answer whether the request may be made."""
        if not is_closed():
            return True
        if not isinstance(view, Restricted):
            return False
        if getattr(view, "action", None) in (None, "metadata"):
            return True  # there is no such call: 405, whoever asks
        if view.public_scope() is not None:
            return True
        needed = view.needed()
        if not (needed and request.user and request.user.is_authenticated):
            return False
        return bool(request.user.has_perms([needed] if isinstance(needed, str) else needed))
