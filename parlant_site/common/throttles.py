"""Rate limits for callers without a token."""

import ipaddress
from typing import TYPE_CHECKING

from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle

from parlant_site.common.permissions import Restricted, is_closed

if TYPE_CHECKING:
    from rest_framework.views import APIView


class AnonymousRateThrottle(SimpleRateThrottle):
    """So many requests per client and operation; the scope comes from the view, the rate from the settings.

    The client is the address of the connection, or, behind PARLANT_TRUSTED_PROXIES proxies, the entry that the first of
    them wrote into X-Forwarded-For: what a client puts there itself is never looked at. An IPv6 client is its /64.
    """

    def __init__(self) -> None:
        """Leave the rate to be chosen by scope in allow_request."""

    def allow_request(self, request: Request, view: "APIView") -> bool:
        """Answer whether the request is within the rate; 429 with Retry-After otherwise."""
        if not is_closed() or not isinstance(view, Restricted) or request.user.is_authenticated:
            return True
        scope = view.public_scope()
        if scope is None:
            return True
        self.scope = scope
        self.rate = self.THROTTLE_RATES[scope]
        self.num_requests, self.duration = self.parse_rate(self.rate)
        return super().allow_request(request, view)

    def get_cache_key(self, request: Request, view: "APIView") -> str:
        """Answer under which key the client's requests of this scope are counted."""
        return self.cache_format % {"scope": self.scope, "ident": client_of(self.get_ident(request))}


def client_of(address: str) -> str:
    """Answer who is behind an address: IPv6 hands out networks of 64 bits to single clients."""
    try:
        parsed = ipaddress.ip_address(address.strip())
    except ValueError:
        return "unknown"
    if parsed.version == 6:
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)
