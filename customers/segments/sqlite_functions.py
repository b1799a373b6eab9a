"""What SQLite learns of the rule language: the very functions that the evaluator in Python uses."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from customers.segments.expressions import span_from_micros
from customers.segments.patterns import Pattern
from customers.segments.values import Span, number_of


def register(sender: Any, connection: Any, **_: Any) -> None:
    """Give a new SQLite connection the functions; a receiver of `connection_created`."""
    if connection.vendor == "sqlite":
        create = connection.connection.create_function
        create("parlant_number", 1, _number, deterministic=True)
        create("parlant_during", 5, _during, deterministic=True)
        create("parlant_found", 2, _found, deterministic=True)


def _number(text: str | None) -> float | None:
    return None if text is None else number_of(text)


@lru_cache(maxsize=100)
def _span(*micros: int | None) -> Span:
    return span_from_micros(micros)  # type: ignore[arg-type]


def _during(text: str | None, *micros: int | None) -> bool | None:
    return None if text is None else _span(*micros).has_text(text)


def _found(text: str | None, canonical: str) -> bool | None:
    return None if text is None else Pattern(canonical).found_in(text)
