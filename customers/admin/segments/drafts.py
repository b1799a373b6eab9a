"""A rule while it is edited: a tree whose leaves may be unfinished, read from the form and changed by its buttons."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from dataclasses import field as attribute
from typing import Any, TypeAlias

from customers.admin.segments.choices import OTHER_KEY, OperatorChoice, choice_of
from customers.segments.fields import METADATA_PREFIX, Field, Kind, field_named, metadata_field
from customers.segments.operators import Shape
from customers.segments.periods import Length
from customers.segments.rules import Group, Leaf
from parlant_site.common.json import JSONValue

KINDS = {("and", False): "all", ("or", False): "any", ("or", True): "none", ("and", True): "not_all"}
COMBINATORS = {kind: both for both, kind in KINDS.items()}
MOST_NODES = 300
DEEPEST = 12
ROOT = "r"
Path: TypeAlias = tuple[int, ...]
_NUMBER = re.compile(r"-?\d{1,30}(\.\d{1,30})?([eE][+-]?\d{1,3})?", re.ASCII)


@dataclass
class DraftLeaf:
    """A leaf: the field's name, the key of its operator (see choices), and the texts in its value's inputs."""

    field: str = ""
    operator: str = ""
    values: list[str] = attribute(default_factory=list)

    @property
    def asked(self) -> Field:
        """Answer the field; a name that is none is taken for a key of the metadata."""
        return field_named(self.field) or metadata_field(self.field)

    @property
    def choice(self) -> OperatorChoice:
        """Answer the operator."""
        return choice_of(self.asked, self.operator)

    def value(self, index: int = 0) -> str:
        """Answer the text of an input."""
        return self.values[index] if index < len(self.values) else ""

    def to_json(self) -> dict[str, JSONValue]:
        """Answer the leaf as rules have it; what is no number stays a text, for the rule to refuse."""
        if not self.field:
            return {"field": "", "operator": "", "value": None}
        choice = self.choice
        return {"field": self.field, "operator": choice.operator.name, "value": self._value(choice)}

    def _value(self, choice: OperatorChoice) -> JSONValue:
        first, shape = self.value(), choice.shape
        if shape is Shape.NOTHING:
            return None
        if shape is Shape.TEXTS:
            return [*self.values] if self.asked.choices else [*lines(first)]
        if shape is Shape.NAMES:
            return [*self.values]
        if shape is Shape.RANGE:
            return [number_or_text(self.value(n)) if choice.reads == "number" else self.value(n) for n in (0, 1)]
        if shape is Shape.LENGTH:
            written = f"{first.strip()} {self.value(1) or 'days'}"
            try:
                return str(Length.read(written))
            except ValueError:
                return written
        return number_or_text(first) if choice.reads == "number" else first


@dataclass
class DraftGroup:
    """A group: all, any, none or not_all of its nodes."""

    kind: str = "all"
    nodes: list[DraftNode] = attribute(default_factory=list)

    def to_json(self) -> dict[str, JSONValue]:
        """Answer the group as rules have it."""
        combinator, negated = COMBINATORS[self.kind]
        return {"combinator": combinator, "not": negated, "rules": [node.to_json() for node in self.nodes]}


DraftNode: TypeAlias = DraftLeaf | DraftGroup


def draft_of(node: Group) -> DraftGroup:
    """Answer the draft of a valid rule."""
    return DraftGroup(
        KINDS[node.combinator, node.negated],
        [draft_of(child) if isinstance(child, Group) else _leaf(child) for child in node.rules],
    )


def _leaf(leaf: Leaf) -> DraftLeaf:
    asked, value = field_named(leaf.field), leaf.value
    key, shape = leaf.operator, choice_of(field_named(leaf.field) or metadata_field(leaf.field), leaf.operator).shape
    if asked is not None and asked.kind is Kind.METADATA:
        probe = value[0] if isinstance(value, list) and value else value
        if key in ("between", "notBetween"):
            key, shape = f"{key}~{'date' if isinstance(probe, str) else 'number'}", Shape.RANGE
        elif key in ("=", "!=") and not isinstance(value, str):
            key = f"{key}~number"
        elif key in ("=", "!=") and value == "":
            return DraftLeaf(leaf.field, "empty" if key == "=" else "notEmpty")  # which say the same, and can be seen
    if value is None:
        return DraftLeaf(leaf.field, key)
    if shape is Shape.LENGTH:
        return DraftLeaf(leaf.field, key, [str(Length.read(value).amount), Length.read(value).unit])
    if isinstance(value, list):
        texts = [str(entry) for entry in value]
        is_written = shape is Shape.TEXTS and not (asked and asked.choices)
        return DraftLeaf(leaf.field, key, ["\n".join(map(_line, texts))] if is_written else texts)
    return DraftLeaf(leaf.field, key, [str(value)])


def _line(text: str) -> str:
    """Answer a text as one line of many; odd ones stand in quotes."""
    odd = not text.strip() or text != text.strip() or text.startswith('"') or "\n" in text or "\r" in text
    return json.dumps(text, ensure_ascii=False) if odd else text


def lines(text: str) -> Iterator[str]:
    """Answer the texts that the lines of a text area say."""
    for line in text.splitlines():
        line = line.strip()
        if line.startswith('"'):
            try:
                read = json.loads(line)
            except ValueError:
                read = line
            yield read if isinstance(read, str) else line
        elif line:
            yield line


def number_or_text(text: str) -> JSONValue:
    """Answer the number that a text says, else the text."""
    text = text.strip()
    if not _NUMBER.fullmatch(text):
        return text
    number = float(text)
    if not math.isfinite(number):
        return text
    return int(text) if text.lstrip("-").isdigit() else number


# --- between the form and the draft


def path_text(path: Path) -> str:
    """Answer a path as the form writes it: r, r.0, r.0.2."""
    return ".".join([ROOT, *map(str, path)])


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


# --- what the buttons do


def node_at(draft: DraftGroup, path: Path) -> DraftNode | None:
    """Answer the node at a path; None when there is none."""
    node: DraftNode = draft
    for step in path:
        if not isinstance(node, DraftGroup) or step >= len(node.nodes):
            return None
        node = node.nodes[step]
    return node


def walk(node: DraftNode, path: Path = ()) -> Iterator[tuple[Path, DraftNode]]:
    """Answer every node with its path, parents first."""
    yield path, node
    if isinstance(node, DraftGroup):
        for index, child in enumerate(node.nodes):
            yield from walk(child, (*path, index))


Act: TypeAlias = Callable[[DraftGroup, Path], Path | None]


def _add(kind: type[DraftLeaf] | type[DraftGroup]) -> Act:
    def act(draft: DraftGroup, path: Path) -> Path | None:
        group = node_at(draft, path)
        if isinstance(group, DraftGroup):
            group.nodes.append(kind() if kind is DraftLeaf else DraftGroup("any", [DraftLeaf()]))
            return (*path, len(group.nodes) - 1)
        return None

    return act


def _siblings(draft: DraftGroup, path: Path) -> list[DraftNode] | None:
    """Answer the nodes of the group in which a node is; None for the root and for what is not there."""
    parent = node_at(draft, path[:-1]) if path and node_at(draft, path) is not None else None
    return parent.nodes if isinstance(parent, DraftGroup) else None


def _remove(draft: DraftGroup, path: Path) -> Path | None:
    if (nodes := _siblings(draft, path)) is None:
        return None
    del nodes[path[-1]]
    return (*path[:-1], min(path[-1], len(nodes) - 1)) if nodes else path[:-1]


def _copy(draft: DraftGroup, path: Path) -> Path | None:
    if (nodes := _siblings(draft, path)) is None:
        return None
    nodes.insert(path[-1] + 1, deepcopy(nodes[path[-1]]))
    return (*path[:-1], path[-1] + 1)


def _move(by: int) -> Act:
    def act(draft: DraftGroup, path: Path) -> Path | None:
        nodes = _siblings(draft, path)
        if nodes is None or not 0 <= path[-1] + by < len(nodes):
            return None
        nodes.insert(path[-1] + by, nodes.pop(path[-1]))
        return (*path[:-1], path[-1] + by)

    return act


def _indent(draft: DraftGroup, path: Path) -> Path | None:
    """Move into the group just before, or into a group of its own."""
    if (nodes := _siblings(draft, path)) is None:
        return None
    place = path[-1]
    before = nodes[place - 1] if place else None
    node = nodes.pop(place)
    if isinstance(before, DraftGroup):
        before.nodes.append(node)
        return (*path[:-1], place - 1, len(before.nodes) - 1)
    nodes.insert(place, DraftGroup("any", [node]))
    return (*path, 0)


def _outdent(draft: DraftGroup, path: Path) -> Path | None:
    """Move behind the group in which it is; a group that is empty then goes."""
    nodes = _siblings(draft, path)
    outer = _siblings(draft, path[:-1])
    if nodes is None or outer is None:
        return None
    outer.insert(path[-2] + 1, nodes.pop(path[-1]))
    if nodes:
        return (*path[:-2], path[-2] + 1)
    del outer[path[-2]]
    return path[:-1]


ACTS: dict[str, Act] = {
    "leaf": _add(DraftLeaf),
    "group": _add(DraftGroup),
    "remove": _remove,
    "copy": _copy,
    "up": _move(-1),
    "down": _move(1),
    "in": _indent,
    "out": _outdent,
}
