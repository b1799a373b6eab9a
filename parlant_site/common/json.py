"""JSON as the product takes it: what every database here can keep and every client can read back."""

import json
from typing import Any, TypeAlias

import orjson

JSONValue: TypeAlias = bool | int | float | str | list["JSONValue"] | dict[str, "JSONValue"] | None

DEEPEST = 64
LARGEST = 2**63 - 1


class UnusableJSON(ValueError):
    """The JSON is broken or holds what cannot be kept; the message says which."""


class ReadableEncoder(json.JSONEncoder):
    """Write texts as they are, not as escapes, so that a database can search them."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "ensure_ascii": False})


def parse(text: bytes) -> JSONValue:
    """Parse a JSON text of UTF-8 bytes.

    Raises UnusableJSON for broken JSON (NaN, lone surrogates), NUL characters, nesting deeper than 64 and numbers
    beyond 64 bits.
    """
    try:
        value: JSONValue = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise UnusableJSON(f"JSON decode error: {error}") from None
    check(value)
    return value


def check(value: JSONValue, depth: int = 0) -> None:
    """Raise UnusableJSON when a value holds what SQLite, PostgreSQL or a client could not keep."""
    if isinstance(value, str):
        if "\0" in value:
            raise UnusableJSON("NUL characters are not allowed")
        try:
            value.encode()
        except UnicodeEncodeError:
            raise UnusableJSON("Lone surrogates are not allowed") from None
    elif isinstance(value, int):
        if not -LARGEST - 1 <= value <= LARGEST:
            raise UnusableJSON("Integers must fit into 64 bits")
    elif isinstance(value, float):
        # PostgreSQL keeps 1e300 as an integer of 301 digits, and orjson reads an integer beyond 64 bits as a float.
        if not abs(value) < LARGEST:
            raise UnusableJSON("Numbers must be finite and, without a fraction, fit into 64 bits")
    elif isinstance(value, (list, dict)):
        if depth >= DEEPEST:
            raise UnusableJSON(f"JSON may be nested {DEEPEST} levels deep at most")
        if isinstance(value, dict):
            for key, part in value.items():
                check(key)
                check(part, depth + 1)
        else:
            for part in value:
                check(part, depth + 1)
