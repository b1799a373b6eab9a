"""A rule while it is edited: a tree whose leaves may be unfinished."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field as attribute
from typing import TypeAlias

from customers.admin.segments.choices import OperatorChoice, choice_of
from customers.rules.fields import Field, Kind, field_named, metadata_field
from customers.rules.operators import Shape
from customers.rules.periods import Length
from customers.rules.tree import Group, Leaf
from parlant_site.common.json import JSONValue
from parlant_site.common.personal import MASK

KINDS = {("and", False): "all", ("or", False): "any", ("or", True): "none", ("and", True): "not_all"}
COMBINATORS = {kind: both for both, kind in KINDS.items()}
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
    if value is MASK:
        return DraftLeaf(leaf.field, key, [MASK])
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


def path_text(path: Path) -> str:
    """Answer a path as the form writes it: r, r.0, r.0.2."""
    return ".".join([ROOT, *map(str, path)])


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
