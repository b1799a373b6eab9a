"""The metadata keys that the rule editor offers: how many customers bear one, what it looks like, examples."""

from __future__ import annotations

from dataclasses import dataclass

from customers.insight.catalogue import metadata_keys, total_customers

OFFERED = 300
EXAMPLES = 5
LONGEST_EXAMPLE = 40


@dataclass(frozen=True)
class Key:
    """A key: the share of the customers who bear it, its usual type and its commonest values that one may see."""

    key: str
    fill: float
    type: str
    examples: tuple[str, ...]

    @property
    def filled(self) -> str:
        """Answer the share in per cent."""
        return f"{max(1, min(100, round(self.fill * 100)))} %"


def known_keys() -> dict[str, Key]:
    """Answer the keys of the catalogue, the commonest first."""
    total = max(1, total_customers())
    found = {}
    for row in metadata_keys()[:OFFERED]:
        if row.customers:
            types = [name for name in row.types if name != "empty"]
            examples = tuple(_short(value) for value, _ in row.top_values(EXAMPLES) if value)
            found[row.key] = Key(row.key, row.customers / total, (types or ["text"])[0], examples)
    return found


def _short(text: str) -> str:
    return f"{text[:LONGEST_EXAMPLE]}…" if len(text) > LONGEST_EXAMPLE else text
