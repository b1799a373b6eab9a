"""Reading pages and sending forms."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

from django.test import Client


def text_of(html: str | bytes) -> str:
    """Answer a page's text without tags."""
    page = html.decode() if isinstance(html, bytes) else html
    main = page.split('<main id="content-start"', 1)[-1]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", main)).split())


def metadata_fields(rows: list[tuple[str, str]], *, shown: str, raw: str | None = None) -> dict[str, Any]:
    """Answer what the metadata editor sends."""
    return {
        "metadata-key": [key for key, _ in rows],
        "metadata-value": [value for _, value in rows],
        "metadata-shown": shown,
        "metadata-raw": shown if raw is None else raw,
    }


def errors_of(response: Any) -> str:
    """Answer the errors that a form page shows."""
    assert response.status_code == 200, response.status_code
    form = response.context["adminform"].form
    return " ".join(message for messages in form.errors.values() for message in messages)


def names_listed(browser: Client, url: str) -> list[str]:
    """Answer the names in a list's first column, page by page to the end."""
    found: list[str] = []
    for _ in range(50):
        response = browser.get(url)
        assert response.status_code == 200
        listing = response.context["listing"]
        found += [row.name for row, _ in listing.table]
        if not listing.next_link:
            return found
        url = url.split("?")[0] + listing.next_link
    raise AssertionError("the pages never end")
