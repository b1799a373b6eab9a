"""Reading the values of leaves."""

from __future__ import annotations

import re
from collections.abc import Callable
from difflib import get_close_matches

from customers.rules.faces.names import Names
from customers.rules.faces.scanning import Scanner
from customers.rules.faces.vocabulary import NUMBER, RESERVED, Face
from customers.rules.fields import Field, Kind
from customers.rules.operators import Operator, Shape
from customers.rules.periods import Length
from parlant_site.common.json import JSONValue

_LENGTH = re.compile(r"[0-9]+\s+[A-Za-z]+")
_PERIOD = re.compile(r"\w+")


class ValueReader:
    """Reads what an operator takes, from a scanner."""

    def __init__(self, scanner: Scanner, face: Face, names: Names) -> None:
        self.scanner = scanner
        self.face = face
        self.names = names

    def read(self, field: Field, operator: Operator) -> JSONValue:
        """Read the value of a field's operator and the operator's words that follow it."""
        shape = operator.shape
        if shape is Shape.NOTHING:
            return None
        if shape is Shape.LENGTH:
            return self._length(operator)
        if shape is Shape.PERIOD:
            return (self.scanner.pattern(_PERIOD) or self._missing(shape)).lower()
        if shape is Shape.RANGE:
            first = self._literal(shape, numbers=True)
            if not self.scanner.phrase("and"):
                raise self.scanner.error('"and" and the end of the range are missing here')
            return [first, self._literal(shape, numbers=True)]
        if shape is Shape.NAMES:
            return [*self._list(lambda: self._name(field))]
        if shape is Shape.TEXTS:
            return [*self._list(lambda: self._literal(shape, numbers=False))]
        is_text = shape in (Shape.TEXT, Shape.DATE) or (shape is Shape.LITERAL and field.kind is Kind.TEXT)
        return self._literal(shape, numbers=not is_text)

    def word(self) -> str | None:
        """Read a word without quotes."""
        return self.scanner.pattern(self.face.word)

    def _missing(self, shape: Shape) -> str:
        raise self.scanner.error(f"{shape.value} is missing here")

    def _literal(self, shape: Shape, *, numbers: bool) -> JSONValue:
        scanner = self.scanner
        if scanner.peek() == '"':
            return scanner.string()
        start = scanner.here
        word = self.word()
        if word is None or word.lower() in RESERVED:
            scanner.place = start
            self._missing(shape)
        assert word
        if numbers and NUMBER.match(word):
            return float(word) if set(word) & set(".eE") else int(word)
        return word

    def _length(self, operator: Operator) -> str:
        scanner, start = self.scanner, self.scanner.here
        written = scanner.pattern(_LENGTH)
        if written is None:
            raise scanner.error('a length of time is missing here, such as "7 days"')
        try:
            length = str(Length.read(" ".join(written.lower().split())))
        except ValueError as error:
            raise scanner.error(str(error), start, scanner.place) from None
        rest = self.face.words_of(operator).partition("{}")[2].strip()
        if rest and not scanner.phrase(rest):
            raise scanner.error(f'"{rest}" is missing here')
        return length

    def _list(self, entry: Callable[[], JSONValue]) -> list[JSONValue]:
        scanner = self.scanner
        opened = scanner.here if scanner.mark("(") else None
        entries = [entry()]
        while scanner.mark(","):
            entries.append(entry())
        if opened is not None and not scanner.mark(")"):
            if scanner.at_end:
                raise scanner.error("this list is not closed", opened - 1, opened)
            raise scanner.error("expected a comma or a closing parenthesis here")
        return entries

    def _name(self, field: Field) -> str:
        scanner, start = self.scanner, self.scanner.here
        if scanner.mark("#"):
            return str(self._literal(Shape.TEXT, numbers=False))
        name = str(self._literal(Shape.TEXT, numbers=False))
        key = self.names.id_of(field.kind, name)
        if key is None:
            near = get_close_matches(name, self.names.known(field.kind), n=1, cutoff=0.5)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise scanner.error(f"there is no {field.text} called {name!r}{hint}", start, scanner.place)
        return key
