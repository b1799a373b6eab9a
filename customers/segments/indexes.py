"""Indexes for rules, on PostgreSQL: equality of metadata has one; numbers and dates of a key get one on demand."""

from __future__ import annotations

import json
import time
from collections import Counter
from dataclasses import dataclass
from hashlib import sha256
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection
from django.db.models.functions import Collate
from django.utils import timezone

from customers.insight.limits import TookTooLong, time_limited
from customers.models import Customer
from customers.rules.asking import Asked, Bears, During, Equals, Within, asked_by
from customers.rules.compiling import MOST_INDEXED_TEXTS, condition
from customers.rules.expressions import MetadataText, NumberOf
from customers.rules.fields import METADATA_PREFIX, Kind
from customers.rules.periods import Moment
from customers.rules.tree import Leaf, leaves
from customers.segments.models import Segment
from parlant_site.common.errors import NotFound, Refusal
from parlant_site.common.json import JSONValue

KINDS = ("number", "date")
SLOW = 0.1
LONGEST = 2.0
_PREFIX = "customer_rule_"


class NoIndexes(Refusal):
    """Indexes are added on PostgreSQL; SQLite needs none at the sizes that it is for."""


class NotAnIndex(Refusal):
    """Name a field such as metadata.mrr, and what its values are: number or date."""


class InTransaction(Refusal):
    """An index is made outside of transactions only: others go on writing meanwhile."""


@dataclass(frozen=True)
class Index:
    """An index for rules: the metadata key, what its values are, its size in bytes, and how often it was used."""

    key: str
    kind: str
    size: int
    uses: int

    def to_json(self) -> dict[str, JSONValue]:
        """Answer {field, kind, size, uses}."""
        return {"field": METADATA_PREFIX + self.key, "kind": self.kind, "size": self.size, "uses": self.uses}


def add_index(field: str, kind: str) -> Index:
    """Index the numbers, or the dates, of a metadata field such as metadata.mrr, while others go on writing.

    NotAnIndex for another field or kind, NoIndexes on SQLite. An attempt that was interrupted may be repeated.
    """
    key = _key(field, kind)
    if connection.in_atomic_block:
        raise InTransaction
    name, indexed = _name(key, kind), _indexed(key, kind)
    with connection.cursor() as cursor:
        cursor.execute("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s::text)", [name])
        found = cursor.fetchone()
        if found is None or not found[0]:
            cursor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            _execute(cursor, f"CREATE INDEX CONCURRENTLY {name} ON {_TABLE} ({indexed}) WHERE {indexed} IS NOT NULL")
            _execute(cursor, f"COMMENT ON INDEX {name} IS {_literal(json.dumps([key, kind]))}")
            cursor.execute(f"ANALYZE {_TABLE}")
    return next(index for index in indexes() if (index.key, index.kind) == (key, kind))


def remove_index(field: str, kind: str) -> None:
    """Drop an index that was added; NotFound when there is none."""
    key = _key(field, kind)
    if connection.in_atomic_block:
        raise InTransaction
    if not any((index.key, index.kind) == (key, kind) for index in indexes()):
        raise NotFound("Index", f"{field} {kind}")
    with connection.cursor() as cursor:
        cursor.execute(f"DROP INDEX CONCURRENTLY {_name(key, kind)}")


def indexes() -> list[Index]:
    """Answer the indexes that were added; none on SQLite."""
    if connection.vendor != "postgresql":
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT obj_description(c.oid), pg_relation_size(c.oid), coalesce(pg_stat_get_numscans(c.oid), 0)"
            " FROM pg_class c JOIN pg_index i ON i.indexrelid = c.oid"
            " WHERE starts_with(c.relname, %s::text) AND i.indisvalid AND pg_table_is_visible(c.oid)"
            " ORDER BY c.relname",
            [_PREFIX],
        )
        rows = cursor.fetchall()
    found = []
    for comment, size, uses in rows:
        if comment:
            key, kind = json.loads(comment)
            found.append(Index(key, kind, size, uses))
    return found


@dataclass(frozen=True)
class Advice:
    """A leaf that segments use: in how many, how long it takes (seconds; None: longer than two), what to do."""

    leaf: Leaf
    segments: int
    seconds: float | None
    advice: str

    @property
    def is_slow(self) -> bool:
        """Whether it is worth an index."""
        return self.seconds is None or self.seconds > SLOW

    def to_json(self) -> dict[str, JSONValue]:
        """Answer {field, operator, value, segments, seconds, advice}."""
        return {
            "field": self.leaf.field,
            "operator": self.leaf.operator,
            "value": self.leaf.value,
            "segments": self.segments,
            "seconds": self.seconds,
            "advice": self.advice,
        }


def advise() -> list[Advice]:
    """Measure the leaves of all segments' rules, one of each field and operator, two seconds each at most.

    The answer is ordered by the time that they cost in all: how long they take, times in how many segments they are.
    """
    used: Counter[tuple[str, str]] = Counter()
    examples: dict[tuple[str, str], Leaf] = {}
    for segment in Segment.objects.dynamic():
        for shape, leaf in {(leaf.field, leaf.operator): leaf for _, leaf in leaves(segment.tree)}.items():
            used[shape] += 1
            examples.setdefault(shape, leaf)
    present = {(index.key, index.kind) for index in indexes()}
    found = [_advice(leaf, used[shape], present) for shape, leaf in examples.items()]
    return sorted(found, key=lambda one: one.segments * (one.seconds or LONGEST), reverse=True)


def _advice(leaf: Leaf, segments: int, present: set[tuple[str, str]]) -> Advice:
    asked = asked_by(leaf)
    seconds = _seconds(leaf)
    slow = seconds is None or seconds > SLOW
    return Advice(leaf, segments, seconds, _what_to_do(asked, present) if slow else "quick enough")


def _what_to_do(asked: Asked, present: set[tuple[str, str]]) -> str:
    key, test = asked.field.key, asked.test
    kind = {Within: "number", During: "date"}.get(type(test))
    if connection.vendor != "postgresql":
        return "PostgreSQL could index it"
    if asked.field.kind is not Kind.METADATA or isinstance(test, Bears):
        return "indexed where it helps"
    if asked.negated:
        return "a complement reads everybody: put a narrower leaf beside it"
    if kind:
        return (
            "indexed; it matches too many to gain" if (key, kind) in present else f"index add {asked.field.name} {kind}"
        )
    if isinstance(test, Equals) and len(test.texts) <= MOST_INDEXED_TEXTS:
        return "indexed; it matches too many to gain"
    return "no index helps: put a narrower leaf beside it"


def _seconds(leaf: Leaf) -> float | None:

    moment = Moment(timezone.now(), ZoneInfo(settings.TIME_ZONE))
    begun = time.monotonic()
    try:
        with time_limited(LONGEST):
            Customer.objects.order_by().filter(condition(leaf, moment)).count()
    except TookTooLong:
        return None
    return round(time.monotonic() - begun, 3)


def _key(field: str, kind: str) -> str:
    if connection.vendor != "postgresql":
        raise NoIndexes
    if not field.startswith(METADATA_PREFIX) or kind not in KINDS or "\0" in field:
        raise NotAnIndex
    return field.removeprefix(METADATA_PREFIX)


_TABLE = Customer._meta.db_table


def _name(key: str, kind: str) -> str:
    return f"{_PREFIX}{kind}_{sha256(key.encode()).hexdigest()[:16]}"


def _indexed(key: str, kind: str) -> str:
    """Answer the very expression that the compiler emits for the rules' leaves, with the key written out."""
    text = MetadataText(key)
    expression: Any = NumberOf(text) if kind == "number" else Collate(text, "C")
    query = Customer.objects.order_by().query
    sql, parameters = query.get_compiler(connection=connection).compile(expression.resolve_expression(query))
    written = sql.replace(f'"{_TABLE}".', "")
    for parameter in parameters:
        written = written.replace("%s", _literal(parameter).replace("%", "%%"), 1)
    return f"({written})"


def _literal(text: Any) -> str:
    from psycopg import sql

    connection.ensure_connection()
    return sql.Literal(str(text)).as_string(connection.connection)


def _execute(cursor: Any, statement: str) -> None:
    cursor.execute(statement.replace("%%", "%"))
