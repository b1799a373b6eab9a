"""Editing rules as a browser without scripts does: every button sends the whole form and reads what comes back."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

from django.test import Client

from customers.rules.faces import DatabaseNames, read_text
from customers.rules.tree import to_json


def rule(text: str) -> Any:
    """Answer the rule that a text says."""
    return to_json(read_text(text, DatabaseNames()))


class Form(HTMLParser):
    """The editor's form: its fields as a browser would send them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.fields: dict[str, list[str]] = {}
        self._select = self._area = ""
        self._options: list[tuple[str, bool]] = []
        self._text = ""
        self.feed(html.split("data-editor", 1)[1])

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect fields."""
        given = dict(attrs)
        name = given.get("name") or ""
        if tag == "input" and (given.get("type") != "checkbox" or "checked" in given):
            self.fields.setdefault(name, []).append(given.get("value") or "")
        elif tag == "select":
            self._select, self._options = name, []
        elif tag == "option" and self._select:
            self._options.append((given.get("value") or "", "selected" in given))
        elif tag == "textarea":
            self._area, self._text = name, ""

    def handle_data(self, data: str) -> None:
        """Collect the text of a text area."""
        if self._area:
            self._text += data

    def handle_endtag(self, tag: str) -> None:
        """End a field."""
        if tag == "select" and self._select and self._options:
            chosen = [value for value, is_chosen in self._options if is_chosen]
            self.fields.setdefault(self._select, []).append((chosen or [self._options[0][0]])[0])
            self._select = ""
        elif tag == "textarea" and self._area:
            self.fields.setdefault(self._area, []).append(self._text.removeprefix("\n"))
            self._area = ""


class Editor:
    """The page of the rule editor in a browser without scripts."""

    def __init__(self, browser: Client, url: str) -> None:
        self.browser, self.url = browser, url
        self._read(browser.get(url))

    def _read(self, response: Any) -> None:
        self.response = response
        if response.status_code == 200:
            self.fields = Form(response.content.decode()).fields
            self.look = response.context["look"]

    def press(self, do: str, **changes: Any) -> Any:
        """Fill in fields (names with __ for dots), press a button, and answer the response."""
        for name, value in changes.items():
            self.fields[name.replace("__", ".")] = value if isinstance(value, list) else [value]
        self._read(self.browser.post(self.url, {**self.fields, "do": do}))
        return self.response

    @property
    def count(self) -> int:
        """Answer the number that the page shows."""
        return int(self.look.found.count.number)
