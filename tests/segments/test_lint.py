"""Lint says what is valid but hardly meant."""

from __future__ import annotations

from datetime import UTC

import pytest
from hypothesis import given, settings

from customers.insight.linting import lint, verdict
from customers.models import MetadataKey
from customers.rules.evaluating import is_in
from customers.rules.faces import AsIds, DatabaseNames, read_text
from customers.rules.periods import Moment
from customers.rules.tree import Group
from tags.models import Tag
from tests.segments import strategies
from tests.segments.test_explain import FACTS

MOMENT = Moment(strategies.NOW, UTC)


@pytest.mark.django_db
@pytest.mark.one_database
@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("metadata.mrr > 5 and metadata.mrr < 3", [((), "always-false")]),
        ("metadata.mrr > 5 and metadata.mrr <= 5", [((), "always-false")]),
        ("metadata.mrr > 5 and metadata.mrr < 30", []),
        ("metadata.mrr >= 5 or metadata.mrr not between 5 and 7", []),
        ("metadata.mrr > 5 or not metadata.mrr > 5", []),
        ("name contains a or name not contains a", [((), "always-true")]),
        ("not (name contains a or name not contains a)", [((), "always-false")]),
        ("tag:t and (name = Ada and name = Bob)", [((), "always-false"), ((1,), "always-false")]),
        ("name = Ada and name starts B", [((), "always-false")]),
        ("name in (Ada, Bob) and name != Ada", []),
        ("metadata.mrr = x and metadata.mrr > 3", [((), "always-false")]),
        ("metadata.mrr > 3 and metadata.mrr is missing", [((), "always-false")]),
        ("seen after 2026-03-01 and seen before 2026-02-01", [((), "always-false")]),
        ("seen within 7 days and seen more than 8 days ago", [((), "always-false")]),
        ("seen within 7 days and seen within 8 days", []),
        ("name = Ada and name = Ada", [((1,), "duplicate")]),
        ("name = Ada and any(nobody)", [((), "always-false"), ((1,), "always-false"), ((1, 0), "empty-group")]),
        ("tag:t or tag any (t, gone)", [((1,), "gone")]),
        ("metadata.nowhere = 1", [((0,), "unknown-key")]),
        ("metadata.nowhere is missing", []),
        ("metadata.plan > 3", [((0,), "never-number")]),
        ("metadata.plan within 3 days", [((0,), "never-date")]),
        ("metadata.plan is true", [((0,), "never-boolean")]),
        ('name matches "a*"', [((0,), "matches-all")]),
        ('name matches "^a*$"', []),
        ("sessions < 0", [((0,), "always-false")]),
        ("sessions >= 0", []),
    ],
)
def test_hints(text: str, found: list[tuple[tuple[int, ...], str]]) -> None:
    Tag.objects.create(id="t", name="T")
    MetadataKey.objects.create(key="mrr", customers=5, counts={"number": 5})
    MetadataKey.objects.create(key="plan", customers=5, counts={"text": 5})
    hints = lint(read_text(text), MOMENT, DatabaseNames())
    assert [(hint.path, hint.code) for hint in hints] == found, hints


@settings(max_examples=300, deadline=None)
@given(rule=strategies.rules)
def test_what_is_said_to_be_always_so_is_so(rule: Group) -> None:
    answer, reason = verdict(rule, MOMENT, AsIds())
    if answer is not None:
        assert is_in(rule, FACTS, MOMENT) is answer, reason
