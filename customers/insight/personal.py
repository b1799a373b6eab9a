"""Keys that are marked as personal in the catalogue are masked like those of PARLANT_PII_KEYS."""

from __future__ import annotations

from collections.abc import Iterable

from customers.insight.remembering import kept
from parlant_site.common.personal import add_keys

SECONDS = 5.0


@add_keys
def marked_keys() -> Iterable[str]:
    """Answer the marked keys; asked at most every five seconds by each process."""
    return kept("personal keys", SECONDS, _marked)


def _marked() -> list[str]:
    from customers.models import MetadataKey

    return list(MetadataKey.objects.filter(personal=True).order_by().values_list("key", flat=True))
