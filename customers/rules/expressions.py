"""The SQL expressions that rules need beyond Django's, for SQLite and PostgreSQL; they may be NULL (see compiling.py).

What comes from a rule is bound. Only constants of ours stand in the SQL.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import BooleanField, F, FloatField, Func, TextField
from django.db.models.expressions import Expression

from customers.rules.asking import Contains
from customers.rules.values import DIGITS, LONGEST_NUMBER, NUMBER, WALL_MOMENT, ZONED_MOMENT, Edge, Span, utc_micros
from parlant_site.common.rendering import dumps

SQL = tuple[str, list[Any]]
# Stored JSON writes these keys as they are, and a path of SQLite can name them.
_PLAIN_KEY = re.compile(r"[0-9A-Za-z_ .:/@+-]*\Z")


class _Condition(Func):
    """An expression over one operand that is true, false or NULL."""

    output_field = BooleanField()

    def operand(self, compiler: Any) -> SQL:
        sql, parameters = compiler.compile(self.source_expressions[0])
        return sql, list(parameters)


class MetadataText(Func):
    """The text under a metadata key; NULL when there is none.

    Of what is no text in JSON it is whatever the database makes of it: ask IsText too, and behind, for few are asked.
    """

    output_field = TextField()

    def __init__(self, key: str, column: Expression | F | None = None) -> None:
        super().__init__(column or F("metadata"))
        self.key = key

    def as_postgresql(self, compiler: Any, connection: Any, **_: Any) -> SQL:
        """Answer the SQL for PostgreSQL."""
        sql, parameters = compiler.compile(self.source_expressions[0])
        return f"({sql} ->> %s::text)", [*parameters, self.key]

    def as_sqlite(self, compiler: Any, connection: Any, **_: Any) -> SQL:  # type: ignore[override]
        """Answer the SQL for SQLite; keys that its paths cannot name are looked for one by one."""
        sql, parameters = compiler.compile(self.source_expressions[0])
        if _PLAIN_KEY.match(self.key):
            path = f'$."{self.key}"'
            return f"json_extract({sql}, %s)", [*parameters, path]
        return (
            f"(SELECT entry.value FROM json_each({sql}) entry WHERE entry.key = %s AND entry.type = 'text')",
            [*parameters, self.key],
        )


class IsText(_Condition):
    """What is under a metadata key is a text."""

    def __init__(self, key: str) -> None:
        super().__init__(F("metadata"))
        self.key = key

    def as_postgresql(self, compiler: Any, connection: Any, **_: Any) -> SQL:
        """Answer the SQL for PostgreSQL."""
        sql, parameters = self.operand(compiler)
        return f"(jsonb_typeof({sql} -> %s::text) = 'string')", [*parameters, self.key]

    def as_sqlite(self, compiler: Any, connection: Any, **_: Any) -> SQL:  # type: ignore[override]
        """Answer the SQL for SQLite; of keys that its paths cannot name, MetadataText has seen to it."""
        return self.as_sqlite_of(compiler, self.source_expressions[0])

    def as_sqlite_of(self, compiler: Any, column: Any) -> SQL:
        """Answer the SQL for SQLite, of a column that was resolved."""
        if not _PLAIN_KEY.match(self.key):
            return "(1 = 1)", []
        sql, parameters = compiler.compile(column)
        return f"(json_type({sql}, %s) = 'text')", [*parameters, f'$."{self.key}"']


class HasMetadata(_Condition):
    """The metadata column holds a text under a key: by the index on metadata where there is one."""

    def __init__(self, key: str, text: str) -> None:
        super().__init__(F("metadata"))
        self.key, self.text = key, text

    def as_postgresql(self, compiler: Any, connection: Any, **_: Any) -> SQL:
        """Answer the SQL for PostgreSQL."""
        sql, parameters = self.operand(compiler)
        return f"({sql} @> %s::jsonb)", [*parameters, dumps({self.key: self.text}).decode()]

    def as_sqlite(self, compiler: Any, connection: Any, **_: Any) -> SQL:  # type: ignore[override]
        """Answer the SQL for SQLite."""
        sql, parameters = MetadataText(self.key, self.source_expressions[0]).as_sqlite(compiler, connection)
        is_text, more = IsText(self.key).as_sqlite_of(compiler, self.source_expressions[0])
        return f"({sql} = %s AND {is_text})", [*parameters, self.text, *more]


class NumberOf(Func):
    """The number that a text is; NULL when it is none."""

    output_field = FloatField()

    def as_postgresql(self, compiler: Any, connection: Any, **_: Any) -> SQL:
        """Answer the SQL for PostgreSQL: CASE keeps the cast from texts that are no numbers."""
        sql, parameters = compiler.compile(self.source_expressions[0])
        return (
            f"(CASE WHEN length({sql}) <= {LONGEST_NUMBER} AND ({sql} ~ '{DIGITS}' OR {sql} ~ '{NUMBER}')"
            f" THEN {sql}::float8 END)",
            [*parameters] * 4,
        )

    def as_sqlite(self, compiler: Any, connection: Any, **_: Any) -> SQL:  # type: ignore[override]
        """Answer the SQL for SQLite."""
        sql, parameters = compiler.compile(self.source_expressions[0])
        return f"parlant_number({sql})", list(parameters)


class Compared(_Condition):
    """A number compared with a bound one."""

    def __init__(self, operand: Any, sign: str, number: float) -> None:
        super().__init__(operand)
        assert sign in ("<", "<=", "=", ">", ">=")
        self.sign, self.number = sign, number

    def as_sql(self, compiler: Any, connection: Any, **_: Any) -> SQL:  # type: ignore[override]
        """Answer the SQL."""
        sql, parameters = self.operand(compiler)
        bound = "%s::float8" if connection.vendor == "postgresql" else "%s"
        return f"({sql} {self.sign} {bound})", [*parameters, self.number]


class TextIn(_Condition):
    """A text is one of some texts."""

    def __init__(self, operand: Any, texts: tuple[str, ...]) -> None:
        super().__init__(operand)
        self.texts = texts

    def as_sql(self, compiler: Any, connection: Any, **_: Any) -> SQL:  # type: ignore[override]
        """Answer the SQL."""
        sql, parameters = self.operand(compiler)
        if connection.vendor == "postgresql":
            return f"({sql} = ANY(%s::text[]))", [*parameters, list(self.texts)]
        return f"({sql} IN (SELECT value FROM json_each(%s)))", [*parameters, dumps(list(self.texts)).decode()]


class TextContains(_Condition):
    """A text has another in it, at its start, its end or anywhere; A-Z and a-z are the same."""

    def __init__(self, operand: Any, test: Contains) -> None:
        super().__init__(operand)
        self.test = test

    def as_postgresql(self, compiler: Any, connection: Any, **_: Any) -> SQL:
        """Answer the SQL for PostgreSQL: in the collation C, lower() knows ASCII alone."""
        sql, parameters = self.operand(compiler)
        folded, text = f'lower({sql} COLLATE "C")', self.test.text
        if self.test.at == "anywhere":
            return f"(strpos({folded}, %s::text) > 0)", [*parameters, text]
        if self.test.at == "start":
            return f"starts_with({folded}, %s::text)", [*parameters, text]
        return f"(right({folded}, %s::int) = %s::text)", [*parameters, len(text), text]

    def as_sqlite(self, compiler: Any, connection: Any, **_: Any) -> SQL:  # type: ignore[override]
        """Answer the SQL for SQLite, whose lower() knows ASCII alone."""
        sql, parameters = self.operand(compiler)
        text = self.test.text
        if self.test.at == "anywhere":
            return f"(instr(lower({sql}), %s) > 0)", [*parameters, text]
        if self.test.at == "start":
            return f"(substr(lower({sql}), 1, %s) = %s)", [*parameters, len(text), text]
        return f"(substr(lower({sql}), %s) = %s)", [*parameters, -len(text), text]


class PatternFound(_Condition):
    """A pattern of the rule language is found in a text."""

    def __init__(self, operand: Any, canonical: str) -> None:
        super().__init__(operand)
        self.canonical = canonical

    def as_postgresql(self, compiler: Any, connection: Any, **_: Any) -> SQL:
        """Answer the SQL for PostgreSQL."""
        sql, parameters = self.operand(compiler)
        return f'(({sql} COLLATE "C") ~ %s::text)', [*parameters, self.canonical]

    def as_sqlite(self, compiler: Any, connection: Any, **_: Any) -> SQL:  # type: ignore[override]
        """Answer the SQL for SQLite."""
        sql, parameters = self.operand(compiler)
        return f"parlant_found({sql}, %s)", [*parameters, self.canonical]


class TextDuring(_Condition):
    """A text is a date or time that lies in a stretch of time.

    In front stands a comparison of texts, which spares most rows the parsing and can use an index on the text: dates in
    ISO 8601 sort as texts, and a zone moves one by less than a day.
    """

    def __init__(self, operand: Any, span: Span) -> None:
        super().__init__(operand)
        self.span = span

    def bounds(self, mark: str, cast: str = "") -> tuple[str, list[Any]]:
        conditions, parameters = [], []
        for sign, edge, days in ((">=", self.span.start, -2), ("<", self.span.end, 3)):
            if edge is not None:
                conditions.append(f"{mark} {sign} %s{cast}")
                parameters.append((edge.wall + timedelta(days=days)).date().isoformat())
        return " AND ".join(conditions), parameters

    def as_postgresql(self, compiler: Any, connection: Any, **_: Any) -> SQL:
        """Answer the SQL for PostgreSQL: CASE keeps the casts from texts that are no dates."""
        sql, parameters = self.operand(compiler)
        rough, rough_parameters = self.bounds(f'({sql} COLLATE "C")', "::text")
        branches, values = [], []
        for pattern, cast, part in ((WALL_MOMENT, "timestamp", "wall"), (ZONED_MOMENT, "timestamptz", "utc")):
            compared = []
            values += parameters
            for sign, edge in ((">=", self.span.start), ("<", self.span.end)):
                if edge is not None:
                    compared.append(f"{sql}::{cast} {sign} %s::{cast}")
                    values += [*parameters, getattr(edge, part)]
            branches.append(f"WHEN {sql} ~ '{pattern}' THEN {' AND '.join(compared)}")
        return (
            f"({rough} AND CASE {' '.join(branches)} ELSE FALSE END)",
            [value for bound in rough_parameters for value in (*parameters, bound)] + values,
        )

    def as_sqlite(self, compiler: Any, connection: Any, **_: Any) -> SQL:  # type: ignore[override]
        """Answer the SQL for SQLite."""
        sql, parameters = self.operand(compiler)
        rough, rough_parameters = self.bounds(sql)
        start, end = self.span.start, self.span.end
        return (
            f"({rough} AND parlant_during({sql}, %s, %s, %s, %s))",
            [value for bound in rough_parameters for value in (*parameters, bound)]
            + [*parameters, _utc(start), _utc(end), _wall(start), _wall(end)],
        )


def _utc(edge: Edge | None) -> int | None:
    return None if edge is None else utc_micros(edge)


def _wall(edge: Edge | None) -> int | None:
    return None if edge is None else (edge.wall - datetime(1970, 1, 1)) // timedelta(microseconds=1)


class IsTrue(Func):
    """A condition made two-valued: NULL is false."""

    output_field = BooleanField()
    template = "((%(expressions)s) IS TRUE)"


class IsNotTrue(IsTrue):
    """The complement of a condition: true where it is false or NULL."""

    template = "((%(expressions)s) IS NOT TRUE)"


class Always(Func):
    """True of every row, or of none."""

    output_field = BooleanField()

    def __init__(self, answer: bool) -> None:
        super().__init__()
        self.template = "(1 = 1)" if answer else "(1 = 0)"


def span_from_micros(values: tuple[int | None, int | None, int | None, int | None]) -> Span:
    """Answer the span whose edges SQLite passes back as microseconds: start, end in UTC; start, end on the wall."""
    start_utc, end_utc, start_wall, end_wall = values

    def edge(utc: int | None, wall: int | None) -> Edge | None:
        if utc is None or wall is None:
            return None
        epoch = datetime(1970, 1, 1)
        return Edge((epoch + timedelta(microseconds=utc)).replace(tzinfo=UTC), epoch + timedelta(microseconds=wall))

    return Span(edge(start_utc, start_wall), edge(end_utc, end_wall))
