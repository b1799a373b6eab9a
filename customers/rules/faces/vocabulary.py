"""The words of the two faces, and what may stand without quotes."""

from __future__ import annotations

import re
from dataclasses import dataclass

from customers.rules.fields import BY_LABEL, BY_TEXT, FIELDS, Field
from customers.rules.operators import OPERATORS, Operator

RESERVED = ("and", "or", "not")
NUMBER = re.compile(r"-?[0-9]{1,30}(\.[0-9]{1,30})?([eE][+-]?[0-9]{1,3})?\Z")
PLAIN_KEY = re.compile(r"\w+(?:[.-]\w+)*")
PLAIN_TEXT = re.compile(r"\w(?:[\w.@/+:-]*\w)?")


@dataclass(frozen=True)
class Face:
    """How a face says groups, fields and operators.

    `quotes_texts`: texts stand in quotes, always. `word` is what a value without quotes may look like.
    """

    opening: str
    closing: str
    negation: str
    every: str
    some: str
    everybody: str
    nobody: str
    fields: dict[str, Field]
    operators: dict[str, Operator]
    quotes_texts: bool
    word: re.Pattern[str]

    def words_of(self, operator: Operator) -> str:
        """Answer how the face says an operator; `{}` stands for the value."""
        return operator.sentence if self.quotes_texts else operator.text

    def name_of(self, field: Field) -> str:
        """Answer how the face calls a field of ours."""
        return field.label if self.quotes_texts else field.text


TEXT = Face(
    opening="",
    closing="",
    negation="not",
    every="all",
    some="any",
    everybody="everybody",
    nobody="nobody",
    fields={**FIELDS, **BY_TEXT},
    operators={operator.text: operator for operator in OPERATORS.values()},
    quotes_texts=False,
    word=re.compile(r'[^\s()",]+'),
)
SENTENCE = Face(
    opening="Customers where",
    closing=".",
    negation="it is not true that",
    every="all of",
    some="one of",
    everybody="everything fits",
    nobody="nothing fits",
    fields=BY_LABEL,
    operators={operator.sentence: operator for operator in OPERATORS.values()},
    quotes_texts=True,
    word=re.compile(r'[^\s()",]*[^\s()",.]'),
)
