"""What a draft comes to: how many customers it matches, row by row and in all, some of them, and what is odd."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import Any

from django.utils.translation import gettext as _

from customers.admin.segments.drafts import DraftGroup, DraftLeaf, Path, walk
from customers.insight.counting import Count, Preview, preview
from customers.insight.limits import TookTooLong, time_limited
from customers.insight.linting import lint
from customers.models import Customer, Segment
from customers.rules.faces import DatabaseNames, write_sentence
from customers.rules.operators import Shape
from customers.rules.reading import InvalidRule, read_rule
from customers.rules.tree import Group
from customers.segments.given import seen
from customers.segments.membership import would_move
from parlant_site.common.json import JSONValue

CHANGES_WITHIN = 0.4


@dataclass(frozen=True)
class Changes:
    """How many would enter and leave if the rule were saved now."""

    entering: int
    leaving: int


@dataclass
class Look:
    """What the editor says of a draft. Rows that are wrong, by path in `problems`, are left out of all numbers."""

    rule: Group | None = None  # what can be saved: only when nothing is wrong
    problems: dict[Path, list[str]] = field(default_factory=dict)
    unfinished: set[Path] = field(default_factory=set)  # of the problems, those that only wait to be filled in
    counts: dict[Path, Count] = field(default_factory=dict)
    found: Preview | None = None
    sentence: str = ""
    changes: Changes | None = None
    lint: Sequence[str] = ()
    too_long: bool = False
    is_blank: bool = False  # nothing was asked for yet

    @property
    def samples(self) -> Sequence[Customer]:
        """Answer some of those who match."""
        return self.found.sample if self.found else ()

    @property
    def per_cent(self) -> str:
        """Answer which share of all customers matches; "" for none at all."""
        if self.found is None or not self.found.total.number:
            return ""
        share = 100 * self.found.count.number / self.found.total.number
        return f"{share:.1f}" if share < 10 else f"{share:.0f}"


def look_at(draft: DraftGroup, segment: Segment) -> Look:
    """Look at a draft for a segment, which may be a new one: nothing is written."""
    look = Look(problems=problems_of(draft))
    look.unfinished = {path for path, node in walk(draft) if isinstance(node, DraftLeaf) and _unfinished(node)}
    look.is_blank = not any(isinstance(node, DraftLeaf) and node.field for _path, node in walk(draft))
    kept, paths = _without(draft, look.problems)
    try:
        rule = read_rule(kept)
    except InvalidRule as invalid:  # about the rule as a whole, such as too many rows
        look.problems.setdefault((), []).extend(str(problem["msg"]) for problem in invalid.problems)
        return look
    if not look.problems:
        look.rule = rule
        look.sentence = write_sentence(rule, DatabaseNames())
    try:
        look.found = preview(rule, segment.moment())
    except TookTooLong:
        look.too_long = True
        return look
    look.counts = {paths[path]: count for path, count in look.found.nodes.items() if path in paths}
    look.lint = _odd(draft, look, rule, segment, paths)
    if look.rule is not None and not segment._state.adding:
        look.changes = changes_of(segment, look.rule)
    return look


def changes_of(segment: Segment, rule: Group) -> Changes | None:
    """Count who would enter and who would leave with another rule; None when that takes long."""
    from customers.rules.tree import to_json

    other = copy(segment)
    other.rule = to_json(rule)
    moment = other.next_moment()
    try:
        with time_limited(CHANGES_WITHIN):
            moved = would_move(other, moment)
            return Changes(moved.entered, moved.left)
    except TookTooLong:
        return None


def problems_of(draft: DraftGroup) -> dict[Path, list[str]]:
    """Answer what is wrong, by the path of the row or group."""
    found: dict[Path, list[str]] = {}
    for path, node in walk(draft):
        if isinstance(node, DraftLeaf) and (said := _unfinished(node)):
            found.setdefault(path, []).append(said)
    try:
        seen(read_rule(draft.to_json()))
    except InvalidRule as invalid:
        for problem in invalid.problems:
            loc = problem["loc"] if isinstance(problem["loc"], list) else []
            path = tuple(step for step in loc if isinstance(step, int))
            if path not in found or not isinstance(_at(draft, path), DraftLeaf):
                found.setdefault(path, []).append(str(problem["msg"]))
    return found


def _at(draft: DraftGroup, path: Path) -> Any:
    return dict(walk(draft)).get(path)


def _unfinished(leaf: DraftLeaf) -> str:
    if not leaf.field:
        return _("Choose what to ask for.")
    shape = leaf.choice.shape
    if shape is Shape.NOTHING:
        return ""
    if shape is Shape.NAMES and not leaf.values:
        return _("Choose at least one.")
    wanted = leaf.values[:2] if shape is Shape.RANGE else leaf.values[:1]
    if not wanted or not all(value.strip() for value in wanted):
        return _("Write a value.")
    if leaf.choice.reads == "number" and not all(_is_number(value) for value in wanted):
        return _("Write a number, such as 49 or 0.5.")
    return ""


def _is_number(text: str) -> bool:
    from customers.admin.segments.drafts import number_or_text

    return not isinstance(number_or_text(text), str)


def _without(draft: DraftGroup, problems: dict[Path, list[str]]) -> tuple[JSONValue, dict[Path, Path]]:
    """Answer the rule without the rows that are wrong, and where its nodes stand in the draft.

    A group of which nothing is left goes too: "any of nothing" would be nobody.
    """
    paths: dict[Path, Path] = {(): ()}

    def keep(group: DraftGroup, path: Path, new: Path) -> dict[str, Any]:
        kept: list[Any] = []
        for index, node in enumerate(group.nodes):
            old, place = (*path, index), (*new, len(kept))
            if old in problems:
                continue
            if isinstance(node, DraftGroup):
                inner = keep(node, old, place)
                if node.nodes and not inner["rules"]:
                    continue
                kept.append(inner)
            else:
                kept.append(node.to_json())
            paths[place] = old
        return {**DraftGroup(group.kind).to_json(), "rules": kept}

    whole = keep(draft, (), ())
    if draft.nodes and not whole["rules"]:
        whole = DraftGroup().to_json()
    return whole, paths


def _odd(draft: DraftGroup, look: Look, rule: Group, segment: Segment, paths: dict[Path, Path]) -> list[str]:
    """Answer what is probably not meant: the hints about the rule, and what its numbers tell."""
    hints = {paths.get(hint.path, ()): hint.message for hint in reversed(lint(rule, segment.moment()))}
    said = [_at_row(path, message) for path, message in sorted(hints.items())]
    found = look.found
    if found is None or not found.total.number or not found.count.is_exact:
        return said
    for path, node in walk(draft):
        count = look.counts.get(path)
        if path in hints or not isinstance(node, DraftLeaf) or count is None or not count.is_exact:
            continue
        if count.number == 0:
            said.append(_at_row(path, _("It matches nobody.")))
        elif count.number == found.total.number:
            said.append(_at_row(path, _("It matches everybody, and narrows nothing.")))
    if found.count.number == 0 and draft.nodes and not look.problems and not said:
        said.append(_("Each row matches somebody, but nobody matches all of this."))
    return said


def _at_row(path: Path, message: str) -> str:
    place = ".".join(str(step + 1) for step in path)
    return _("Row %(place)s: %(message)s") % {"place": place, "message": message} if path else message
