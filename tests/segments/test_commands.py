"""`manage.py segment`, and segments as files."""

from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import CommandError, call_command
from django.utils import timezone

from customers.insight import catalogue
from customers.models import Customer, Segment, SegmentMember
from customers.rules.faces import DatabaseNames, read_text
from customers.segments import pinning
from customers.segments.editing import remove
from customers.segments.files import UnusableFile, export_segments, import_segments
from customers.segments.worker import settle_all
from parlant_site.common.errors import BadInput, Refusal
from tags.models import Tag
from tests.segments.membership import check_settled, made, members, rule

pytestmark = pytest.mark.django_db
PRO = rule("metadata.plan", "=", "pro")


@pytest.fixture(autouse=True)
def people() -> None:
    """Three customers, of whom two pay for the plan pro."""
    for name, plan in {"ada": "pro", "ben": "free", "cleo": "pro"}.items():
        Customer.register(name=name.title(), id=name, metadata={"plan": plan})
    settle_all()


def run(*arguments: str) -> tuple[int, str]:
    """Answer the exit code and what was printed."""
    printed = StringIO()
    try:
        call_command("segment", *arguments, stdout=printed, verbosity=0)
    except SystemExit as end:
        return int(str(end.code)), printed.getvalue()
    return 0, printed.getvalue()


def answered(*arguments: str) -> Any:
    """Answer the JSON that was printed."""
    return json.loads(run(*arguments, "--json")[1])


def test_segments_are_listed_and_shown_by_name_or_id() -> None:
    assert "There are no segments" in run("list")[1]
    segment = made("Pro", PRO)
    code, text = run("list")
    assert code == 0
    assert "Pro" in text
    assert "metadata.plan = pro" in text
    assert answered("list")[0]["size"] == 2
    assert answered("show", "Pro")["id"] == answered("show", segment.pk)["id"] == segment.pk
    with pytest.raises(CommandError, match="'none' was not found"):
        run("show", "none")


def test_a_rule_is_previewed_leaf_by_leaf() -> None:
    found = answered("preview", "metadata.plan = pro and name = Ada")
    assert (found["count"], [node["count"] for node in found["nodes"]]) == (1, [1, 2, 1])
    code, text = run("preview", "metadata.plan = pro and name = Ada")
    assert code == 0
    assert "1 of 4 customers" in text
    assert "2  metadata.plan = pro" in text
    assert "For example: Ada" in text
    with pytest.raises(CommandError, match="At character"):
        run("preview", "metadata.plan >")


def test_an_explanation_is_also_an_exit_code() -> None:
    segment = made("Pro", PRO)
    code, text = run("explain", "Pro", "ada")
    assert code == 0
    assert "Ada is in Pro" in text
    code, text = run("explain", "Pro", "ben")
    assert code == 3
    assert "Ben is not in Pro" in text
    assert "(is 'free')" in text
    pinning.pin(segment, "ben", is_in=True, reason="Pays by invoice")
    assert "Pays by invoice" in run("explain", "Pro", "ben")[1]


def test_members_are_listed_as_of_an_instant() -> None:
    made("Pro", PRO)
    then = timezone.now()
    Customer.objects.get(pk="ada").amend(set_metadata={"plan": "free"})
    settle_all()
    assert [one["customer_id"] for one in answered("members", "Pro")["items"]] == ["cleo"]
    old = answered("members", "Pro", "--at", then.isoformat())
    assert ([one["customer_id"] for one in old["items"]], old["total_count"]) == (["ada", "cleo"], 2)
    assert answered("members", "Pro", "--at", "2020-01-01")["items"] == []
    assert "and 1 more" in run("members", "Pro", "--at", then.isoformat(), "--limit", "1")[1]
    with pytest.raises(CommandError, match="Write a date"):
        run("members", "Pro", "--at", "tuesday")


def test_overlaps_keys_and_indexes_are_shown() -> None:
    made("Pro", PRO)
    made("Ada", rule("name", "=", "Ada"))
    found = answered("overlap", "Pro", "Ada")
    assert [(one["members"], one["only"]) for one in found] == [(2, 1), (1, 0), (1, 1)]
    assert "Pro and Ada" in run("overlap", "Pro", "Ada")[1]
    with pytest.raises(CommandError, match="different"):
        run("overlap", "Pro", "Pro")
    while catalogue.keep_current():
        pass
    (key,) = answered("keys")
    assert (key["key"], key["customers"], key["types"]) == ("plan", 3, ["text"])
    assert answered("index", "list") == []
    assert {one["field"] for one in answered("index", "advise")} == {"metadata.plan", "name"}
    with pytest.raises(CommandError, match=r"metadata\.mrr number"):
        run("index", "add")
    with pytest.raises(CommandError, match=r"number or date|PostgreSQL"):
        run("index", "add", "metadata.mrr", "colour")


def test_reconciling_finds_drift_says_so_and_repairs_it() -> None:
    segment = made("Pro", PRO)
    assert run("reconcile", "--all")[0] == 0
    SegmentMember.objects.filter(segment=segment, customer_id="ada").delete()
    assert run("reconcile", "Pro")[0] == 3
    assert members(segment) == {"ada", "cleo"}
    assert run("reconcile", "Pro")[0] == 0
    assert answered("refresh", "Pro")[0]["state"] == "ok"
    with pytest.raises(CommandError, match="--all"):
        run("refresh")


def test_what_is_exported_is_imported_as_the_same() -> None:
    tag = Tag.add(name="Pro customer")
    segment = made("Pro", PRO, description="Who pays", time_zone="Europe/Berlin")
    pinning.pin(segment, "ben", is_in=True, reason="Pays by invoice")
    made("Outer", rule("segments", "any", [segment.pk]))
    made("List")
    import_segments("segments: [{name: List, members: [ada]}, {name: Pro, published_tag: Pro customer}]")
    settle_all()
    text = export_segments(Segment.objects.all())
    assert [step.action for step in import_segments(text)] == ["same"] * 3
    for name in ("Outer", "Pro", "List"):
        remove(Segment.objects.get(name=name))
    assert [step.action for step in import_segments(text)] == ["new"] * 3
    settle_all()
    check_settled()
    assert export_segments(Segment.objects.all()) == text
    assert tag.customer_links.count() == 3
    assert yaml.safe_load(text)["segments"][2]["pins"] == [
        {"customer": "ben", "is_in": True, "reason": "Pays by invoice"}
    ]


def test_a_dry_run_shows_the_plan_and_changes_nothing(tmp_path: Path) -> None:
    made("Pro", PRO)
    made("Gone", rule("name", "=", "x"))
    file = tmp_path / "segments.yaml"
    file.write_text(
        "segments:\n- {name: Pro, rule: metadata.plan = free}\n- {name: Both, rule: 'segment:New or segment:Pro'}\n"
        "- {name: New, members: [ben]}\n"
    )
    plan = answered("import", str(file), "--dry-run", "--delete-others")
    assert [(one["action"], one["name"]) for one in plan["segments"]] == [
        ("changed", "Pro"),
        ("new", "Both"),
        ("new", "New"),
        ("deleted", "Gone"),
    ]
    assert plan["segments"][0]["before"] == {"rule": "metadata.plan = pro"}
    assert plan["segments"][0]["after"] == {"rule": "metadata.plan = free"}
    assert set(Segment.objects.values_list("name", flat=True)) == {"Pro", "Gone"}
    assert "Nothing was changed" in run("import", str(file), "--dry-run")[1]
    assert run("import", str(file), "--delete-others")[0] == 0
    settle_all()
    check_settled()
    assert set(Segment.objects.values_list("name", "size")) == {("Pro", 1), ("Both", 1), ("New", 1)}


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("segments: [1]", ["segments", "0"]),
        ("segments: [{rule: name = x}]", ["segments", "0", "name"]),
        ("segments: [{name: x}]", ["segments", "0", "rule"]),
        ("segments: [{name: x, rule: 'name ='}]", ["segments", "0", "text", 6, 6]),
        ("segments: [{name: x, rule: 'segment:Nobody'}]", ["segments", "0", "text", 8, 14]),
        ("segments: [{name: x, rule: name = x, size: 3}]", ["segments", "0", "size"]),
        ("segments: [{name: x, rule: name = x, text: name = y}]", ["segments", "0", "text"]),
        ("segments: [{name: x, rule: name = x}, {name: y, members: [nobody]}]", ["segments", "1"]),
        ("segments: [{name: x, rule: name = x, published_tag: none}]", ["segments", "0"]),
        ("segments: [{name: x, rule: name = x, pins: [{customer: ada}]}]", ["segments", "0", "pins", 0, "is_in"]),
    ],
)
def test_what_is_wrong_in_a_file_is_said_with_its_place(text: str, place: list[Any]) -> None:
    made("Pro", PRO)
    with pytest.raises(BadInput) as refused:
        import_segments(text)
    assert place in [problem["loc"] for problem in refused.value.problems]
    assert Segment.objects.count() == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "segments: 3",
        "a: &a [{name: A, members: []}]\nsegments: *a",
        "segments: [{name: A, members: [ada]}, {name: A, members: [ada]}]",
        "segments: [{name: A, members: [nobody]}]",
        "segments: [{name: A, rule: name = x, published_tag: none}]",
        'segments: [{name: "a\\0b", members: []}]',
    ],
)
def test_an_unusable_file_changes_nothing(text: str) -> None:
    with pytest.raises(Refusal):
        import_segments(text)
    assert not Segment.objects.exists()
    with pytest.raises(UnusableFile):
        import_segments("")


def test_a_file_may_give_a_tag_from_one_segment_to_another() -> None:
    made("Pro", PRO)
    made("Free", rule("metadata.plan", "=", "free"))
    Tag.add(name="T")
    first = "segments: [{name: Pro, published_tag: T}]"
    assert [step.action for step in import_segments(first)] == ["changed"]
    steps = import_segments("segments: [{name: Free, published_tag: T}, {name: Pro, published_tag: ''}]")
    assert [(step.name, step.after) for step in steps] == [
        ("Free", {"published_tag": "T"}),
        ("Pro", {"published_tag": None}),
    ]
    settle_all()
    check_settled()


def test_texts_are_printed_as_they_are() -> None:
    odd = 'name matches "[a-c]" or name = "[/]" or name = ":cat:"'
    made("[red]Odd[/red] :cat:", read_text(odd))
    Customer.objects.filter(pk="ada").update(name="[bold]Ada")
    for arguments in (["list"], ["show", "[red]Odd[/red] :cat:"]):
        text = run(*arguments)[1]
        assert "[red]Odd[/red] :cat:" in text
        assert odd in text
    assert '"[a-c]"' in (previewed := run("preview", odd)[1])
    assert '"[/]"' in previewed
    assert "[bold]Ada" in run("members", "[red]Odd[/red] :cat:")[1]
    assert '"[/]"' in run("explain", "[red]Odd[/red] :cat:", "ada")[1]
    for arguments in (["refresh", "--all"], ["overlap", "[red]Odd[/red] :cat:"]):
        assert "[red]Odd[/red] :cat:" in run(*arguments)[1]


def test_an_explanation_names_tags_and_segments() -> None:
    tag, pro = Tag.add(name="VIP"), made("Pro", PRO)
    Customer.objects.get(pk="ada").amend(add_tags=[tag.pk])
    made("Other", read_text('not (tag:"VIP" or segment:Pro)', DatabaseNames()))
    text = run("explain", "Other", "ada")[1]
    assert "tag:VIP  (has VIP)" in text
    assert "segment:Pro  (has Pro)" in text
    assert pro.pk not in text
    assert "tag:VIP  (has none)" in run("explain", "Other", "ben")[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["refresh"], "--all"),
        (["reconcile", "Pro", "--all"], "--all"),
        (["members", "Pro", "--at", "2026-02-30"], "--at: "),
        (["members", "Pro", "--at", "9999-12-31"], "--at: "),
        (["members", "Pro", "--limit", "-1"], "--limit: write a whole number from 0 on"),
        (["preview", "ada", "--time-zone", "Nowhere"], "--time-zone: "),
        (["backtest", "ada", "--time-zone", "../Nowhere"], "--time-zone: "),
        (["backtest", "ada", "--days", "91"], "--days: write a whole number from 1 to 90"),
        (["index", "remove", "metadata.mrr"], "such as"),
    ],
)
def test_a_wrong_command_line_ends_with_2(arguments: list[str], message: str) -> None:
    made("Pro", PRO)
    with pytest.raises(CommandError, match=message) as refused:
        call_command("segment", *arguments, stdout=StringIO())
    # Django's parser, called from Python, does not exit itself.
    assert refused.value.returncode == 2 or "--limit" in message or "--days" in message


def test_what_is_wrong_is_said_line_by_line() -> None:
    with pytest.raises(CommandError) as refused:
        run("preview", "metadata.mrr > many and name in ada and seen < 3")
    assert str(refused.value).startswith("At character 46: ")
    with pytest.raises(CommandError) as refused:
        run("preview", "metadata.mrr > many and name matches x+++")
    assert [line.partition(":")[0] for line in str(refused.value).splitlines()] == [
        "At character 16",
        "At character 38",
    ]
