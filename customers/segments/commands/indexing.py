"""Subcommands about indexes."""

from __future__ import annotations

from typing import Any

from customers.segments.commands.output import Output, WrongCommandLine
from customers.segments.indexes import add_index, advise, indexes, remove_index


def index(out: Output, *, action: str, field: str | None, kind: str | None, **_: Any) -> None:
    """List, add or remove indexes of metadata fields for rules, or advise where one would help (PostgreSQL)."""
    if action in ("add", "remove"):
        if field is None or kind is None:
            raise WrongCommandLine(f"Write what to {action}, such as: metadata.mrr number")
        if action == "add":
            add_index(field, kind)
        else:
            remove_index(field, kind)
    if action == "advise":
        _advise(out)
        return
    found = indexes()
    rows = ([f"metadata.{one.key}", one.kind, one.size, one.uses] for one in found)
    out.table(["Field", "Kind", "Bytes", "Uses"], rows, [one.to_json() for one in found], empty="No index was added.")


def _advise(out: Output) -> None:
    found = advise()
    rows = ([one.leaf.field, one.leaf.operator, one.segments, _seconds(one.seconds), one.advice] for one in found)
    data = [one.to_json() for one in found]
    out.table(["Field", "Operator", "Segments", "Takes", "Advice"], rows, data, empty="No segment has a rule.")


def _seconds(seconds: float | None) -> str:
    return "more than 2 s" if seconds is None else f"{seconds * 1000:,.0f} ms"
