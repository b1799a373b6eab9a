"""A rule is the same rule as JSON, as text and as a sentence."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings

from customers.models import Segment
from customers.rules.faces import DatabaseNames, UnreadableRule, read_sentence, read_text, write_sentence, write_text
from customers.rules.reading import read_rule
from customers.rules.tree import Group, Leaf, to_json
from tags.models import Tag
from tests.segments import strategies

WITHIN = Leaf("last_seen", "withinLast", "7 days")
VIP = Leaf("tags", "any", ["VIP"])
MRR = Leaf("metadata.mrr", ">", 500)


@settings(max_examples=400, deadline=None)
@given(rule=strategies.rules)
def test_every_rule_survives_all_three_faces(rule: Group) -> None:
    text, sentence = write_text(rule), write_sentence(rule)
    assert read_rule(json.loads(json.dumps(to_json(rule)))) == rule
    assert to_json(read_text(text)) == to_json(rule), text
    assert to_json(read_sentence(sentence)) == to_json(rule), sentence
    assert write_text(read_sentence(sentence)) == text
    # Spaces and lines do not matter between words.
    assert read_text(f"\n ( {text} )\t") == rule


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (
            "tag:VIP and metadata.mrr > 500 and not seen within 7 days",
            Group("and", (VIP, MRR, Group("and", (WITHIN,), negated=True))),
        ),
        ("", Group("and")),
        ("Ada", Group("and", (Leaf("name", "contains", "Ada"),))),
        ('"Ada L" or nobody', Group("or", (Leaf("name", "contains", "Ada L"), Group("or")))),
        ("a AND b Or c", read_text("(a and b) or c")),
        ("not not tag:VIP", Group("and", (Group("and", (VIP,), negated=True),), negated=True)),
        ("metadata.mrr>500", Group("and", (MRR,))),
        ('metadata.mrr = "500"', Group("and", (Leaf("metadata.mrr", "=", "500"),))),
        ("name = 500", Group("and", (Leaf("name", "=", "500"),))),
        ('metadata."a b\\"c" is missing', Group("and", (Leaf('metadata.a b"c', "missing"),))),
        ("last_seen more than 1 month ago", Group("and", (Leaf("last_seen", "moreThanAgo", "1 month"),))),
        ("any(all(tag:VIP))", Group("or", (Group("and", (VIP,)),))),
        ("tag none (VIP, #x)", Group("and", (Leaf("tags", "none", ["VIP", "x"]),))),
    ],
)
def test_text_is_read_as_people_write_it(text: str, rule: Group) -> None:
    assert read_text(text) == rule


def test_a_sentence_reads_like_one() -> None:
    rule = read_text("tag:VIP and metadata.mrr > 500 and not seen within 7 days")
    assert write_sentence(rule) == (
        'Customers where tags include any of "VIP" and metadata.mrr is more than 500 '
        "and it is not true that last seen is within the last 7 days."
    )
    assert write_sentence(Group("and")) == "All customers."


@pytest.mark.parametrize(
    ("text", "start", "marked", "reason"),
    [
        ("mrr > 5", 0, "mrr", "metadata.mrr"),
        ("name = Ada Lovelace", 11, "Lovelace", "quotes"),
        ("name =", 6, "", "missing"),
        ("name = and tag:x", 7, "and", "missing"),
        ("name > 5", 5, ">", "contains"),
        ("tag:x and (name = a", 10, "(", "not closed"),
        ("tag:x)", 5, ")", "not opened"),
        ('name = "a', 7, '"', "not closed"),
        ('name = "\\x"', 7, '"\\x"', "backslash"),
        ('name = "\\u0000"', 7, '"\\u0000"', "NUL"),
        ("seen within 7 moons", 12, "7 moons", "units are"),
        ("seen more than 7 days", 21, "", "ago"),
        ("seen on 2026-02-30", 8, "2026-02-30", "such as"),
        ("metadata.mrr between 1 or 2", 23, "or", "end of the range"),
        ("metadata.mrr between 2 and 1", 21, "2 and 1", "larger"),
        ("name in (a b)", 11, "b", "comma"),
        ("tag:x and metadata.a > x", 23, "x", "number"),
        ("metadata. = 5", 10, "=", "key"),
        ("name:Ada", 0, "name:", "contains"),
        ("plan:pro", 0, "plan:pro", "did you mean metadata.plan?"),
        ("nam:Ada", 0, "nam:Ada", "did you mean name?"),
        ("a or " * 200 + "a", 500, "a", "100 leaves at most"),
        ('tag:x and "' + "x" * 5000, 10, '"', "not closed"),
        (")", 0, ")", "something to ask for is missing"),
        ("tag:x and )", 10, ")", "something to ask for is missing"),
        ("(" * 30 + "a", 20, "(", "deep"),
        ("all(all(all(all(all(all(tag:x))))))", 20, "all(tag:x)", "deep"),
        ("a\0b", 1, "\0", "cannot"),
        ("name matches (a", 13, "(", "missing"),
        ('name matches "(a"', 13, '"(a"', "not closed"),
    ],
)
def test_an_error_says_where_and_why(text: str, start: int, marked: str, reason: str) -> None:
    with pytest.raises(UnreadableRule) as refused:
        read_text(text)
    problem = refused.value.problems[0]
    assert (problem["loc"][0], problem["input"]) == (start, marked), problem  # type: ignore[index]
    assert reason in str(problem["msg"])


@pytest.mark.parametrize("text", ['"plan:pro"', "12:30", "a-b:c", ":x"])
def test_other_words_with_a_colon_are_looked_for_in_the_name(text: str) -> None:
    assert read_text(text).rules == (Leaf("name", "contains", text.strip('"')),)


def test_an_error_is_short_whatever_was_written() -> None:
    with pytest.raises(UnreadableRule) as refused:
        read_text("x" * 100_000 + " = 5")
    assert len(str(refused.value)) < 1500


def test_every_wrong_value_is_marked_at_once() -> None:
    with pytest.raises(UnreadableRule) as refused:
        read_text("metadata.a > x or (metadata.b < y and name = z)")
    assert [problem["input"] for problem in refused.value.problems] == ["x", "y"]


@pytest.mark.django_db
def test_tags_and_segments_are_written_by_name_and_found_by_name_or_id() -> None:
    Tag.objects.create(id="t1", name="Very important")
    Tag.objects.create(id="VIP", name="t1")  # an id and a name that are alike
    Segment.objects.create(id="s1", name="Loyal", kind="static")
    names = DatabaseNames()
    rule = Group("and", (Leaf("tags", "all", ["t1", "VIP", "gone"]), Leaf("segments", "any", ["s1"])))
    text = write_text(rule, names)
    assert text == 'tag all ("Very important", t1, #gone) and segment:Loyal'
    assert read_text(text, names) == rule
    assert read_sentence(write_sentence(rule, names), names) == rule
    assert read_text("tag:VIP or segment:s1", names) == read_text("tag:#VIP or segment:#s1")
    with pytest.raises(UnreadableRule, match="did you mean Loyal"):
        read_text("segment:Loyl", names)
