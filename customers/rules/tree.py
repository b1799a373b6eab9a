"""The tree of a rule: groups and leaves, in the shape of react-querybuilder.

    {"version": 1, "combinator": "and", "not": false,
     "rules": [{"field": "metadata.mrr", "operator": ">", "value": 500}, ...]}

`and` of nothing is true of everybody, `or` of nothing of nobody. A leaf that takes no value has the value null.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from parlant_site.common.json import JSONValue

VERSION = 1
DEEPEST_GROUP = 5
MOST_LEAVES = 100

Combinator: TypeAlias = Literal["and", "or"]
Path: TypeAlias = tuple[int, ...]


@dataclass(frozen=True)
class Leaf:
    """One test of one field."""

    field: str
    operator: str
    value: JSONValue = None


@dataclass(frozen=True)
class Group:
    """All (`and`) or any (`or`) of some nodes; `negated` turns the answer round."""

    combinator: Combinator
    rules: tuple[Node, ...] = ()
    negated: bool = False


Node: TypeAlias = Leaf | Group


def to_json(rule: Group) -> dict[str, JSONValue]:
    """Answer the rule as it is stored and sent, with its version."""
    return {"version": VERSION, **_group(rule)}


def _group(group: Group) -> dict[str, JSONValue]:
    rules: list[JSONValue] = [_group(node) if isinstance(node, Group) else _leaf(node) for node in group.rules]
    return {"combinator": group.combinator, "not": group.negated, "rules": rules}


def _leaf(leaf: Leaf) -> dict[str, JSONValue]:
    return {"field": leaf.field, "operator": leaf.operator, "value": leaf.value}


def key_of(node: Node) -> str:
    """Answer a text that is the same for the same nodes, to look things up by."""
    return json.dumps(_group(node) if isinstance(node, Group) else _leaf(node), ensure_ascii=False)


def leaves(node: Node, path: Path = ()) -> Iterator[tuple[Path, Leaf]]:
    """Answer every leaf with its path: the index in `rules` at each level, from the root."""
    if isinstance(node, Leaf):
        yield path, node
    else:
        for index, child in enumerate(node.rules):
            yield from leaves(child, (*path, index))


def nodes(node: Node, path: Path = ()) -> Iterator[tuple[Path, Node]]:
    """Answer every node with its path, parents before their children."""
    yield path, node
    if isinstance(node, Group):
        for index, child in enumerate(node.rules):
            yield from nodes(child, (*path, index))
