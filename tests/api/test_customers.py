"""REST: customers."""

import re
from datetime import datetime
from typing import Any

import httpx
import pytest

from customers.models import Changed, Customer, CustomerTag
from sessions_app.models import Agent, Session
from tags.models import Tag
from tests.api.shapes import invalid, refused, shown


def test_a_customer_has_the_shape_of_the_contract(http: httpx.Client) -> None:
    vip = Tag.add(name="VIP")
    body = shown(
        http.post("/customers", json={"name": "Älice 🦊", "metadata": {"a": "1", "": ""}, "tags": [vip.pk]}), 201
    )
    assert set(body) == {"id", "creation_utc", "name", "metadata", "tags"}
    assert (body["name"], body["metadata"], body["tags"]) == ("Älice 🦊", {"a": "1", "": ""}, [vip.pk])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", body["creation_utc"])
    assert re.fullmatch(r"[0-9A-Za-z]{10,30}", body["id"])
    assert shown(http.get(f"/customers/{body['id']}")) == body


def test_the_least_is_a_name_and_tags_are_deduplicated(http: httpx.Client) -> None:
    one, two = Tag.add(name="one"), Tag.add(name="two")
    body = shown(http.post("/customers", json={"name": "A", "tags": [two.pk, one.pk, two.pk]}), 201)
    assert body["tags"] == [two.pk, one.pk]
    assert shown(http.post("/customers", json={"name": "A"}), 201)["metadata"] == {}


@pytest.mark.parametrize("letter", ["a", "é", "🦊", " "])
def test_a_name_has_1_to_100_characters(http: httpx.Client, letter: str) -> None:
    for length, status in ((0, 422), (1, 201), (100, 201), (101, 422)):
        answer = http.post("/customers", json={"name": letter * length})
        assert answer.status_code == status, (length, answer.text)
        if status == 422:
            invalid(answer, ["body", "name"])
        else:
            assert shown(http.get(f"/customers/{answer.json()['id']}"))["name"] == letter * length
    made = Customer.register(name="x")
    invalid(http.patch(f"/customers/{made.pk}", json={"name": letter * 101}), ["body", "name"])
    invalid(http.patch(f"/customers/{made.pk}", json={"name": ""}), ["body", "name"])


@pytest.mark.parametrize(
    ("body", "locations"),
    [
        ({}, [["body", "name"]]),
        ({"name": None}, [["body", "name"]]),
        ({"name": 5}, [["body", "name"]]),
        ({"name": ["a"]}, [["body", "name"]]),
        ({"name": {"a": "b"}}, [["body", "name"]]),
        ({"name": True}, [["body", "name"]]),
        ({"name": "a", "id": ""}, [["body", "id"]]),
        ({"name": "a", "id": 5}, [["body", "id"]]),
        ({"name": "a", "id": "x" * 201}, [["body", "id"]]),
        ({"name": "a", "id": "a/b"}, [["body", "id"]]),
        ({"name": "a", "id": ".."}, [["body", "id"]]),
        ({"name": "a", "metadata": []}, [["body", "metadata"]]),
        ({"name": "a", "metadata": "x"}, [["body", "metadata"]]),
        ({"name": "a", "metadata": {"k": 5}}, [["body", "metadata", "k"]]),
        ({"name": "a", "metadata": {"k": None}}, [["body", "metadata", "k"]]),
        ({"name": "a", "metadata": {"k": {"l": "m"}}}, [["body", "metadata", "k"]]),
        ({"name": "a", "tags": "x"}, [["body", "tags"]]),
        ({"name": "a", "tags": {"x": "y"}}, [["body", "tags"]]),
        ({"name": "a", "tags": [1]}, [["body", "tags", 0]]),
        ({"name": "a", "tags": ["x", None]}, [["body", "tags", 1]]),
        ({"metadata": {"k": 5}, "tags": 1}, [["body", "name"], ["body", "metadata", "k"], ["body", "tags"]]),
    ],
)
def test_a_wrong_value_is_refused_where_it_stands(http: httpx.Client, body: Any, locations: list[list[Any]]) -> None:
    answer = http.post("/customers", json=body)
    invalid(answer, *locations)
    assert Customer.objects.count() == 1


def test_a_problem_shows_what_was_given(http: httpx.Client) -> None:
    (problem,) = http.post("/customers", json={"name": "a", "metadata": {"k": 5}}).json()["detail"]
    assert (problem["loc"], problem["input"], problem["msg"]) == (
        ["body", "metadata", "k"],
        5,
        "Input should be a string",
    )
    (problem,) = http.post("/customers", json={"id": "x"}).json()["detail"]
    assert (problem["loc"], problem["type"]) == (["body", "name"], "missing")


def test_null_counts_as_absent_and_unknown_fields_are_ignored(http: httpx.Client) -> None:
    body = {"name": "A", "id": None, "metadata": None, "tags": None, "segment": 5}
    made = shown(http.post("/customers?colour=red", json=body), 201)
    assert (made["metadata"], made["tags"]) == ({}, [])
    path = f"/customers/{made['id']}"
    assert shown(http.patch(path, json={"name": None, "metadata": {"set": None, "unset": None}, "tags": None})) == made
    assert shown(http.patch(path, json={"tags": {"add": None, "remove": None}, "shoe": 44})) == made
    assert shown(http.patch(path, json={})) == made


@pytest.mark.parametrize("key", ["alice@example.org", "a b", "ü🦊", "100%", "a?b#c", "%2e", "'\"<b>", "~", "a:b;c=d&e"])
def test_a_chosen_id_may_be_anything_that_a_path_can_say(http: httpx.Client, key: str) -> None:
    made = shown(http.post("/customers", json={"id": key, "name": "A"}), 201)
    assert made["id"] == key
    path = "/customers/" + "".join(f"%{byte:02X}" for byte in key.encode())
    assert shown(http.get(path)) == made
    assert shown(http.patch(path, json={"name": "B"}))["name"] == "B"
    answer = http.get(path + "/")
    assert answer.status_code == 307
    assert shown(http.get(answer.headers["location"]))["id"] == key
    shown(http.delete(path), 204)
    refused(http.get(path), 404)


def test_a_taken_id_is_422_and_changes_nothing(http: httpx.Client) -> None:
    shown(http.post("/customers", json={"id": "alice", "name": "Alice"}), 201)
    refused(http.post("/customers", json={"id": "alice", "name": "Other", "metadata": {"a": "b"}}), 422, "alice")
    refused(http.post("/customers", json={"id": "guest", "name": "Other"}), 422, "guest")
    assert shown(http.get("/customers/alice"))["name"] == "Alice"


def test_an_unknown_tag_is_404_and_nothing_is_made(http: httpx.Client) -> None:
    vip = Tag.add(name="VIP")
    refused(http.post("/customers", json={"name": "A", "tags": [vip.pk, "nope"]}), 404, "nope")
    assert Customer.objects.count() == 1


def test_the_guest_always_exists(http: httpx.Client) -> None:
    guest = shown(http.get("/customers/guest"))
    assert (guest["id"], guest["name"], guest["metadata"], guest["tags"]) == ("guest", "Guest", {}, [])
    refused(http.delete("/customers/guest"), 422)
    refused(http.patch("/customers/guest", json={"name": "Host"}), 422)
    assert shown(http.get("/customers/guest")) == guest


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
@pytest.mark.parametrize("collection", ["customers", "tags", "agents", "sessions"])
def test_a_404_names_the_id(http: httpx.Client, method: str, collection: str) -> None:
    body = {"name": "A"} if method == "PATCH" else None
    for key in ("nobody", "n%C3%B6"):
        refused(http.request(method, f"/{collection}/{key}", json=body), 404, "nobody" if key == "nobody" else "nö")
    refused(http.request(method, f"/{collection}/a%00b", json=body), 404)


def test_a_patch_changes_what_it_names(http: httpx.Client) -> None:
    one, two, three = (Tag.add(name=name) for name in ("one", "two", "three"))
    alice = Customer.register(name="Alice", metadata={"a": "1", "b": "2"}, tags=[one, two])
    path = f"/customers/{alice.pk}"
    body = shown(http.patch(path, json={"metadata": {"set": {"a": "9", "c": "3"}, "unset": ["b", "unknown"]}}))
    assert (body["name"], body["metadata"], body["tags"]) == ("Alice", {"a": "9", "c": "3"}, [one.pk, two.pk])
    assert shown(http.patch(path, json={"name": "Bob"}))["name"] == "Bob"
    body = shown(http.patch(path, json={"tags": {"add": [three.pk, two.pk], "remove": [one.pk]}}))
    assert body["tags"] == [two.pk, three.pk]
    assert shown(http.get(path)) == body


def test_set_comes_before_unset_and_add_before_remove(http: httpx.Client) -> None:
    vip = Tag.add(name="VIP")
    path = f"/customers/{Customer.register(name='A').pk}"
    body = shown(http.patch(path, json={"metadata": {"set": {"a": "1"}, "unset": ["a"]}}))
    assert body["metadata"] == {}
    assert shown(http.patch(path, json={"tags": {"add": [vip.pk], "remove": [vip.pk]}}))["tags"] == []


def test_the_older_dialect_of_a_patch(http: httpx.Client) -> None:
    one, two = Tag.add(name="one"), Tag.add(name="two")
    path = f"/customers/{Customer.register(name='A', metadata={'hobby': 'reading'}, tags=[one]).pk}"
    body = shown(
        http.patch(path, json={"metadata": {"set": {"location": "Canada"}, "remove": ["hobby"]}, "tags": [two.pk]})
    )
    assert (body["metadata"], body["tags"]) == ({"location": "Canada"}, [two.pk])
    assert shown(http.patch(path, json={"tags": []}))["tags"] == []
    refused(http.patch(path, json={"tags": ["nope"]}), 404, "nope")
    invalid(http.patch(path, json={"tags": [5]}), ["body", "tags", 0])
    invalid(http.patch(path, json={"tags": "x"}), ["body", "tags"])


@pytest.mark.parametrize("tags", [{"add": ["nope"]}, {"remove": ["nope"]}, ["nope"]])
def test_a_refused_patch_has_changed_nothing(http: httpx.Client, tags: Any) -> None:
    vip = Tag.add(name="VIP")
    alice = Customer.register(name="Alice", metadata={"a": "1"}, tags=[vip])
    body = {"name": "Bob", "metadata": {"set": {"b": "2"}, "unset": ["a"]}, "tags": tags}
    refused(http.patch(f"/customers/{alice.pk}", json=body), 404, "nope")
    alice.refresh_from_db()
    assert (alice.name, alice.metadata, alice.tag_ids()) == ("Alice", {"a": "1"}, [vip.pk])


def test_removing_a_tag_that_the_customer_lacks_is_404(http: httpx.Client) -> None:
    vip, alice = Tag.add(name="VIP"), Customer.register(name="Alice")
    refused(http.patch(f"/customers/{alice.pk}", json={"tags": {"remove": [vip.pk]}}), 404, vip.pk)


def test_a_patch_without_a_body_is_422(http: httpx.Client) -> None:
    invalid(http.patch(f"/customers/{Customer.register(name='A').pk}"), ["body"])


def test_deleting_keeps_the_sessions_and_a_new_customer_of_the_id_inherits_nothing(http: httpx.Client) -> None:
    vip = Tag.add(name="VIP")
    alice = Customer.register(id="alice", name="Alice", metadata={"a": "1"}, tags=[vip])
    session = Session.open(agent=Agent.create(name="Iris"), customer=alice, title="Hers")
    events = f"/sessions/{session.pk}/events"
    shown(http.post(events, json={"kind": "message", "source": "customer", "message": "Hi"}), 201)
    shown(http.delete("/customers/alice"), 204)
    refused(http.get("/customers/alice"), 404, "alice")
    assert shown(http.get(f"/sessions/{session.pk}"))["customer_id"] == "alice"
    assert len(shown(http.get(events))) == 1
    assert [row["id"] for row in shown(http.get("/sessions?customer_id=alice"))] == [session.pk]

    again = shown(http.post("/customers", json={"id": "alice", "name": "Other"}), 201)
    assert (again["metadata"], again["tags"]) == ({}, [])
    assert shown(http.get("/sessions?customer_id=alice")) == []
    posted = shown(http.post(events, json={"kind": "message", "source": "customer", "message": "Still me"}), 201)
    assert posted["data"]["participant"]["id"] == "alice"
    other = Customer.objects.get(pk="alice")
    assert (other.session_count, other.customer_message_count, other.last_seen) == (0, 0, None)
    shown(http.delete("/sessions?customer_id=alice"), 204)
    assert shown(http.get(f"/sessions/{session.pk}"))["title"] == "Hers"


def test_deleting_a_tag_takes_it_off_its_bearers(http: httpx.Client) -> None:
    vip, eu = Tag.add(name="VIP"), Tag.add(name="EU")
    alice, iris = Customer.register(name="Alice", tags=[vip, eu]), Agent.create(name="Iris", tags=[vip])
    Customer.objects.update(stale=0)
    shown(http.delete(f"/tags/{vip.pk}"), 204)
    assert shown(http.get(f"/customers/{alice.pk}"))["tags"] == [eu.pk]
    assert shown(http.get(f"/agents/{iris.pk}"))["tags"] == []
    assert not CustomerTag.objects.filter(tag_id=vip.pk).exists()
    alice.refresh_from_db()
    assert alice.stale == Changed.TAGS  # her segments are looked at again


def test_the_guest_s_creation_never_changes(http: httpx.Client) -> None:
    first = shown(http.get("/customers/guest"))["creation_utc"]
    datetime.fromisoformat(first)
    shown(http.patch("/customers/guest", json={"metadata": {"set": {"a": "b"}}}))
    assert shown(http.get("/customers/guest"))["creation_utc"] == first
    shown(http.patch("/customers/guest", json={"metadata": {"unset": ["a"]}}))
