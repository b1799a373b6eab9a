"""Personal data: which metadata keys hold it, who may see their values, and the mask that everybody else sees.

Whoever shows metadata, or lets somebody look for it, asks here: `sight()` says what the one who acts may see. Names,
ids and the text of messages are not masked: whoever may see customers and conversations sees them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from parlant_site.common.acting import Acting, Channel, current
from parlant_site.common.permissions import is_closed

MASK = "•••"
SEES = "customers.view_pii"

_sources: list[Callable[[], Iterable[str]]] = []


def add_keys(source: Callable[[], Iterable[str]]) -> Callable[[], Iterable[str]]:
    """Let a function name further personal keys, beside those of PARLANT_PII_KEYS; asked whenever masks matter."""
    _sources.append(source)
    return source


def personal_keys() -> frozenset[str]:
    """Answer the metadata keys whose values are personal."""
    return frozenset([*settings.PARLANT_PII_KEYS, *(key for source in _sources for key in source())])


@dataclass(frozen=True)
class Sight:
    """What somebody may see of customers' metadata: all but the values of the hidden keys."""

    hidden: frozenset[str] = frozenset()

    def hides(self, key: str) -> bool:
        """Whether the values of a key are masked."""
        return key in self.hidden

    def value(self, key: str, value: Any) -> Any:
        """Answer a value as it is shown; what is absent stays so."""
        return MASK if key in self.hidden and value is not None else value

    def metadata(self, metadata: Mapping[str, Any]) -> dict[str, Any]:
        """Answer metadata as they are shown: every key, the hidden ones with a mask for a value."""
        return {key: self.value(key, value) for key, value in metadata.items()}

    def anywhere(self, value: Any) -> Any:
        """Answer JSON as it is shown, with the values of hidden keys masked at any depth."""
        if not self.hidden:
            return value
        if isinstance(value, Mapping):
            shown = {key: self.value(key, self.anywhere(part)) for key, part in value.items()}
            field = str(value.get("field", ""))  # of a leaf of a rule, which says something of a key
            if field.startswith("metadata.") and self.hides(field.removeprefix("metadata.")):
                shown["value"] = self.value(field.removeprefix("metadata."), value.get("value"))
            return shown
        return [self.anywhere(part) for part in value] if isinstance(value, list) else value

    def without_masks(self, changes: Mapping[str, str] | None) -> dict[str, str]:
        """Answer changes without those that would write a mask over the value that it stood for."""
        return {key: value for key, value in (changes or {}).items() if not (key in self.hidden and value == MASK)}


ALL = Sight()


def sight(who: Acting | None = None) -> Sight:
    """Answer what somebody who acts (here and now, unless given) may see.

    Users need the permission customers.view_pii. The system itself, and who runs commands on its machine, see all; so
    does everybody who calls the API under the open policy. Who is not known sees masks.
    """
    acting = who or current()
    user = acting.user
    if user is None:
        trusted = acting.channel in (Channel.SYSTEM, Channel.COMMAND, Channel.SDK)
        open_api = acting.channel in (Channel.REST, Channel.WEBSOCKET) and not is_closed()
        return ALL if trusted or open_api else Sight(personal_keys())
    return ALL if user.has_perm(SEES) else Sight(personal_keys())
