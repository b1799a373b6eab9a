"""Writing rules as text and as a sentence."""

from __future__ import annotations

import json

from customers.rules.faces.names import AsIds, Names
from customers.rules.faces.vocabulary import NUMBER, PLAIN_KEY, PLAIN_TEXT, RESERVED, SENTENCE, TEXT, Face
from customers.rules.fields import METADATA_PREFIX, Field, Kind, field_named
from customers.rules.operators import OPERATORS, Shape
from customers.rules.tree import Group, Leaf, Node
from parlant_site.common.json import JSONValue
from parlant_site.common.personal import MASK


def write_text(rule: Group, names: Names | None = None) -> str:
    """Write a valid rule as text; `names` says how tags and segments are called (without it, their ids are written)."""
    return _Writer(TEXT, names or AsIds()).root(rule)


def write_sentence(rule: Group, names: Names | None = None) -> str:
    """Write a valid rule as an English sentence."""
    if not rule.negated and not rule.rules:
        return "All customers." if rule.combinator == "and" else "No customers."
    return f"{SENTENCE.opening} {_Writer(SENTENCE, names or AsIds()).root(rule)}{SENTENCE.closing}"


def write_leaf(leaf: Leaf, names: Names | None = None, *, sentence: bool = False) -> str:
    """Write one valid leaf."""
    return _Writer(SENTENCE if sentence else TEXT, names or AsIds()).leaf(leaf)


class _Writer:
    def __init__(self, face: Face, names: Names) -> None:
        self.face = face
        self.names = names

    def root(self, rule: Group) -> str:
        if len(rule.rules) == 1 and rule.combinator == "and" and isinstance(rule.rules[0], Leaf) and not rule.negated:
            return self.leaf(rule.rules[0])
        return self.expression(rule)

    def expression(self, node: Node) -> str:
        """Write a node where it stands alone: a list needs no parentheses."""
        if isinstance(node, Group) and len(node.rules) > 1 and not node.negated:
            return f" {node.combinator} ".join(self.part(child) for child in node.rules)
        return self.part(node)

    def part(self, node: Node) -> str:
        if isinstance(node, Leaf):
            return self.leaf(node)
        face = self.face
        if not node.rules:
            written = face.everybody if node.combinator == "and" else face.nobody
        elif len(node.rules) > 1:
            written = f"({self.expression(Group(node.combinator, node.rules))})"
        elif node.negated and node.combinator == "and" and isinstance(node.rules[0], Leaf):
            written = self.leaf(node.rules[0])
        else:
            written = f"{face.every if node.combinator == 'and' else face.some}({self.expression(node.rules[0])})"
            written = written if not face.quotes_texts else written.replace("(", " (", 1)
        return f"{face.negation} {written}" if node.negated else written

    def leaf(self, leaf: Leaf) -> str:
        field, operator = field_named(leaf.field), OPERATORS[leaf.operator]
        assert field
        if not self.face.quotes_texts and operator.name == "any" and len(_texts(leaf.value)) == 1:
            return f"{field.text}:{self.name(field, _texts(leaf.value)[0])}"
        words, value = self.face.words_of(operator), self.value(field, operator.shape, leaf.value)
        said = words.replace("{}", value) if "{}" in words else f"{words} {value}".rstrip()
        return f"{self.field(field)} {said}"

    def field(self, field: Field) -> str:
        if field.kind is not Kind.METADATA:
            return self.face.name_of(field)
        return METADATA_PREFIX + (field.key if PLAIN_KEY.fullmatch(field.key) else _quoted(field.key))

    def value(self, field: Field, shape: Shape, value: JSONValue) -> str:
        if shape is Shape.NOTHING:
            return ""
        if value is MASK:  # the very mask, not a text that looks like it: see given.masked
            return MASK
        if shape is Shape.RANGE:
            assert isinstance(value, list)
            return f"{self.literal(value[0], is_date=True)} and {self.literal(value[1], is_date=True)}"
        if shape in (Shape.TEXTS, Shape.NAMES):
            entries = [self.name(field, key) if shape is Shape.NAMES else self.literal(key) for key in _texts(value)]
            return ", ".join(entries) if self.face.quotes_texts else f"({', '.join(entries)})"
        if shape in (Shape.LENGTH, Shape.PERIOD):
            return str(value)
        return self.literal(value, is_date=shape is Shape.DATE)

    def literal(self, value: JSONValue, *, is_date: bool = False) -> str:
        if not isinstance(value, str):
            return repr(value)
        if self.face.quotes_texts and not is_date:
            return _quoted(value)
        plain = PLAIN_TEXT.fullmatch(value) and not NUMBER.match(value) and value.lower() not in RESERVED
        return value if plain else _quoted(value)

    def name(self, field: Field, key: str) -> str:
        name = self.names.name_of(field.kind, key)
        if name is not None and self.names.id_of(field.kind, name) == key:
            return self.literal(name)
        return f"#{key}" if PLAIN_TEXT.fullmatch(key) else f"#{_quoted(key)}"


def _texts(value: JSONValue) -> list[str]:
    assert isinstance(value, list)
    return [str(entry) for entry in value]


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
