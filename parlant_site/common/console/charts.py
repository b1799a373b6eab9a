"""Charts drawn by the server: SVG whose shapes are attributes, for the policy allows no styles."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.html import format_html
from django.utils.safestring import SafeString

LINE_WIDTH, LINE_HEIGHT, EDGE = 96, 24, 2


def points(values: Sequence[int], width: float, height: float, *, edge: float = EDGE) -> str:
    """Answer a polyline's points for values from left to right, from the least at the bottom to the most at the top.

    A line that never moves is in the middle; of nothing but zeros it is at the bottom.
    """
    low, high = min(values), max(values)
    step = (width - 2 * edge) / max(1, len(values) - 1)
    span = (high - low) or 1
    middle = height / 2 if high == low != 0 else None
    return " ".join(
        f"{edge + place * step:.1f},{middle or height - edge - (value - low) / span * (height - 2 * edge):.1f}"
        for place, value in enumerate(values)
    )


def sparkline(values: Sequence[int], said: str) -> SafeString:
    """Answer a small line without axes; `said` says the same in words."""
    line = points(values, LINE_WIDTH, LINE_HEIGHT)
    last = line.rsplit(" ", 1)[-1].split(",")
    return format_html(
        '<svg class="sparkline" viewBox="0 0 {} {}" role="img" aria-label="{}"><title>{}</title>'
        '<polyline points="{}"></polyline><circle cx="{}" cy="{}" r="2"></circle></svg>',
        LINE_WIDTH, LINE_HEIGHT, said, said, line, last[0], last[1],
    )  # fmt: skip
