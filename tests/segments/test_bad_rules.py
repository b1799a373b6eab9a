"""A bad rule is refused with the path of what is wrong; nothing of it comes near a database."""

from __future__ import annotations

import time
from typing import Any

import pytest

from customers.changes import Changed
from customers.rules.patterns import UnusablePattern, read_pattern
from customers.rules.reading import InvalidRule, is_relative, read_rule, uses_of
from customers.rules.tree import to_json


def all_of(*rules: Any) -> dict[str, Any]:
    return {"combinator": "and", "rules": list(rules)}


def leaf(field: Any, operator: Any, value: Any = None) -> dict[str, Any]:
    return {"field": field, "operator": operator, "value": value}


@pytest.mark.parametrize(
    ("bad", "part"),
    [
        (leaf("nobody", "=", "a"), "field"),
        (leaf(5, "=", "a"), "field"),
        (leaf("name", ">", 5), "operator"),
        (leaf("name", "'; drop table", 5), "operator"),
        (leaf("name", "=", 5), "value"),
        (leaf("name", "contains", ""), "value"),
        (leaf("name", "matches", "(a"), "value"),
        (leaf("name", "in", []), "value"),
        (leaf("metadata.mrr", ">", "500"), "value"),
        (leaf("metadata.mrr", ">", True), "value"),
        (leaf("metadata.mrr", "between", [2, 1]), "value"),
        (leaf("metadata.mrr", "between", [1]), "value"),
        (leaf("metadata.mrr", "exists", "x"), "value"),
        (leaf("last_seen", "withinLast", "7 moons"), "value"),
        (leaf("last_seen", "withinLast", "9999999 days"), "value"),
        (leaf("last_seen", "on", "2026-02-30"), "value"),
        (leaf("last_seen", "before", "9999-01-01"), "value"),
        (leaf("last_seen", "this", "fortnight"), "value"),
        (leaf("last_message_source", "=", "nobody"), "value"),
        (leaf("tags", "any", []), "value"),
    ],
)
def test_the_path_leads_to_the_wrong_part(bad: dict[str, Any], part: str) -> None:
    good = leaf("name", "=", "Ada")
    with pytest.raises(InvalidRule) as refused:
        read_rule(all_of(good, all_of(good, bad)))
    assert [problem["loc"] for problem in refused.value.problems] == [["rules", 1, "rules", 1, part]]
    assert refused.value.under("body", "rule").problems[0]["loc"][:3] == ["body", "rule", "rules"]


@pytest.mark.parametrize(
    "bad", [None, [], "x", {}, leaf("name", "=", "a"), {"combinator": "xor", "rules": []}, {**all_of(), "version": 2}]
)
def test_what_is_no_rule_is_refused(bad: Any) -> None:
    with pytest.raises(InvalidRule):
        read_rule(bad)


def test_every_wrong_leaf_is_named_at_once() -> None:
    with pytest.raises(InvalidRule) as refused:
        read_rule(all_of(leaf("x", "="), leaf("name", "<", 1)))
    assert len(refused.value.problems) == 2


def test_depth_and_number_of_leaves_are_bounded() -> None:
    deep = all_of()
    for _ in range(5):
        deep = all_of(deep)
    with pytest.raises(InvalidRule, match="deep"):
        read_rule(deep)
    read_rule(all_of(*[leaf("name", "=", "a")] * 100))
    with pytest.raises(InvalidRule, match="100 leaves"):
        read_rule(all_of(*[leaf("name", "=", "a")] * 101))


@pytest.mark.parametrize(
    "dates",
    [
        ["2026-01-01T10:00+14:00", "2026-01-01T00:00-10:00"],  # by the clocks the other way round
        ["2026-01-02", "2026-01-01T23:00-10:00"],  # who knows
        ["2026-01-01", "2026-01-01"],
    ],
)
def test_dates_of_several_zones_are_compared_as_instants(dates: list[str]) -> None:
    assert read_rule(all_of(leaf("metadata.at", "between", dates)))
    if dates[0] != dates[1] and "T" in dates[0]:
        later = [f"2026-01-01T00:00{zone}" for zone in ("-10:00", "+14:00")]
        assert read_rule(all_of(leaf("metadata.at", "between", later)))  # as instants the other way round
    with pytest.raises(InvalidRule):
        read_rule(all_of(leaf("metadata.at", "between", ["2026-01-02T00:00Z", "2026-01-01T23:00Z"])))


def test_what_the_query_builder_adds_for_itself_is_left_out() -> None:
    given = {"id": "g", "version": 1, **all_of({"id": "r", "valueSource": "value", **leaf("name", "=", "Ada")})}
    assert to_json(read_rule(given)) == {"version": 1, "not": False, **all_of(leaf("name", "=", "Ada"))}


def test_a_rule_knows_which_changes_can_turn_it() -> None:
    rule = read_rule(all_of(leaf("metadata.mrr", ">", 5), leaf("last_seen", "withinLast", "7 days")))
    assert uses_of(rule) == Changed.PROFILE | Changed.METADATA | Changed.ACTIVITY
    assert is_relative(rule)
    assert not is_relative(read_rule(all_of(leaf("last_seen", "before", "2026-01-01"))))


def test_a_pattern_that_hangs_others_answers_at_once() -> None:
    started = time.monotonic()
    assert not read_pattern("^(a+)+$").found_in("a" * 10_000 + "b")
    assert time.monotonic() - started < 1  # a backtracking engine would not end


@pytest.mark.parametrize(
    "bad", ["", "(a", "a)", "a**", "(?=a)", "(?P<n>a)", r"(a)\1", r"\b", "[]", "|a", "a{1000}", "(a{1,90}){1,90}", "^*"]
)
def test_patterns_beyond_the_language_are_refused(bad: str) -> None:
    with pytest.raises(UnusablePattern):
        read_pattern(bad)
