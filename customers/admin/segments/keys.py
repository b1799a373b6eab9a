"""The metadata keys that the rule editor offers: how many customers bear one, what it looks like, examples."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from django.db import DEFAULT_DB_ALIAS

from customers.segments.explaining import type_of_text
from customers.segments.remembering import kept
from customers.segments.sampling import sample_of
from parlant_site.common.personal import sight

OFFERED = 200
EXAMPLES = 5
LONGEST_EXAMPLE = 40
_SECONDS = 60.0


@dataclass(frozen=True)
class Key:
    """A key: the share of the customers who bear it (of a sample), its usual type and its commonest values."""

    key: str
    fill: float
    type: str
    examples: tuple[str, ...]

    @property
    def filled(self) -> str:
        """Answer the share in per cent."""
        return f"{max(1, round(self.fill * 100))} %"

    def shown_examples(self) -> list[str]:
        """Answer the examples that the one who acts may see."""
        if sight().hides(self.key):
            return []
        return [f"{each[:LONGEST_EXAMPLE]}…" if len(each) > LONGEST_EXAMPLE else each for each in self.examples]


def known_keys() -> dict[str, Key]:
    """Answer the keys that a sample of customers bears, the commonest first; looked up once a minute."""
    return kept("editor keys", _SECONDS, _look_up)


def _look_up() -> dict[str, Key]:
    values: dict[str, Counter[str]] = {}
    number = 0
    for metadata in sample_of(DEFAULT_DB_ALIAS).customers.values_list("metadata", flat=True):
        number += 1
        for key, value in metadata.items():
            values.setdefault(key, Counter())[value] += 1
    found = []
    for key, counter in values.items():
        types: Counter[str] = Counter()
        for value, times in counter.items():
            types[type_of_text(value)] += times
        types.pop("empty", None)
        usual = types.most_common(1)[0][0] if types else "text"
        examples = tuple(value for value, _ in counter.most_common(EXAMPLES) if value)
        found.append(Key(key, sum(counter.values()) / number, usual, examples))
    found.sort(key=lambda key: (-key.fill, key.key))
    return {key.key: key for key in found[:OFFERED]}
