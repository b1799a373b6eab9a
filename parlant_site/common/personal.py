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
WORDS = ("search", "q")  # terms of a selection that are texts of people

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
            query = value.get("query")  # of a selection of customers: whoever wrote its words may have seen more
            if isinstance(query, Mapping):
                shown["query"] = {**shown["query"], **{name: MASK for name in WORDS if name in query}}
            return shown
        return [self.anywhere(part) for part in value] if isinstance(value, list) else value

    def without_masks(self, changes: Mapping[str, str] | None) -> dict[str, str]:
        """Answer changes without those that would write a mask over the value that it stood for."""
        return {key: value for key, value in (changes or {}).items() if not (key in self.hidden and value == MASK)}


ALL = Sight()


def sight(who: Acting | None = None) -> Sight:
    """Answer what somebody who acts (here and now, unless given) may see.

    Users need the permission customers.view_pii. Who is not known sees masks.
    """
    return ALL if may(SEES, who) else Sight(personal_keys())


def may(codename: str, who: Acting | None = None) -> bool:
    """Answer whether somebody who acts (here and now, unless given) has a permission.

    The system itself, and who runs commands on its machine, may do all; so may everybody who calls the API under the
    open policy. Who is not known may do nothing.
    """
    acting = who or current()
    if acting.user is not None:
        return bool(acting.user.has_perm(codename))
    trusted = acting.channel in (Channel.SYSTEM, Channel.COMMAND, Channel.SDK)
    return trusted or (acting.channel in (Channel.REST, Channel.WEBSOCKET) and not is_closed())
