"""Drafts between requests: in the inputs of the form, and as JSON in its hidden fields."""

from __future__ import annotations

from typing import Any

from customers.admin.segments.choices import OTHER_KEY
from customers.admin.segments.drafts import COMBINATORS, ROOT, DraftGroup, DraftLeaf, DraftNode, Path
from customers.rules.fields import METADATA_PREFIX, field_named
from customers.rules.operators import Shape

MOST_NODES = 300
DEEPEST = 12


def read_path(text: str) -> Path | None:
    """Answer the path that a text says; None when it says none."""
    root, *steps = text.split(".")
    if root != ROOT or len(steps) > DEEPEST or not all(step.isascii() and step.isdigit() for step in steps):
        return None
    return tuple(int(step[:6]) for step in steps)


def read_form(data: Any) -> DraftGroup:
    """Answer the draft that a sent form holds; what makes no sense in it is left out."""
    root = DraftGroup()
    groups: dict[Path, DraftGroup] = {}
    for entry in data.getlist("node")[:MOST_NODES]:
        text, _colon, kind = entry.partition(":")
        path = read_path(text)
        if path is None or (path and path[:-1] not in groups):
            continue
        node: DraftNode
        if kind == "group":
            wanted = data.get(f"c.{text}", "")
            node = groups[path] = DraftGroup(wanted if wanted in COMBINATORS else "all")
        else:
            node = _read_leaf(data, text)
        if path:
            groups[path[:-1]].nodes.append(node)
        elif isinstance(node, DraftGroup):
            root = node
    return root


def _read_leaf(data: Any, path: str) -> DraftLeaf:
    name, shown = data.get(f"f.{path}", ""), data.get(f"w.{path}", "")
    if name == OTHER_KEY:
        name = METADATA_PREFIX + data.get(f"k.{path}", "")
    if "\0" in name or field_named(name) is None:
        name = ""
    values = [value.replace("\0", "").replace("\r\n", "\n") for value in data.getlist(f"v.{path}")]
    leaf = DraftLeaf(name, data.get(f"o.{path}", ""), values)
    if name != shown:
        fits = leaf.choice.key == leaf.operator and leaf.choice.shape is not Shape.NAMES
        leaf = DraftLeaf(name, leaf.operator if fits else "", values if fits else [])
    return leaf


def packed(node: DraftNode) -> Any:
    """Answer a draft as JSON, for a hidden field."""
    if isinstance(node, DraftLeaf):
        return [node.field, node.operator, node.values]
    return {"k": node.kind, "n": [packed(child) for child in node.nodes]}


def unpacked(given: Any, depth: int = 0) -> DraftNode | None:
    """Answer the draft that a hidden field says; None for what is none."""
    match given:
        case {"k": str(kind), "n": list(nodes)} if kind in COMBINATORS and depth <= DEEPEST:
            found = [unpacked(node, depth + 1) for node in nodes[:MOST_NODES]]
            return DraftGroup(kind, [node for node in found if node is not None])
        case [str(name), str(operator), list(values)] if not name or (field_named(name) and "\0" not in name):
            return DraftLeaf(name, operator, [value for value in values if isinstance(value, str)])
    return None
