"""Reading rules from text and from sentences, with the place of everything that is wrong."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field as attribute
from difflib import get_close_matches

from customers.rules.faces.names import AsIds, Names
from customers.rules.faces.scanning import Scanner, UnreadableRule
from customers.rules.faces.values import ValueReader
from customers.rules.faces.vocabulary import SENTENCE, TEXT, Face
from customers.rules.fields import METADATA_PREFIX, Field, Kind, metadata_field
from customers.rules.operators import OPERATORS, Operator, operators_of
from customers.rules.reading import InvalidRule, read_rule
from customers.rules.tree import MOST_LEAVES, Combinator, Group, Leaf, Node, to_json
from parlant_site.common.json import JSONValue

MOST_PARENTHESES = 20
# Who writes plan:pro asks for a field, though any other word is looked for in the name.
_FIELD = re.compile(r"[^\W\d]\w*:")
_NOTHING = "something to ask for is missing here, such as name = Ada"
_QUOTE_IT = " A name with a colon in it stands in quotes"
__all__ = ["UnreadableRule", "read_sentence", "read_text"]


def read_text(text: str, names: Names | None = None) -> Group:
    """Read a rule from text; UnreadableRule says where it is wrong, and why.

    `names` finds tags and segments by name; without it what is written is taken for ids. The empty text is everybody.
    """
    return _Parser(TEXT, text, names or AsIds()).rule()


def read_sentence(text: str, names: Names | None = None) -> Group:
    """Read a rule from a sentence as write_sentence writes it."""
    return _Parser(SENTENCE, text, names or AsIds()).rule()


@dataclass
class _Parsed:
    """A node and where it stands in the text; of a leaf also where its field, operator and value stand."""

    node: Node
    start: int
    end: int
    parts: dict[str, tuple[int, int]] = attribute(default_factory=dict)
    children: list[_Parsed] = attribute(default_factory=list)

    def at(self, loc: list[JSONValue]) -> tuple[int, int]:
        """Answer the place of what the path of a problem names."""
        if len(loc) >= 2 and loc[0] == "rules" and isinstance(loc[1], int) and loc[1] < len(self.children):
            return self.children[loc[1]].at(loc[2:])
        return self.parts.get(str(loc[0]) if loc else "", (self.start, self.end))


class _Parser(Scanner):
    def __init__(self, face: Face, text: str, names: Names) -> None:
        super().__init__(text)
        self.face = face
        self.values = ValueReader(self, face, names)
        self.depth = 0
        self.leaves = 0

    def rule(self) -> Group:
        parsed = self.whole()
        group = parsed.node if isinstance(parsed.node, Group) else Group("and", (parsed.node,))
        if group is not parsed.node:
            parsed = _Parsed(group, parsed.start, parsed.end, children=[parsed])
        try:
            return read_rule(to_json(group))
        except InvalidRule as invalid:
            raise UnreadableRule.of(
                self.text,
                [(*parsed.at(loc), str(p["msg"])) for p in invalid.problems if isinstance(loc := p["loc"], list)],
            ) from None

    def whole(self) -> _Parsed:
        face = self.face
        if face is SENTENCE:
            for words, combinator in (("All customers", "and"), ("No customers", "or")):
                if self.phrase(words):
                    self.end()
                    return _Parsed(Group("or" if combinator == "or" else "and"), 0, len(self.text))
            if not self.phrase(face.opening):
                raise self.error(f'A sentence begins with "{face.opening}"')
        elif self.at_end:
            return _Parsed(Group("and"), 0, 0)
        parsed = self.expression()
        self.end()
        return parsed

    def end(self) -> None:
        if self.face.closing:
            self.mark(self.face.closing)
        if not self.at_end:
            what = "this parenthesis was not opened" if self.peek() == ")" else 'expected "and" or "or" here'
            raise self.error(what if self.peek() == ")" else f"{what}; a text with spaces stands in quotes")

    def expression(self) -> _Parsed:
        """Read parts joined by `or`, each of parts joined by `and`."""
        return self.joined("or", lambda: self.joined("and", self.part))

    def joined(self, combinator: Combinator, part: Callable[[], _Parsed]) -> _Parsed:
        parts = [part()]
        while self.phrase(combinator):
            parts.append(part())
        if len(parts) == 1:
            return parts[0]
        group = Group(combinator, tuple(child.node for child in parts))
        return _Parsed(group, parts[0].start, parts[-1].end, children=parts)

    def part(self) -> _Parsed:
        face, start = self.face, self.here
        self.depth += 1
        if self.depth > MOST_PARENTHESES:
            raise self.error("this is nested too deep")
        try:
            if self.phrase(face.negation):
                return self.negated(start, self.part())
            for words, empty in ((face.everybody, Group("and")), (face.nobody, Group("or"))):
                if self.phrase(words):
                    return _Parsed(empty, start, self.place)
            for words, combinator in ((face.every, "and"), (face.some, "or")):
                if self.phrase(words, before="("):
                    inner = self.parenthesised()
                    group = Group("or" if combinator == "or" else "and", (inner.node,))
                    return _Parsed(group, start, self.place, children=[inner])
            return self.parenthesised() if self.peek() == "(" else self.leaf()
        finally:
            self.depth -= 1

    def negated(self, start: int, inner: _Parsed) -> _Parsed:
        node = inner.node
        if isinstance(node, Group) and not node.negated:
            turned = Group(node.combinator, node.rules, negated=True)
            return _Parsed(turned, start, inner.end, children=inner.children)
        return _Parsed(Group("and", (node,), negated=True), start, inner.end, children=[inner])

    def parenthesised(self) -> _Parsed:
        opened = self.here
        self.mark("(")
        inner = self.expression()
        if not self.mark(")"):
            if self.at_end:
                raise self.error("this parenthesis is not closed", opened, opened + 1)
            raise self.error('expected "and", "or" or a closing parenthesis here')
        return inner

    def leaf(self) -> _Parsed:
        start = self.here
        if self.at_end:
            raise self.error(_NOTHING)
        self.leaves += 1
        if self.leaves > MOST_LEAVES:  # at once: a text may be very long
            raise self.error(f"a rule has {MOST_LEAVES} leaves at most")
        field = self.field()
        if field is None:
            return self.searched(start)
        field_end, operator_start = self.place, self.here
        if self.face is TEXT and self.mark(":"):
            if field.kind not in (Kind.TAGS, Kind.SEGMENTS):
                raise self.error(f"write {field.text} = ... or {field.text} contains ...", start, self.place)
            operator = OPERATORS["any"]
        else:
            operator = self.operator(field)
        operator_end, value_start = self.place, self.here
        value = self.values.read(field, operator)
        self.place = max(self.place, operator_end)
        parts = {
            "field": (start, field_end),
            "operator": (operator_start, operator_end),
            "value": (min(value_start, self.place), self.place),
        }
        return _Parsed(Leaf(field.name, operator.name, value), start, self.place, parts)

    def field(self) -> Field | None:
        if self.mark(METADATA_PREFIX):
            key = self.string() if self.peek(skip=False) == '"' else self.key()
            if key is None:
                raise self.error('a key is missing behind "metadata."; odd keys stand in quotes')
            return metadata_field(key)
        name = self.longest(self.face.fields)
        return self.face.fields[name] if name is not None else None

    def operator(self, field: Field) -> Operator:
        face = self.face
        offered = {face.words_of(OPERATORS[name]): OPERATORS[name] for name in operators_of(field)}
        words = self.longest(offered)
        if words is not None:
            return offered[words]
        known = ", ".join(written.replace("{}", "...") for written in offered)
        raise self.error(f"{face.name_of(field)} takes one of: {known}", *self.next_word())

    def searched(self, start: int) -> _Parsed:
        """Read a text that stands alone: it is looked for in the name."""
        if self.face is not TEXT:
            raise self.error(f"expected one of: {', '.join(self.face.fields)}, {METADATA_PREFIX}...", *self.next_word())
        quoted = self.peek() == '"'
        word = self.string() if quoted else self.values.word()
        if word is None:
            raise self.error(_NOTHING)
        end = self.place
        if not quoted and (_FIELD.match(word) or self.peek() == ":" or self.longest(self.face.operators) is not None):
            called = word.partition(":")[0]
            near = get_close_matches(called, self.face.fields, n=1) or [METADATA_PREFIX + called]
            raise self.error(f"there is no field {called!r}; did you mean {near[0]}?{_QUOTE_IT}", start, end)
        return _Parsed(Leaf("name", "contains", word), start, end, {"value": (start, end)})
