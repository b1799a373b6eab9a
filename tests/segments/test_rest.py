"""REST: segments, their members, events and pins, against a real server."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.utils import timezone
from knox.models import AuthToken

from customers.models import Customer, MembershipEvent, Segment
from customers.rules.faces import read_text
from customers.segments.editing import amend
from customers.segments.worker import settle_all
from parlant_site.common.personal import MASK
from tags.models import Tag
from tests.api.shapes import invalid, refused, shown
from tests.segments.membership import made, members, rule

PRO = rule("metadata.plan", "=", "pro")


@pytest.fixture
def people(database: None) -> dict[str, Customer]:
    """Three customers, of whom two pay for the plan pro."""
    plans = {"Ada": "pro", "Ben": "free", "Cleo": "pro"}
    known = {
        name: Customer.register(name=name, id=name.lower(), metadata={"plan": plan}) for name, plan in plans.items()
    }
    settle_all()
    return known


def test_a_segment_is_made_read_changed_and_deleted(http: httpx.Client, people: Any) -> None:
    posted = shown(http.post("/segments", json={"name": "Pro", "text": "metadata.plan = pro", "id": "pro"}), 201)
    assert posted["rule"]["rules"] == [{"field": "metadata.plan", "operator": "=", "value": "pro"}]
    assert (posted["text"], posted["kind"], posted["rule_version"]) == ("metadata.plan = pro", "dynamic", 1)
    assert (posted["size"], posted["is_counting"]) == (0, True)
    settle_all()
    read = shown(http.get("/segments/pro"))
    assert (read["size"], read["is_counting"], read["next_offset"]) == (2, False, 2)
    assert read["as_of"].endswith("Z")
    same = shown(http.patch("/segments/pro", json={"sentence": read["sentence"]}))
    assert same["rule_version"] == 1
    changed = shown(http.patch("/segments/pro", json={"name": "Not pro", "rule": rule("metadata.plan", "!=", "pro")}))
    assert (changed["name"], changed["rule_version"]) == ("Not pro", 2)
    settle_all()
    assert {one["id"] for one in shown(http.get("/segments", params={"customer_id": "ben"}))} == {"pro"}
    assert shown(http.get("/segments", params={"customer_id": "ada"})) == []
    assert [one["id"] for one in shown(http.get("/segments", params={"name": "Not pro"}))] == ["pro"]
    shown(http.delete("/segments/pro"), 204)
    refused(http.get("/segments/pro"), 404, "pro")


def test_what_is_wrong_with_a_segment_is_said_with_its_place(http: httpx.Client, people: Any) -> None:
    invalid(http.post("/segments", json={"text": "name = a"}), ["body", "name"])
    invalid(http.post("/segments", json={"name": "x"}), ["body", "rule"])
    invalid(http.post("/segments", json={"name": "x", "text": "name = a", "rule": PRO}), ["body", "text"])
    wrong = {"combinator": "and", "rules": [{"field": "name", "operator": "roars", "value": "x"}]}
    invalid(http.post("/segments", json={"name": "x", "rule": wrong}), ["body", "rule", "rules", 0, "operator"])
    invalid(http.post("/segments", json={"name": "x", "text": "metadata.mrr >"}), ["body", "text", 14, 14])
    invalid(http.post("/segments", json={"name": "x", "rule": PRO, "time_zone": "Mars"}), ["body", "time_zone"])
    refused(http.post("/segments", json={"name": "x", "rule": PRO, "published_tag": "none"}), 404, "none")
    assert not Segment.objects.exists(), "nothing is left half done"
    shown(http.post("/segments", json={"name": "x", "kind": "static"}), 201)
    refused(http.post("/segments", json={"name": "x", "kind": "static"}), 422, "x")
    invalid(http.post("/segments", json={"name": "y", "kind": "static", "rule": PRO}), ["body", "rule"])


def test_a_segment_that_another_rule_names_stays(http: httpx.Client, people: Any) -> None:
    inner = made("Pro", PRO)
    made("Outer", rule("segments", "any", [inner.pk]))
    refused(http.delete(f"/segments/{inner.pk}"), 422, "Outer")


def test_members_come_in_pages_and_as_of_an_instant(http: httpx.Client, people: dict[str, Customer]) -> None:
    segment = made("Pro", PRO)
    path = f"/segments/{segment.pk}/members"
    first = shown(http.get(path, params={"limit": 1}))
    assert [one["customer_id"] for one in first["items"]] == ["ada"]
    assert (first["total_count"], first["has_more"]) == (2, True)
    assert first["items"][0] == {**first["items"][0], "name": "Ada", "via": "rule"}
    second = shown(http.get(path, params={"limit": 1, "cursor": first["next_cursor"]}))
    assert [one["customer_id"] for one in second["items"]] == ["cleo"]
    assert second["next_cursor"] is None
    before = timezone.now()
    people["Ada"].remove()
    settle_all()
    assert [one["customer_id"] for one in shown(http.get(path))["items"]] == ["cleo"]
    then = shown(http.get(path, params={"at": before.isoformat()}))
    assert [(one["customer_id"], one["name"]) for one in then["items"]] == [("ada", None), ("cleo", "Cleo")]
    assert then["total_count"] == 2
    long_ago = shown(http.get(path, params={"at": (before - timedelta(days=9)).isoformat()}))
    assert (long_ago["items"], long_ago["total_count"]) == ([], 0)
    for wrong in ("yesterday", "2026-02-30", "9999-12-31", ""):
        invalid(http.get(path, params={"at": wrong}), ["query", "at"])
    refused(http.get("/segments/none/members"), 404, "none")


def test_a_day_means_its_end_in_the_time_zone_of_the_segment(http: httpx.Client, people: Any) -> None:
    segment = made("Pro", PRO)
    amend(segment, time_zone="Asia/Tokyo")
    settle_all()
    events = MembershipEvent.objects.filter(segment=segment)
    path = f"/segments/{segment.pk}/members"
    # 23:30 on the 2nd of March in Tokyo, and half past midnight.
    for hour, days in ((14, [0, 2, 2]), (15, [0, 0, 2])):
        events.update(at=datetime(2026, 3, 2, hour, 30, tzinfo=UTC))
        found = [shown(http.get(path, params={"at": f"2026-03-0{day}"}))["total_count"] for day in (1, 2, 3)]
        assert found == days
    wall = [shown(http.get(path, params={"at": f"2026-03-03T00:{minute}"}))["total_count"] for minute in (29, 30)]
    assert wall == [0, 2]


def test_events_are_read_from_an_offset_on(http: httpx.Client, people: dict[str, Customer]) -> None:
    segment = made("Pro", PRO)
    people["Ada"].amend(set_metadata={"plan": "free"})
    settle_all()
    path = f"/segments/{segment.pk}/events"
    events = shown(http.get(path))
    assert [(one["offset"], one["move"], one["cause"]) for one in events] == [
        (0, "entered", "made"),
        (1, "entered", "made"),
        (2, "left", "customer"),
    ]
    assert [one["offset"] for one in shown(http.get(path, params={"min_offset": 1, "limit": 1}))] == [1]
    assert [one["offset"] for one in shown(http.get(path, params={"customer_id": "ada"}))] == [0, 2]
    (day,) = shown(http.get(f"/segments/{segment.pk}/days"))
    assert (day["size"], day["entered"], day["left"]) == (1, 2, 1)


def test_a_list_takes_customers_all_or_nothing(http: httpx.Client, people: Any) -> None:
    segment = made("List")
    path = f"/segments/{segment.pk}/members"
    assert shown(http.patch(path, json={"add": ["ada", "ben", "ada"]})) == {"entered": 2, "left": 0}
    assert shown(http.patch(path, json={"add": ["cleo"], "remove": ["ada"]})) == {"entered": 1, "left": 1}
    refused(http.patch(path, json={"add": ["ada", "nobody"]}), 404, "nobody")
    assert members(segment) == {"ben", "cleo"}
    dynamic = made("Pro", PRO)
    refused(http.patch(f"/segments/{dynamic.pk}/members", json={"add": ["ben"]}), 422, "pin")


def test_pins_overrule_the_rule_and_say_why(http: httpx.Client, people: Any) -> None:
    segment = made("Pro", PRO)
    path = f"/segments/{segment.pk}/pins"
    pinned = shown(http.post(path, json={"customer_id": "ben", "is_in": True, "reason": "Pays by invoice"}), 201)
    assert (pinned["customer_id"], pinned["is_in"], pinned["reason"]) == ("ben", True, "Pays by invoice")
    shown(http.post(path, json={"customer_id": "ada", "is_in": False, "reason": "A test account"}), 201)
    assert members(segment) == {"ben", "cleo"}
    assert [one["customer_id"] for one in shown(http.get(path))] == ["ada", "ben"]
    shown(http.delete(f"{path}/ada"), 204)
    assert members(segment) == {"ada", "ben", "cleo"}
    refused(http.delete(f"{path}/ada"), 404, "ada")
    for reason in ({}, {"reason": "  "}):
        invalid(http.post(path, json={"customer_id": "ada", "is_in": True, **reason}), ["body", "reason"])
    refused(http.post(path, json={"customer_id": "nobody", "is_in": True, "reason": "x"}), 404, "nobody")


def test_a_published_tag_is_borne_by_members_and_set_by_nobody_else(http: httpx.Client, people: Any) -> None:
    tag = Tag.add(name="Pro customer")
    segment = shown(http.post("/segments", json={"name": "Pro", "rule": PRO, "published_tag": tag.pk}), 201)
    settle_all()
    assert shown(http.get("/customers/ada"))["tags"] == [tag.pk]
    assert shown(http.get("/customers/ben"))["tags"] == []
    refused(http.patch("/customers/ben", json={"tags": {"add": [tag.pk]}}), 422, "Pro")
    refused(http.patch("/customers/ada", json={"tags": {"remove": [tag.pk]}}), 422, "Pro")
    assert shown(http.patch(f"/segments/{segment['id']}", json={"published_tag": ""}))["published_tag"] is None
    assert shown(http.get("/customers/ada"))["tags"] == []


def test_a_refresh_is_a_run(http: httpx.Client, people: Any) -> None:
    segment = made("Pro", PRO)
    run = shown(http.post(f"/segments/{segment.pk}/runs"), 202)
    assert (run["state"], run["cause"]) == ("queued", "refresh")
    settle_all()
    newest, oldest = shown(http.get(f"/segments/{segment.pk}/runs"))
    assert (newest["id"], newest["state"], newest["percent"], newest["drift"]) == (run["id"], "ok", 100, 0)
    assert (oldest["cause"], oldest["entered"]) == ("made", 2)


def test_names_and_ids_of_customers_need_the_permission_to_see_customers(people: Any, settings: Any) -> None:
    settings.PARLANT_POLICY = "production"
    made("Pro", PRO, id="pro")
    made("Fair", None, id="fair")
    named = read_text("not (id in (zoe, kim) or name starts Zoe) and not name = Zoe")
    made("Hers", named, id="hers")
    viewer, editor = User.objects.create_user("viewer"), User.objects.create_user("editor")
    numbers = Permission.objects.get(codename="view_segment", content_type__app_label="customers")
    viewer.user_permissions.add(numbers)
    editor.user_permissions.add(numbers, Permission.objects.get(codename="change_segment"))

    def api(user: User) -> Client:
        return Client(headers={"Authorization": f"Bearer {AuthToken.objects.create(user)[1]}"})

    def preview(user: User, text: str = "metadata.plan = pro") -> Any:
        return api(user).post("/segments/preview", {"text": text}, "application/json")

    about_somebody = ("pro/members", "pro/events", "pro/explain?customer_id=ada", "pro/pins", "?customer_id=ada")
    addresses = [f"/segments/{rest}".replace("/?", "?") for rest in about_somebody]
    for url in addresses:
        assert api(viewer).get(url).status_code == 403, url
    for url in ("/segments", "/segments/pro/days", "/segments/pro/runs", "/segments/overlap?ids=pro,fair"):
        assert api(viewer).get(url).status_code == 200, url
    assert (preview(viewer).json()["count"], preview(viewer).json()["sample"]) == (2, [])
    hers = api(viewer).get("/segments/hers").json()
    assert hers["text"] == f"not (id in {MASK} or name starts {MASK}) and not name = {MASK}"
    for url in ("/segments", "/segments/hers", "/segments/hers/near_misses"):
        assert "zoe" not in api(viewer).get(url).content.decode().lower(), url
    [miss] = api(viewer).get("/segments/pro/near_misses").json()
    assert (miss["count"], miss["sample"]) == (1 + Customer.objects.filter(pk="guest").count(), [])
    for text in ("name contains A", "metadata.plan = pro and id = ada"):
        assert "names and ids of customers" in preview(viewer, text).json()["detail"][0]["msg"]
    pinned = {"customer_id": "ben", "is_in": True, "reason": "x"}
    assert api(editor).post("/segments/pro/pins", pinned, "application/json").status_code == 403
    assert api(editor).delete("/segments/pro/pins/ben").status_code == 403
    assert api(editor).patch("/segments/fair/members", {"add": ["ben"]}, "application/json").status_code == 403
    assert not Segment.objects.get(pk="fair").size

    everybody = User.objects.create_user("everybody")
    everybody.user_permissions.add(numbers, Permission.objects.get(codename="view_customer"))
    for url in addresses:
        assert api(everybody).get(url).status_code == 200, url
    assert len(preview(everybody).json()["sample"]) == 2
