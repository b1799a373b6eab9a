"""REST: sessions."""

from typing import Any

import httpx
import pytest

from customers.models import Customer
from sessions_app.events import Kind, Source
from sessions_app.models import Agent, Event, Session
from tests.api.shapes import invalid, refused, shown


def test_a_session_has_the_shape_and_the_defaults_of_the_contract(http: httpx.Client, agent: Agent) -> None:
    made = shown(http.post("/sessions", json={"agent_id": agent.pk}), 201)
    assert made == {
        "id": made["id"],
        "agent_id": agent.pk,
        "customer_id": "guest",
        "creation_utc": made["creation_utc"],
        "participants": [agent.pk],
        "title": None,
        "mode": "auto",
        "consumption_offsets": {"client": 0},
        "metadata": {},
        "labels": [],
    }
    assert made["creation_utc"].endswith("Z")
    assert shown(http.get(f"/sessions/{made['id']}")) == made
    assert shown(http.get("/sessions")) == [made]
    assert shown(http.get(f"/sessions/{made['id']}/events?wait_for_data=0")) == []


def test_a_session_takes_everything(http: httpx.Client, agent: Agent) -> None:
    alice = Customer.register(name="Alice")
    given = {
        "agent_id": agent.pk,
        "customer_id": alice.pk,
        "title": "Order é🦊",
        "metadata": {"a": 1, "b": [None, {"c": True}], "d": None, "": 1.5},
        "labels": ["urgent", "", "urgent", "EU"],
    }
    made = shown(http.post("/sessions?allow_greeting=false", json=given), 201)
    assert {name: made[name] for name in given} == {**given, "labels": ["urgent", "", "EU"]}
    assert shown(http.get(f"/sessions/{made['id']}")) == made


def test_an_unknown_agent_or_customer_is_404_and_nothing_is_opened(http: httpx.Client, agent: Agent) -> None:
    refused(http.post("/sessions", json={"agent_id": "nope"}), 404, "nope")
    refused(http.post("/sessions", json={"agent_id": ""}), 404)
    refused(http.post("/sessions", json={"agent_id": agent.pk, "customer_id": "nope"}), 404, "nope")
    refused(http.post("/sessions", json={"agent_id": agent.pk, "customer_id": ""}), 404)
    assert not Session.objects.exists()


@pytest.mark.parametrize(
    ("field", "value", "location"),
    [
        ("agent_id", None, ["body", "agent_id"]),
        ("agent_id", 5, ["body", "agent_id"]),
        ("customer_id", ["guest"], ["body", "customer_id"]),
        ("title", "x" * 201, ["body", "title"]),
        ("title", 5, ["body", "title"]),
        ("metadata", [], ["body", "metadata"]),
        ("metadata", "x", ["body", "metadata"]),
        ("labels", "urgent", ["body", "labels"]),
        ("labels", {"a": 1}, ["body", "labels"]),
        ("labels", [1], ["body", "labels", 0]),
        ("labels", ["a", None], ["body", "labels", 1]),
        ("labels", ["x" * 201], ["body", "labels", 0]),
    ],
)
def test_a_wrong_value_is_refused(
    http: httpx.Client, agent: Agent, field: str, value: Any, location: list[Any]
) -> None:
    invalid(http.post("/sessions", json={"agent_id": agent.pk, field: value}), location)
    assert not Session.objects.exists()


def test_the_query_of_opening_is_checked(http: httpx.Client, agent: Agent) -> None:
    invalid(http.post("/sessions?allow_greeting=perhaps", json={"agent_id": agent.pk}), ["query", "allow_greeting"])
    assert not Session.objects.exists()


@pytest.mark.parametrize("length", [0, 1, 199, 200])
def test_a_title_has_up_to_200_characters(http: httpx.Client, agent: Agent, length: int) -> None:
    for letter in "a🦊":
        made = shown(http.post("/sessions", json={"agent_id": agent.pk, "title": letter * length}), 201)
        assert shown(http.get(f"/sessions/{made['id']}"))["title"] == letter * length


def test_a_patch_changes_what_it_names(http: httpx.Client, session: Session) -> None:
    path = f"/sessions/{session.pk}"
    before = shown(http.get(path))
    assert shown(http.patch(path, json={})) == before
    nulls = dict.fromkeys(("title", "mode", "customer_id", "agent_id", "consumption_offsets", "metadata", "labels"))
    assert shown(http.patch(path, json=nulls)) == before
    alice, other = Customer.register(name="Alice"), Agent.create(name="Ivo")
    change = {
        "title": "",
        "mode": "manual",
        "customer_id": alice.pk,
        "agent_id": other.pk,
        "consumption_offsets": {"client": 5},
    }
    changed = shown(http.patch(path, json={**change, "unknown": 1}))
    assert changed == {**before, **change, "participants": [change.get("agent_id", before["agent_id"])]}
    assert shown(http.get(path)) == changed
    assert shown(http.patch(path, json={"consumption_offsets": {}})) == changed
    assert shown(http.patch(path, json={"consumption_offsets": {"client": 0}}))["consumption_offsets"] == {"client": 0}
    assert shown(http.patch(path, json={"mode": "auto"}))["mode"] == "auto"


def test_metadata_is_set_then_unset_and_labels_are_upserted_then_removed(http: httpx.Client, session: Session) -> None:
    path = f"/sessions/{session.pk}"
    body = shown(http.patch(path, json={"metadata": {"set": {"a": 1, "b": None, "c": {"d": []}}}}))
    assert body["metadata"] == {"a": 1, "b": None, "c": {"d": []}}
    body = shown(http.patch(path, json={"metadata": {"set": {"a": 2, "e": 3}, "unset": ["e", "b", "unknown"]}}))
    assert body["metadata"] == {"a": 2, "c": {"d": []}}
    assert shown(http.patch(path, json={"metadata": {"remove": ["c"]}}))["metadata"] == {"a": 2}
    assert shown(http.patch(path, json={"labels": {"upsert": ["x", "y", "x"]}}))["labels"] == ["x", "y"]
    body = shown(http.patch(path, json={"labels": {"upsert": ["z", "y"], "remove": ["x", "z", "unknown"]}}))
    assert body["labels"] == ["y"]
    assert shown(http.get(path)) == body


@pytest.mark.parametrize(
    ("body", "location"),
    [
        ({"mode": "robot"}, ["body", "mode"]),
        ({"mode": ""}, ["body", "mode"]),
        ({"title": "x" * 201}, ["body", "title"]),
        ({"consumption_offsets": {"client": -1}}, ["body", "consumption_offsets", "client"]),
        ({"consumption_offsets": {"client": "x"}}, ["body", "consumption_offsets", "client"]),
        ({"consumption_offsets": 5}, ["body", "consumption_offsets"]),
        ({"consumption_offsets": {"client": 2**63}}, ["body"]),
        ({"metadata": {"set": []}}, ["body", "metadata", "set"]),
        ({"metadata": {"unset": "a"}}, ["body", "metadata", "unset"]),
        ({"metadata": {"unset": [1]}}, ["body", "metadata", "unset", 0]),
        ({"metadata": []}, ["body", "metadata"]),
        ({"labels": []}, ["body", "labels"]),
        ({"labels": {"upsert": "x"}}, ["body", "labels", "upsert"]),
        ({"labels": {"upsert": ["x" * 201]}}, ["body", "labels", "upsert", 0]),
        ({"labels": {"remove": [None]}}, ["body", "labels", "remove", 0]),
    ],
)
def test_a_refused_patch_has_changed_nothing(
    http: httpx.Client, session: Session, body: dict[str, Any], location: list[Any]
) -> None:
    path = f"/sessions/{session.pk}"
    before = shown(http.get(path))
    good = {"title": "New", "labels": {"upsert": ["new"]}, "metadata": {"set": {"new": 1}}}
    invalid(http.patch(path, json={**good, **body}), location)
    for field in ("customer_id", "agent_id"):
        refused(http.patch(path, json={**good, field: "nope"}), 404, "nope")
    assert shown(http.get(path)) == before


def test_sessions_are_filtered_by_agent_customer_and_all_labels(http: httpx.Client, agent: Agent) -> None:
    other, alice, guest = Agent.create(name="Ivo"), Customer.register(name="Alice"), Customer.guest()
    one = Session.open(agent=agent, customer=alice, labels=["a", "b"])
    two = Session.open(agent=agent, customer=guest, labels=["a"])
    three = Session.open(agent=other, customer=alice, labels=["b", "é &"])

    def listed(query: str) -> list[str]:
        return [row["id"] for row in shown(http.get(f"/sessions?{query}"))]

    assert listed("") == [one.pk, two.pk, three.pk]
    assert listed(f"agent_id={agent.pk}") == [one.pk, two.pk]
    assert listed(f"customer_id={alice.pk}") == [one.pk, three.pk]
    assert listed(f"agent_id={agent.pk}&customer_id={alice.pk}") == [one.pk]
    assert listed("labels=a") == [one.pk, two.pk]
    assert listed("labels=a&labels=b") == [one.pk]
    assert listed("labels=%C3%A9+%26&labels=b") == [three.pk]
    assert listed("labels=a,b") == []
    assert listed("labels=") == []
    assert listed("agent_id=nope") == listed("customer_id=nope") == listed("customer_id=") == listed("agent_id=") == []
    assert listed("unknown=x&agent_id=" + other.pk) == [three.pk]
    assert listed("sort=desc") == [three.pk, two.pk, one.pk]
    page = shown(http.get("/sessions?labels=b&limit=1"))
    assert ([row["id"] for row in page["items"]], page["total_count"], page["has_more"]) == ([one.pk], 2, True)
    for field in ("agent_id", "customer_id", "labels"):
        invalid(http.get(f"/sessions?{field}=%00"), ["query", field])


def test_deleting_a_session_takes_its_events_along(http: httpx.Client, session: Session) -> None:
    session.append_event(kind=Kind.MESSAGE, source=Source.CUSTOMER, data={"message": "Hi"})
    path = f"/sessions/{session.pk}"
    shown(http.delete(path), 204)
    refused(http.get(path), 404, session.pk)
    refused(http.get(f"{path}/events"), 404, session.pk)
    refused(http.delete(path), 404, session.pk)
    assert not Event.objects.exists()


def test_sessions_are_deleted_by_agent_and_customer(http: httpx.Client, agent: Agent) -> None:
    other, alice, guest = Agent.create(name="Ivo"), Customer.register(name="Alice"), Customer.guest()
    who = {"one": (agent, alice), "two": (agent, guest), "three": (other, alice), "four": (other, guest)}
    made = {name: Session.open(agent=by, customer=of, labels=["x"], title=name) for name, (by, of) in who.items()}
    for session in made.values():
        session.append_event(kind=Kind.MESSAGE, source=Source.CUSTOMER, data={"message": "Hi"})

    def left() -> list[str]:
        return [row["title"] for row in shown(http.get("/sessions"))]

    for nothing in ("agent_id=", "customer_id=", "agent_id=nope", "customer_id=nope", f"customer_id={alice.pk}%20"):
        shown(http.delete(f"/sessions?{nothing}"), 204)
        assert left() == list(made)
    shown(http.delete(f"/sessions?agent_id={agent.pk}&customer_id={alice.pk}"), 204)
    assert left() == ["two", "three", "four"]
    shown(http.delete("/sessions?customer_id=guest"), 204)
    assert left() == ["three"]
    alice.refresh_from_db()
    assert (alice.session_count, alice.customer_message_count) == (1, 1)
    shown(http.delete("/sessions"), 204)
    assert left() == []
    assert not Event.objects.exists()
    alice.refresh_from_db()
    assert (alice.session_count, alice.customer_message_count, alice.last_seen) == (0, 0, None)
