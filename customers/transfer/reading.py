"""What a row says of a customer, checked as the API checks it."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from customers.models import NAME_LENGTH
from customers.transfer.mapping import ALL_METADATA, IGNORED, METADATA
from customers.transfer.tables import Row
from parlant_site.common.json import UnusableJSON, parse
from parlant_site.common.models import ID_LENGTH
from parlant_site.common.personal import MASK
from parlant_site.common.rendering import dumps
from tags.models import NAME_LENGTH as TAG_NAME_LENGTH

ADDRESSABLE = re.compile(r"[^/]*[^/.][^/]*")
MOST_TAGS = 200


class Unusable(Exception):
    """A row that cannot be used; the message says why."""


@dataclass
class Said:
    """What a row says: None, or no key, where it says nothing."""

    row: Row
    id: str | None = None
    name: str | None = None
    tags: list[str] | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    unset: set[str] = field(default_factory=set)


def said(row: Row, mapping: Mapping[str, str], *, clear_empty: bool, exact: bool = False) -> Said:
    """Answer what a row says; Unusable when a cell holds what no customer can have.

    Empty cells say nothing; with `clear_empty` those of metadata and tags say that there is none. Null does so always.
    In an `exact` format an empty text is a value of metadata like any other.
    """
    if row.problem:
        raise Unusable(row.problem)
    made = Said(row)
    for column, cell in row.cells.items():
        target = mapping.get(column, IGNORED)
        if not target or cell == MASK:  # what was masked in an export says nothing
            continue
        empty = cell == "" or cell == []
        if target == "id":
            made.id = _id(cell, exact=exact) if not empty and cell is not None else None
        elif target == "name":
            made.name = _name(cell) if not empty and cell is not None else None
        elif target == "tags":
            if not empty or clear_empty:
                made.tags = _tags(cell)
        elif target == ALL_METADATA:
            if not empty and cell is not None:
                _take_all(made, cell)
        elif cell is None or (empty and clear_empty and not exact):
            made.unset.add(target[len(METADATA) :])
        elif not empty or exact:
            made.metadata[target[len(METADATA) :]] = _text(cell, target)
    return made


def _take_all(made: Said, cell: Any) -> None:
    """Take an object of keys and texts; null says that there is no such key."""
    try:
        keys = parse(cell.encode()) if isinstance(cell, str) else cell
    except UnusableJSON as error:
        raise Unusable(f"metadata: {error}") from None
    if not isinstance(keys, dict):
        raise Unusable("metadata: should be an object")
    for key, value in keys.items():
        if value is None:
            made.unset.add(key)
        elif value != MASK:
            made.metadata[key] = _text(value, f"{METADATA}{key}")


def _id(cell: Any, *, exact: bool) -> str:
    key = _text(cell, "id") if exact else _text(cell, "id").strip()
    if not 1 <= len(key) <= ID_LENGTH:
        raise Unusable(f"id: should have 1 to {ID_LENGTH} characters")
    if not ADDRESSABLE.fullmatch(key):
        raise Unusable("id: an id has no slash and is more than dots")
    return key


def _name(cell: Any) -> str:
    name = _text(cell, "name")
    if not 1 <= len(name) <= NAME_LENGTH:
        raise Unusable(f"name: should have 1 to {NAME_LENGTH} characters, not {len(name)}")
    return name


def _tags(cell: Any) -> list[str]:
    if cell is None:
        return []
    if isinstance(cell, str):
        try:
            words = next(csv.reader([cell], delimiter=";", skipinitialspace=True), []) if cell else []
        except csv.Error:
            words = cell.split(";")
    elif isinstance(cell, list) and all(isinstance(word, str) for word in cell):
        return _usable_tags([*dict.fromkeys(word for word in cell if word)])
    else:
        raise Unusable("tags: should be a list of names")
    return _usable_tags([*dict.fromkeys(word.strip() for word in words if word.strip())])


def _usable_tags(names: list[str]) -> list[str]:
    if len(names) > MOST_TAGS:
        raise Unusable(f"tags: at most {MOST_TAGS}")
    for name in names:
        if len(name) > max(TAG_NAME_LENGTH, ID_LENGTH):
            raise Unusable(f"tags: {name[:40]}… is longer than {TAG_NAME_LENGTH} characters")
    return names


def _text(cell: Any, target: str) -> str:
    if isinstance(cell, str):
        return cell
    if isinstance(cell, (bool, int, float)):
        return dumps(cell).decode()
    raise Unusable(f"{target}: should be a text")
