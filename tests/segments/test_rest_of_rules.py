"""REST: previews, explanations, near misses, overlaps, and customers by segment or rule."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from customers.insight import catalogue
from customers.merging.choices import Choices
from customers.merging.merge import merge
from customers.models import Customer
from customers.segments import pinning
from customers.segments.worker import settle_all
from tests.api.shapes import invalid, refused, shown
from tests.segments.membership import made, rule

PRO = rule("metadata.plan", "=", "pro")


@pytest.fixture
def people(database: None) -> None:
    """Four customers with plans and what they pay."""
    for name, metadata in {
        "ada": {"plan": "pro", "mrr": "900"},
        "ben": {"plan": "free", "mrr": "700"},
        "cleo": {"plan": "pro", "mrr": "100"},
        "dan": {},
    }.items():
        Customer.register(name=name.title(), id=name, metadata=metadata)
    settle_all()


def test_a_preview_counts_in_all_and_node_by_node_and_keeps_nothing(http: httpx.Client, people: None) -> None:
    body = {"text": "metadata.plan = pro and metadata.mrr > 500"}
    found = shown(http.post("/segments/preview", json=body))
    assert (found["count"], found["exact"], found["total"]) == (1, True, {"count": 5, "exact": True})
    counts = {tuple(node["path"]): node["count"] for node in found["nodes"]}
    assert counts == {(): 1, (0,): 2, (1,): 2}
    assert found["sample"] == [{"id": "ada", "name": "Ada"}]
    assert found["text"] == body["text"]
    for face in ("rule", "sentence"):
        assert shown(http.post("/segments/preview", json={face: found[face]}))["count"] == 1
    assert shown(http.get("/segments")) == []
    contradiction = shown(http.post("/segments/preview", json={"text": "name = a and name = b"}))
    assert "always-false" in [hint["code"] for hint in contradiction["lint"]]
    invalid(http.post("/segments/preview", json={}), ["body", "rule"])
    invalid(http.post("/segments/preview", json={"text": "mrr >"}), ["body", "text", 0, 3])
    invalid(http.post("/segments/preview", json={**body, "time_zone": "Mars"}), ["body", "time_zone"])


def test_an_explanation_says_what_decides_and_how_far_off_it_is(http: httpx.Client, people: None) -> None:
    both = {"combinator": "and", "rules": [*PRO["rules"], *rule("metadata.mrr", ">", 500)["rules"]]}
    segment = made("Big", both)
    why = shown(http.get(f"/segments/{segment.pk}/explain", params={"customer_id": "cleo"}))
    assert (why["is_in"], why["pin"], why["rule"]["holds"]) == (False, None, False)
    plan, mrr = why["rule"]["rules"]
    assert (plan["holds"], plan["decides"]) == (True, False)
    assert (mrr["holds"], mrr["actual"], mrr["type"], mrr["decides"]) == (False, "100", "number", True)
    assert mrr["distance"] == {"kind": "number", "by": 400}
    pinning.pin(segment, "cleo", is_in=True, reason="Asked nicely")
    why = shown(http.get(f"/segments/{segment.pk}/explain", params={"customer_id": "cleo"}))
    assert (why["is_in"], why["pin"]) == (True, {"is_in": True, "reason": "Asked nicely"})
    refused(http.get(f"/segments/{segment.pk}/explain", params={"customer_id": "nobody"}), 404, "nobody")
    invalid(http.get(f"/segments/{segment.pk}/explain"), ["query", "customer_id"])
    first, second = shown(http.get(f"/segments/{segment.pk}/near_misses"))
    assert [one["id"] for one in first["sample"]] == ["ben"]
    assert [one["id"] for one in second["sample"]] == ["cleo"]


def test_who_was_merged_is_explained_as_the_one_whom_she_became(http: httpx.Client, people: None) -> None:
    segment = made("Pro", PRO)
    merge("cleo", "ada", Choices())
    settle_all()
    found = shown(http.get(f"/segments/{segment.pk}/explain", params={"customer_id": "ada"}))
    assert (found["customer_id"], found["is_in"]) == ("cleo", True)


def test_overlaps_are_counted_for_every_combination(http: httpx.Client, people: None) -> None:
    pro, rich = made("Pro", PRO), made("Rich", rule("metadata.mrr", ">", 500))
    found = shown(http.get("/segments/overlap", params={"ids": f"{pro.pk},{rich.pk}"}))
    assert [(one["segments"], one["members"], one["only"]) for one in found] == [
        ([pro.pk], 2, 1),
        ([rich.pk], 2, 1),
        ([pro.pk, rich.pk], 1, 1),
    ]
    refused(http.get("/segments/overlap", params={"ids": f"{pro.pk},none"}), 404, "none")
    invalid(http.get("/segments/overlap", params={"ids": f"{pro.pk},{pro.pk}"}), ["query", "ids"])


def test_customers_are_listed_by_segment_and_by_rule(http: httpx.Client, people: None) -> None:
    segment = made("Pro", PRO)

    def ids(**params: Any) -> list[str]:
        return [one["id"] for one in shown(http.get("/customers", params=params))]

    assert ids(segment=segment.pk) == ["ada", "cleo"]
    assert ids(q="metadata.mrr > 500") == ["ada", "ben"]
    assert ids(segment=segment.pk, q="metadata.mrr > 500") == ["ada"]
    page = shown(http.get("/customers", params={"q": "metadata.plan exists", "limit": 2}))
    assert (len(page["items"]), page["total_count"], page["has_more"]) == (2, 3, True)
    refused(http.get("/customers", params={"segment": "none"}), 404, "none")
    invalid(http.get("/customers", params={"q": "mrr >"}), ["query", "q", 0, 3])


def test_metadata_keys_are_discovered(http: httpx.Client, people: None) -> None:
    while catalogue.keep_current():
        pass
    plan, mrr = sorted(shown(http.get("/metadata_keys")), key=lambda one: one["key"], reverse=True)
    assert (plan["key"], plan["customers"], plan["types"], plan["estimated"]) == ("plan", 3, ["text"], False)
    assert plan["top_values"][0] == {"value": "pro", "count": 2}
    assert (mrr["key"], mrr["types"], mrr["fill_rate"]) == ("mrr", ["number"], 0.6)


def test_a_rule_is_tested_on_the_past(http: httpx.Client, people: None) -> None:
    found = shown(http.post("/segments/backtest", json={"text": "metadata.plan = pro", "days": 3}))
    assert [(day["size"], day["entered"]) for day in found["days"]] == [(0, 0), (0, 0), (2, 2)]
    assert (found["is_exact"], found["sampled"], found["customers"]) == (True, 5, 5)
    invalid(http.post("/segments/backtest", json={"text": "name = a", "days": 91}), ["body", "days"])


def test_an_id_that_the_paths_need_is_refused(http: httpx.Client, people: None) -> None:
    invalid(http.post("/segments", json={"name": "x", "rule": PRO, "id": "preview"}), ["body", "id"])
