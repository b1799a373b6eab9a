"""Rules as callers give them: as JSON, text or sentence, and only about what the caller may see."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, cast

from customers.rules.faces import DatabaseNames, read_sentence, read_text
from customers.rules.fields import METADATA_PREFIX
from customers.rules.reading import InvalidRule, read_rule
from customers.rules.tree import Group, Node, leaves
from customers.segments.models import Segment
from parlant_site.common.errors import BadInput, NotFound
from parlant_site.common.json import JSONValue
from parlant_site.common.personal import MASK, may, sight

SEES_SEGMENTS = "customers.view_segment"
# Names and ids of customers are for those who may see customers; numbers are for all who may see segments.
SEES_CUSTOMERS = "customers.view_customer"
SEES_WHO = (SEES_SEGMENTS, SEES_CUSTOMERS)
CHANGES_WHO = ("customers.change_segment", SEES_CUSTOMERS)
SAY_WHO = frozenset({"id", "name"})  # fields that tell who a customer is
FACES = ("rule", "text", "sentence")


def given_rule(given: Mapping[str, Any], *, where: str = "body") -> Group | None:
    """Answer the rule that a request gives as `rule` (JSON), `text` or `sentence`; None when it gives none.

    InvalidRule names the place of everything that is wrong. A rule about personal metadata, names or ids is refused to
    whoever may not see them: counts of "begins with a", "begins with b" would spell the value out.
    """
    faces = [face for face in FACES if face in given]
    if not faces:
        return None
    if len(faces) > 1:
        raise BadInput.at(faces[1], msg=f"Give the rule once: there is `{faces[0]}` already").under(where)
    (face,) = faces
    try:
        return seen(read_face(face, given[face]))
    except InvalidRule as invalid:
        raise invalid.under(where, face) from None


def read_face(face: str, given: JSONValue) -> Group:
    """Read a rule from one of its faces; InvalidRule."""
    if face == "rule":
        return read_rule(given)
    read = read_text if face == "text" else read_sentence
    return read(str(given), DatabaseNames())


def masked(rule: Group) -> Group:
    """Answer a rule as the caller may see it, not to be carried out: a mask for each value of a hidden field."""
    hidden = hidden_fields()
    return cast(Group, _masked(rule, hidden)) if hidden else rule


def hidden_fields() -> frozenset[str]:
    """Answer the fields of rules whose values the caller may not see: personal keys, and who a customer is."""
    who = frozenset() if may(SEES_CUSTOMERS) else SAY_WHO
    return who | {f"{METADATA_PREFIX}{key}" for key in sight().hidden}


def _masked(node: Node, hidden: frozenset[str]) -> Node:
    if isinstance(node, Group):
        return replace(node, rules=tuple(_masked(child, hidden) for child in node.rules))
    return replace(node, value=MASK) if node.field in hidden and node.value is not None else node


def seen(rule: Group) -> Group:
    """Answer a rule about what the caller may see; InvalidRule names the leaves about anything else."""
    hidden = hidden_fields()
    problems: list[dict[str, JSONValue]] = []
    for path, leaf in leaves(rule):
        what = ""
        if leaf.field == "segments" and not may(SEES_SEGMENTS):
            what = "segments"
        if leaf.field in hidden:
            what = "names and ids of customers" if leaf.field in SAY_WHO else "these personal data"
        if what:
            loc: list[JSONValue] = []
            for index in path:
                loc += ["rules", index]
            said = f"You may not see {what}, nor ask for them"
            problems.append({"loc": [*loc, "field"], "msg": said, "type": "rule", "input": leaf.field})
    if problems:
        raise InvalidRule(problems)
    return rule


def seen_segment(key: str, *, by_name: bool = False) -> Segment:
    """Answer a segment by its id (or, then, by its name); NotFound, also to whoever may not see segments."""
    if may(SEES_SEGMENTS):
        found = Segment.objects.filter(pk=key).first()
        if found is None and by_name:
            found = Segment.objects.filter(name=key).first()
        if found is not None:
            return found
    raise NotFound("Segment", key)


@contextmanager
def placed(where: str) -> Iterator[None]:
    """Say of what is refused inside the block that it stands in a part of the request, such as the body."""
    try:
        yield
    except BadInput as bad:
        raise bad.under(where) from None
