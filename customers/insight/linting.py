"""What is valid in a rule but hardly meant: hints for whoever edits it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from customers.insight.catalogue import MetadataKey, metadata_keys
from customers.rules.asking import Asked, Bears, During, Equals, Known, Matches, Within, asked_by
from customers.rules.evaluating import test_of
from customers.rules.faces import DatabaseNames, Names, write_leaf
from customers.rules.fields import Kind
from customers.rules.periods import Moment
from customers.rules.tree import Group, Leaf, Node, Path, key_of, leaves, nodes
from customers.rules.values import FALSE_TEXTS, TRUE_TEXTS, Span
from parlant_site.common.json import JSONValue


@dataclass(frozen=True)
class Hint:
    """A hint about a node: `code` is one of always-true, always-false, empty-group, duplicate, unknown-key,
    never-number, never-date, never-boolean, gone, matches-all."""

    path: Path
    code: str
    message: str

    def to_json(self) -> dict[str, JSONValue]:
        """Answer {path, code, message}."""
        return {"path": [*self.path], "code": self.code, "message": self.message}


def lint(rule: Group, moment: Moment, names: Names | None = None) -> list[Hint]:
    """Answer hints about a valid rule, from the top down; at most three queries."""
    names = names or DatabaseNames()
    keys = {asked.field.key for asked in map(asked_by, _leaves(rule)) if asked.field.kind is Kind.METADATA}
    catalogue = {row.key: row for row in metadata_keys(keys)} if keys else {}
    hints: list[Hint] = []
    for path, node in nodes(rule):
        if isinstance(node, Group):
            hints += _of_group(node, path, moment, names)
        else:
            hints += _of_leaf(node, path, names, catalogue)
    return hints


def _leaves(rule: Node) -> Iterator[Leaf]:
    return (leaf for _, leaf in leaves(rule))


def _of_group(group: Group, path: Path, moment: Moment, names: Names) -> Iterator[Hint]:
    seen: set[str] = set()
    for place, child in enumerate(group.rules):
        if (key := key_of(child)) in seen:
            yield Hint((*path, place), "duplicate", "This says again what stands before it")
        seen.add(key)
    if not group.rules and path:
        everybody = (group.combinator == "and") is not group.negated
        yield Hint(path, "empty-group", f"The group is empty: it matches {'everybody' if everybody else 'nobody'}")
        return
    answer, reason = verdict(group, moment, names)
    if answer is not None and group.rules:
        yield Hint(path, f"always-{str(answer).lower()}", reason)


def verdict(node: Node, moment: Moment, names: Names) -> tuple[bool | None, str]:
    """Answer whether a node holds for everybody (True) or nobody (False), and why; None when that depends."""
    if isinstance(node, Leaf):
        return None, ""
    neutral = node.combinator == "and"
    verdicts = [verdict(child, moment, names) for child in node.rules]
    found: tuple[bool | None, str] = (None, "")
    if all(answer is neutral for answer, _ in verdicts):
        found = neutral, "Every part of it does"
    for answer, reason in verdicts:
        if answer is (not neutral):
            found = answer, reason
    if found[0] is None and (clash := _clash(node, moment)):
        texts = " and ".join(write_leaf(leaf, names) for leaf in clash)
        # What cannot hold together, holds never under `and`; what cannot fail together, always under `or`.
        found = not neutral, f"Nobody can fit both: {texts}" if neutral else f"Everybody fits one of: {texts}"
    if found[0] is None or not node.negated:
        return found
    return not found[0], found[1]


def _clash(group: Group, moment: Moment) -> tuple[Leaf, Leaf] | None:
    """Answer two leaves that exclude each other (under `and`), or whose complements do (under `or`)."""
    flips = group.combinator == "or"
    children = [leaf for leaf in group.rules if isinstance(leaf, Leaf)]
    asked = [asked_by(leaf) for leaf in children]
    asked = [Asked(one.field, one.test, one.negated is not flips) for one in asked]
    for place, one in enumerate(asked):
        for other_place in range(place):
            other = asked[other_place]
            if one.field == other.field and _exclude(one, other, moment):
                return children[other_place], children[place]
    return None


def _exclude(one: Asked, other: Asked, moment: Moment) -> bool:
    """Whether no value fits both; when in doubt, one does."""
    if one.test == other.test:
        return one.negated is not other.negated
    for first, second in ((one, other), (other, one)):
        # "missing" and anything that needs a value
        if isinstance(first.test, Known) and first.negated and not second.negated:
            return True
        if isinstance(first.test, Equals) and not first.negated:
            fits = test_of(second, moment)
            return not any(fits(text) is not second.negated for text in first.test.texts)
    if one.negated or other.negated:
        return False
    if isinstance(one.test, Within) and isinstance(other.test, Within):
        return _apart(one.test, other.test)
    if isinstance(one.test, During) and isinstance(other.test, During):
        return _spans_apart(one.test.span(moment), other.test.span(moment))
    # No text is both a number and a date.
    return {type(one.test), type(other.test)} == {Within, During}


def _apart(one: Within, other: Within) -> bool:
    for low, high in ((one, other), (other, one)):
        if low.low is not None and high.high is not None:
            is_open = low.is_open or high.is_open
            if low.low > high.high or (is_open and low.low == high.high):
                return True
    return False


def _spans_apart(one: Span, other: Span) -> bool:
    # By both clocks: values without a zone are compared with the wall's.
    for first, second in ((one, other), (other, one)):
        if first.start and second.end and first.start.utc >= second.end.utc and first.start.wall >= second.end.wall:
            return True
    return False


def _of_leaf(leaf: Leaf, path: Path, names: Names, catalogue: Mapping[str, MetadataKey]) -> Iterator[Hint]:
    asked = asked_by(leaf)
    test = asked.test
    if isinstance(test, Bears):
        for key in test.ids:
            if names.name_of(asked.field.kind, key) is None:
                yield Hint(path, "gone", f"There is no {asked.field.text} {key!r} any more")
    if isinstance(test, Matches) and test.pattern.found_in("") and test.pattern.found_in("\x01 a,Z9\n"):
        yield Hint(path, "matches-all", "The pattern is found in every text; write ^ and $ for its ends")
    if asked.field.kind is Kind.NUMBER and isinstance(test, Within) and _is_below_zero(test):
        yield Hint(path, f"always-{str(asked.negated).lower()}", f"{asked.field.label} is never less than 0")
    if asked.field.kind is not Kind.METADATA or isinstance(test, Known):
        return
    row = catalogue.get(asked.field.key)
    if row is None or not row.customers:
        yield Hint(path, "unknown-key", f"No customer has the metadata key {asked.field.key!r}")
        return
    needed = {Within: "number", During: "date"}.get(type(test))
    if isinstance(test, Equals) and test.texts in (TRUE_TEXTS, FALSE_TEXTS):
        needed = "boolean"
    if needed and needed not in row.types:
        shown = ", ".join(row.types)
        yield Hint(path, f"never-{needed}", f"No value of {asked.field.key!r} is a {needed}: they are of type {shown}")


def _is_below_zero(test: Within) -> bool:
    return test.high is not None and (test.high < 0 or (test.is_open and test.high == 0))
