"""What SQLite learns of the rule language: the very functions that the evaluator in Python uses."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from customers.rules.expressions import span_from_micros
from customers.rules.patterns import Pattern
from customers.rules.values import Span, number_of


def register(sender: Any, connection: Any, **_: Any) -> None:
    """Give a new SQLite connection the functions; a receiver of `connection_created`."""
    if connection.vendor == "sqlite":
        create = connection.connection.create_function
        create("parlant_number", 1, _number, deterministic=True)
        create("parlant_during", 5, _during, deterministic=True)
        create("parlant_found", 2, _found, deterministic=True)


# What is no text in JSON comes as a number, and is asked about elsewhere.


def _number(text: object) -> float | None:
    return number_of(text) if isinstance(text, str) else None


@lru_cache(maxsize=100)
def _span(*micros: int | None) -> Span:
    return span_from_micros(micros)  # type: ignore[arg-type]


def _during(text: object, *micros: int | None) -> bool | None:
    return None if not isinstance(text, str) else _span(*micros).has_text(text)


def _found(text: object, canonical: str) -> bool | None:
    return None if not isinstance(text, str) else Pattern(canonical).found_in(text)
