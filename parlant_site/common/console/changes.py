"""What an entry of the audit says was changed, as lines that people read."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from parlant_site.common.audit import AuditEntry
from parlant_site.common.personal import sight

LONGEST = 120


@dataclass(frozen=True)
class Change:
    """A value that changed: None where there was, or is, nothing."""

    label: str
    before: str | None
    after: str | None


def changes_of(entry: AuditEntry, tag_names: Mapping[str, str]) -> list[Change]:
    """Answer what an entry says differs, a line for each field, metadata key and tag."""
    return changes_between(entry.before or {}, entry.after or {}, tag_names)


def changes_between(before: Mapping[str, Any], after: Mapping[str, Any], tag_names: Mapping[str, str]) -> list[Change]:
    """Answer what differs, of two states in the shape of the audit, as who asks may see it."""
    before, after = sight().anywhere(before), sight().anywhere(after)
    made = []
    for field in dict.fromkeys([*before, *after]):
        old, new = before.get(field), after.get(field)
        if field == "tags":
            made += [Change("tag", tag_names.get(key, key), None) for key in _list(old)]
            made += [Change("tag", None, tag_names.get(key, key)) for key in _list(new)]
        elif isinstance(old, dict) or isinstance(new, dict):
            inner_old, inner_new = _object(old), _object(new)
            made += [
                Change(f"{field}.{key}", _text(inner_old.get(key)), _text(inner_new.get(key)))
                for key in dict.fromkeys([*inner_old, *inner_new])
            ]
        elif old not in (None, "", []) or new not in (None, "", []):
            made.append(Change(field, _text(old), _text(new)))
    return made


def tag_ids_in(entries: Iterable[AuditEntry]) -> set[str]:
    """Answer the ids of all tags that the entries name, to look their names up at once."""
    return {
        key
        for entry in entries
        for values in (entry.before or {}, entry.after or {})
        for key in _list(values.get("tags"))
    }


def _list(value: Any) -> list[str]:
    return [str(part) for part in value] if isinstance(value, list) else []


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, list) and value and all(isinstance(part, str) for part in value):
        text = " · ".join(value)
    else:
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
