"""Tags and segments are stored by id and written by name."""

from __future__ import annotations

from functools import cached_property
from typing import Protocol

from customers.rules.fields import Kind


class Names(Protocol):
    """What the faces ask about the names of tags (Kind.TAGS) and segments (Kind.SEGMENTS)."""

    def id_of(self, kind: Kind, text: str) -> str | None:
        """Answer the id of what bears this name, or has this id; None when there is no such thing."""
        ...

    def name_of(self, kind: Kind, key: str) -> str | None:
        """Answer the name of what has this id; None when there is no such thing."""
        ...

    def known(self, kind: Kind) -> list[str]:
        """Answer the names that exist."""
        ...


class AsIds:
    """Without a database: what is written is the id."""

    def id_of(self, kind: Kind, text: str) -> str | None:
        """Answer the text."""
        return text

    def name_of(self, kind: Kind, key: str) -> str | None:
        """Answer the id."""
        return key

    def known(self, kind: Kind) -> list[str]:
        """Answer nothing."""
        return []


class DatabaseNames:
    """The names in the database: one query for tags and one for segments, when they are first asked."""

    @cached_property
    def _names(self) -> dict[Kind, dict[str, str]]:
        return {}

    def _of(self, kind: Kind) -> dict[str, str]:
        if kind not in self._names:
            from customers.models import Segment
            from tags.models import Tag

            model = Tag if kind is Kind.TAGS else Segment
            self._names[kind] = dict(model._default_manager.order_by().values_list("id", "name"))
        return self._names[kind]

    @cached_property
    def _ids(self) -> dict[Kind, dict[str, str]]:
        return {}

    def id_of(self, kind: Kind, text: str) -> str | None:
        """Answer the id of what bears this name, else of what has this id."""
        if kind not in self._ids:
            self._ids[kind] = {name: key for key, name in self._of(kind).items()}
        return self._ids[kind].get(text) or (text if text in self._of(kind) else None)

    def name_of(self, kind: Kind, key: str) -> str | None:
        """Answer the name."""
        return self._of(kind).get(key)

    def known(self, kind: Kind) -> list[str]:
        """Answer all names."""
        return list(self._of(kind).values())
