"""Every example of docs/segments.md is true, and no field and no operator lacks one."""

from __future__ import annotations

import argparse
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from customers.management.commands.segment import Command
from customers.models import Customer
from customers.rules.compiling import condition
from customers.rules.evaluating import Facts, is_in
from customers.rules.faces import read_sentence, read_text, write_sentence, write_text
from customers.rules.fields import FIELDS
from customers.rules.operators import OPERATORS
from customers.rules.periods import Moment
from customers.rules.reading import read_rule
from customers.rules.tree import leaves
from customers.segments.files import import_segments
from customers.urls import urlpatterns
from tags.models import Tag

WHOLE = (Path(__file__).parent.parent.parent / "docs" / "segments.md").read_text()
DOCUMENT, MEMBERSHIP = WHOLE.split("## Membership")
MOMENT = Moment(datetime(2026, 3, 29, 12, 30, tzinfo=UTC), ZoneInfo("Europe/Berlin"))
TABLES: dict[str, list[list[str]]] = {}
for line in DOCUMENT.splitlines():
    if line.startswith("| ") and not line.startswith("| ---"):
        cells = [cell.strip() for cell in re.split(r"(?<!\\) \| ", line.strip("| ").replace("``", "`\x00`"))]
        TABLES.setdefault(str(len(cells)), []).append(cells)
OPERATOR_ROWS = [row for number in ("5", "3") for row in TABLES[number] if row[0] != "JSON"]


def code(cell: str) -> list[str]:
    return [text.replace("\x00", "") for text in re.findall("`([^`]*)`", cell)]


@pytest.mark.parametrize("row", OPERATOR_ROWS, ids=lambda row: row[1])
def test_an_operator_is_written_as_the_table_says(row: list[str]) -> None:
    (operator,), (text,), sentence = code(row[0]), code(row[1]), f"Customers where {row[2]}."
    rule = read_text(text)
    assert [leaf.operator for _, leaf in leaves(rule)] == [operator]
    assert write_text(rule) == text
    assert write_sentence(rule) == sentence
    assert read_sentence(sentence) == rule


@pytest.mark.parametrize("row", [row for row in TABLES["2"] if row[0] != "text"], ids=lambda row: row[0])
def test_a_group_is_written_as_the_table_says(row: list[str]) -> None:
    (text,), sentence = code(row[0]), f"Customers where {row[1]}."
    assert write_text(read_text(text)) == text
    assert write_sentence(read_text(text)) == sentence
    assert read_sentence(sentence) == read_text(text)


@pytest.mark.django_db
def test_values_match_as_the_tables_say() -> None:
    rows = [row for row in TABLES["5"] if row[0] != "JSON"]
    values = {value for row in rows for cell in row[3:] for value in code(cell)}
    metadata = {value: {} if value == "-" else {"x": value} for value in values}
    Customer.objects.bulk_create(Customer(id=f"={value}", name="C", metadata=metadata[value]) for value in values)
    for row in rows:
        rule = read_text(code(row[1])[0])
        by_sql = set(Customer.objects.filter(condition(rule, MOMENT)).values_list("pk", flat=True))
        for cell, expected in ((row[3], True), (row[4], False)):
            assert code(cell)
            for value in code(cell):
                facts = Facts(id="c", name="C", creation_utc=MOMENT.now, metadata=metadata[value])
                assert is_in(rule, facts, MOMENT) is expected, (row[1], value)
                assert (f"={value}" in by_sql) is expected, (row[1], value)


def test_the_three_faces_of_the_first_example_are_the_same_rule() -> None:
    blocks = dict(re.findall(r"```(json|text|sentence)\n(.*?)```", DOCUMENT, re.DOTALL))
    rule = read_rule(json.loads(blocks["json"]))
    assert read_text(blocks["text"]) == read_sentence(blocks["sentence"]) == rule


def test_no_field_and_no_operator_is_forgotten() -> None:
    assert {code(row[0])[0] for row in OPERATOR_ROWS} == OPERATORS.keys()
    fields = {code(row[0])[0]: row for row in TABLES["4"] if row[0] != "JSON"}
    assert fields.keys() == {*FIELDS, "metadata.KEY"}
    for name, field in FIELDS.items():
        assert [code(fields[name][1]), fields[name][2]] == [[field.text], field.label]
        assert ("missing" in fields[name][3]) is field.may_miss


@pytest.mark.django_db
def test_the_file_is_imported_as_it_stands() -> None:
    Tag.add(name="EU")
    Tag.add(name="Pro EU")
    for name in ("ada", "ben"):
        Customer.register(id=name, name=name)
    (example,) = re.findall(r"```yaml\n(.*?)```", MEMBERSHIP, re.DOTALL)
    assert [step.action for step in import_segments(example)] == ["new", "new"]
    assert [step.action for step in import_segments(example)] == ["same", "same"]


def test_every_call_and_subcommand_stands_in_the_document() -> None:
    paths = {str(pattern.pattern) for pattern in urlpatterns} - {"customers/<str:id>"}
    shown = {re.sub(r"<str:([a-z_]+)>", r"{\1}", path) for path in paths}
    for path in shown:
        assert path.removeprefix("segments/{id}/pins") in MEMBERSHIP, path
    command = Command().create_parser("manage.py", "segment")
    (subcommands,) = (action for action in command._actions if isinstance(action, argparse._SubParsersAction))
    for name in subcommands.choices:
        assert f"`{name}" in MEMBERSHIP, name
