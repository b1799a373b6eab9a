"""docs/console.md shows every picture of the console, and no picture that is missing."""

from __future__ import annotations

import re
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"
LARGEST = 120_000  # bytes: whoever clones the repository gets them all


def test_the_tour_shows_every_picture_and_each_is_small() -> None:
    shown = re.findall(r"!\[[^\]]+\]\(console/([^)]+)\)", (DOCS / "console.md").read_text())
    pictures = {path.name: path.stat().st_size for path in (DOCS / "console").iterdir()}
    assert sorted(shown) == sorted(pictures), "each is shown once"
    assert max(pictures.values()) <= LARGEST
