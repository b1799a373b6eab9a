"""What the buttons of the rule editor do to a draft: each answers the path of the node to go on with, or None."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import TypeAlias

from customers.admin.segments.drafts import DraftGroup, DraftLeaf, DraftNode, Path, node_at

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
