"""Reading rules: from JSON to the tree, with the path of everything that is wrong."""

from __future__ import annotations

from collections.abc import Mapping

from customers.changes import Changed
from customers.rules.asking import Asked, During, WrongLeaf, asked_by
from customers.rules.fields import Kind
from customers.rules.tree import DEEPEST_GROUP, MOST_LEAVES, VERSION, Group, Leaf, Node, leaves
from parlant_site.common.errors import BadInput
from parlant_site.common.json import JSONValue

# react-querybuilder puts these on nodes for its own use.
_IGNORED = {"id", "path", "valueSource", "inputType", "valueEditorType"}


class InvalidRule(BadInput):
    """The rule cannot be used: problems with `loc` such as ["rules", 0, "value"]."""


def read_rule(given: JSONValue) -> Group:
    """Read a rule in react-querybuilder's shape; InvalidRule names every wrong leaf by its path."""
    problems: list[dict[str, JSONValue]] = []
    if isinstance(given, Mapping):
        version = given.get("version", VERSION)
        if version != VERSION or isinstance(version, bool):
            problems.append(_problem(["version"], f"This is not version {VERSION} of the rule language", version))
        given = {key: value for key, value in given.items() if key != "version"}
    rule = _node(given, [], 1, problems)
    if isinstance(rule, Leaf):
        problems.append(_problem([], "A rule is a group: {combinator, not, rules}", given))
    if not problems and (number := sum(1 for _ in leaves(rule))) > MOST_LEAVES:
        problems.append(_problem([], f"A rule has {MOST_LEAVES} leaves at most, this one {number}", None))
    if problems:
        raise InvalidRule(problems)
    assert isinstance(rule, Group)
    return rule


def check_rule(rule: Group) -> Group:
    """Check a rule that was put together in Python or read from text, and answer it."""
    from customers.rules.tree import to_json

    return read_rule(to_json(rule))


def _problem(loc: list[JSONValue], msg: str, given: JSONValue) -> dict[str, JSONValue]:
    return {"loc": loc, "msg": msg, "type": "rule", "input": given}


def _node(given: JSONValue, loc: list[JSONValue], depth: int, problems: list[dict[str, JSONValue]]) -> Node:
    if not isinstance(given, dict):
        problems.append(_problem(loc, "Write an object: a group or a rule", given))
        return Group("and")
    given = {key: value for key, value in given.items() if key not in _IGNORED}
    known = {"combinator", "not", "rules"} if "rules" in given else {"field", "operator", "value"}
    for key in given.keys() - known:
        problems.append(_problem([*loc, key], f"Expected only {', '.join(sorted(known))}", given[key]))
    return _group(given, loc, depth, problems) if "rules" in given else _leaf(given, loc, problems)


def _group(
    given: dict[str, JSONValue], loc: list[JSONValue], depth: int, problems: list[dict[str, JSONValue]]
) -> Group:
    combinator, negated, rules = given.get("combinator"), given.get("not", False), given["rules"]
    if combinator not in ("and", "or"):
        problems.append(_problem([*loc, "combinator"], 'Write "and" or "or"', combinator))
    if not isinstance(negated, bool):
        problems.append(_problem([*loc, "not"], "Write true or false", negated))
    if not isinstance(rules, list):
        problems.append(_problem([*loc, "rules"], "Write a list", rules))
        rules = []
    if depth > DEEPEST_GROUP:
        problems.append(_problem(loc, f"Groups may be nested {DEEPEST_GROUP} deep at most", None))
        rules = []
    inner = [_node(child, [*loc, "rules", index], depth + 1, problems) for index, child in enumerate(rules)]
    return Group("or" if combinator == "or" else "and", tuple(inner), negated=negated is True)


def _leaf(given: dict[str, JSONValue], loc: list[JSONValue], problems: list[dict[str, JSONValue]]) -> Leaf:
    for part in ("field", "operator"):
        if not isinstance(given.get(part), str):
            problems.append(_problem([*loc, part], "Write a text", given.get(part)))
            return Leaf("", "")
    leaf = Leaf(str(given["field"]), str(given["operator"]), given.get("value"))
    if leaf.value == "" and leaf.operator in ("empty", "notEmpty", "exists", "missing", "isTrue", "isFalse"):
        leaf = Leaf(leaf.field, leaf.operator)  # react-querybuilder's "no value"
    try:
        asked_by(leaf)
    except WrongLeaf as wrong:
        problems.append(_problem([*loc, wrong.part], str(wrong), given.get(wrong.part)))
    return leaf


def asked_in(rule: Group) -> list[Asked]:
    """Answer what the leaves of a valid rule ask, in order."""
    return [asked_by(leaf) for _, leaf in leaves(rule)]


def uses_of(rule: Group) -> Changed:
    """Answer which changes of a customer can turn the rule's answer; a new customer counts as a changed profile."""
    uses = Changed.PROFILE
    for asked in asked_in(rule):
        uses |= asked.field.uses
    return uses


def is_relative(rule: Group) -> bool:
    """Whether the rule's answer can turn just because time passes."""
    return any(isinstance(asked.test, During) and asked.test.is_relative for asked in asked_in(rule))


def referenced(rule: Group, kind: Kind) -> set[str]:
    """Answer the ids of the tags, or of the segments, that a rule names."""
    found: set[str] = set()
    for asked in asked_in(rule):
        if asked.field.kind is kind:
            found.update(getattr(asked.test, "ids", ()))
    return found
