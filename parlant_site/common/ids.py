"""Identifiers: 18 characters of [0-9A-Za-z] that sort by the millisecond they were made in and cannot be guessed."""

import secrets
import time

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
TIME_CHARACTERS = 7  # 62**7 ms reach to the year 2081
RANDOM_CHARACTERS = 11  # 65 bits
_RANDOM_RANGE = 62**RANDOM_CHARACTERS


def new_id() -> str:
    """Answer a new identifier: 7 characters of time, 11 (65 bits) from the system's random source."""
    return make_id(time.time_ns() // 1_000_000, secrets.randbelow(_RANDOM_RANGE))


def make_id(milliseconds: int, number: int) -> str:
    """Answer the identifier of a millisecond since 1970 and a number (of which 65 bits are used)."""
    return _encode(milliseconds, TIME_CHARACTERS) + _encode(number % _RANDOM_RANGE, RANDOM_CHARACTERS)


def id_at(milliseconds: int) -> str:
    """Answer the least identifier that can be made at an instant, in milliseconds since 1970."""
    return _encode(milliseconds, TIME_CHARACTERS) + ALPHABET[0] * RANDOM_CHARACTERS


def _encode(number: int, length: int) -> str:
    digits = [""] * length
    for place in range(length - 1, -1, -1):
        number, digit = divmod(number, 62)
        digits[place] = ALPHABET[digit]
    return "".join(digits)
