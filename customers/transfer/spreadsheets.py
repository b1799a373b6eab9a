"""CSV cells that spreadsheets show rather than calculate.

A cell that begins like a formula is written with an apostrophe before it, and read without: what was exported comes
back as it was. Plain numbers such as -5 or +49.5 stay as they are: they do no harm.
"""

from __future__ import annotations

import re

STARTS_A_FORMULA = frozenset("=+-@\t\r\n＝＋－＠")
_NUMBER = re.compile(r"[+-]?\d+([.,]\d+)*")


def shown(text: str) -> str:
    """Answer a cell's text as a file for spreadsheets has it."""
    return f"'{text}" if _begins_like_a_formula(text) and not _NUMBER.fullmatch(text) else text


def meant(text: str) -> str:
    """Answer what a cell of such a file means."""
    return text[1:] if text.startswith("'") and _begins_like_a_formula(text) else text


def _begins_like_a_formula(text: str) -> bool:
    return text.lstrip("' ")[:1] in STARTS_A_FORMULA and text.lstrip("' ") != ""
