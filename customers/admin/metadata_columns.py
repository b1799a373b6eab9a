"""Which metadata keys an operator sees as columns of the list; remembered with her sign-in."""

from __future__ import annotations

from collections import Counter

from django.core.cache import cache
from django.http import HttpRequest, HttpResponseRedirect

from customers.models import Customer

SESSION_KEY = "customer-columns"
CACHE_KEY = "customers.metadata-keys"
SAMPLED = 500
OFFERED = 40
USUAL = 3
MOST = 8


def common_keys() -> list[str]:
    """Answer the keys that the newest customers bear, the commonest first; looked up once a minute."""
    keys: list[str] | None = cache.get(CACHE_KEY)
    if keys is None:
        counter: Counter[str] = Counter()
        for metadata in Customer.objects.order_by("-creation_utc", "-id").values_list("metadata", flat=True)[:SAMPLED]:
            counter.update(metadata.keys())
        keys = [key for key, _ in counter.most_common(OFFERED)]
        cache.set(CACHE_KEY, keys, 60)
    return keys


def offered_keys(request: HttpRequest) -> list[str]:
    """Answer the keys to choose from: the chosen ones, then the common ones."""
    return list(dict.fromkeys([*chosen_keys(request), *common_keys()]))


def chosen_keys(request: HttpRequest) -> list[str]:
    """Answer the chosen keys; the commonest ones until something was chosen."""
    chosen = request.session.get(SESSION_KEY)
    return chosen if isinstance(chosen, list) else common_keys()[:USUAL]


def remember(request: HttpRequest) -> HttpResponseRedirect:
    """Keep the keys that were chosen and go back to the list."""
    query = request.GET.copy()
    query.pop("columns", None)
    keys = [key for key in query.pop("key", []) if "\0" not in key]
    request.session[SESSION_KEY] = list(dict.fromkeys(keys))[:MOST]
    return HttpResponseRedirect(f"{request.path}?{query.urlencode()}")
