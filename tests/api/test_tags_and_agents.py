"""REST: tags and agents."""

from typing import Any

import httpx
import pytest

from sessions_app.models import Agent, Session
from tags.models import Tag
from tests.api.shapes import invalid, refused, shown


def test_a_tag_is_made_read_renamed_and_deleted(http: httpx.Client) -> None:
    made = shown(http.post("/tags", json={"name": "VIP"}), 201)
    assert set(made) == {"id", "name", "creation_utc"}
    assert made["creation_utc"].endswith("Z")
    path = f"/tags/{made['id']}"
    assert shown(http.get(path)) == made
    assert shown(http.patch(path, json={"name": "VIP2"})) == {**made, "name": "VIP2"}
    shown(http.delete(path), 204)
    refused(http.get(path), 404, made["id"])
    refused(http.delete(path), 404, made["id"])


@pytest.mark.parametrize(("length", "status"), [(0, 422), (1, 201), (50, 201), (51, 422)])
@pytest.mark.parametrize("letter", ["a", "🦊"])
def test_a_tag_s_name_has_1_to_50_characters(http: httpx.Client, letter: str, length: int, status: int) -> None:
    assert http.post("/tags", json={"name": letter * length}).status_code == status
    other = Tag.add(name="other")
    patched = http.patch(f"/tags/{other.pk}", json={"name": "x" + letter * (length - 1) if length else ""})
    assert patched.status_code == (422 if status == 422 else 200)


def test_a_taken_tag_name_is_422_also_by_renaming(http: httpx.Client) -> None:
    vip, eu = Tag.add(name="VIP"), Tag.add(name="EU")
    refused(http.post("/tags", json={"name": "VIP"}), 422, "VIP")
    refused(http.patch(f"/tags/{eu.pk}", json={"name": "VIP"}), 422, "VIP")
    assert shown(http.patch(f"/tags/{vip.pk}", json={"name": "VIP"}))["name"] == "VIP"  # its own
    shown(http.post("/tags", json={"name": "vip"}), 201)  # names are exact
    assert shown(http.get(f"/tags/{eu.pk}"))["name"] == "EU"


def test_tags_are_listed_by_creation_and_by_exact_name(http: httpx.Client) -> None:
    made = [Tag.add(name=name) for name in ("VIP", "EU", "vip", " VIP")]
    assert [row["id"] for row in shown(http.get("/tags"))] == [tag.pk for tag in made]
    assert [row["name"] for row in shown(http.get("/tags", params={"name": "VIP"}))] == ["VIP"]
    assert [row["name"] for row in shown(http.get("/tags", params={"name": " VIP"}))] == [" VIP"]
    assert shown(http.get("/tags?name=")) == []
    assert shown(http.get("/tags?name=VI")) == []
    invalid(http.get("/tags?name=%00"), ["query", "name"])


@pytest.mark.parametrize("body", [{}, {"name": None}, {"name": 1}, {"name": []}, {"name": {}}, {"name": ""}])
def test_a_tag_needs_a_name(http: httpx.Client, body: Any) -> None:
    invalid(http.post("/tags", json=body), ["body", "name"])
    tag = Tag.add(name="VIP")
    invalid(http.patch(f"/tags/{tag.pk}", json=body), ["body", "name"])
    invalid(http.patch(f"/tags/{tag.pk}"), ["body"])


def test_an_agent_has_the_shape_and_the_defaults_of_the_contract(http: httpx.Client) -> None:
    made = shown(http.post("/agents", json={"name": "Iris"}), 201)
    contract = {
        "id": made["id"],
        "name": "Iris",
        "description": None,
        "creation_utc": made["creation_utc"],
        "max_engine_iterations": 3,
        "composition_mode": "fluid",
        "message_output_mode": "block",
        "responder": "",
        "tags": [],
    }
    assert {name: made[name] for name in contract} == contract
    assert made["creation_utc"].endswith("Z")
    assert shown(http.get(f"/agents/{made['id']}")) == made
    assert shown(http.get("/agents")) == [made]


def test_an_agent_takes_everything_and_changes_everything(http: httpx.Client) -> None:
    vip, eu = Tag.add(name="VIP"), Tag.add(name="EU")
    given = {
        "name": "Iris",
        "id": "iris",
        "description": "Helps",
        "max_engine_iterations": 1,
        "composition_mode": "strict_canned",
        "message_output_mode": "stream",
        "responder": "llm",
        "tags": [vip.pk, vip.pk],
    }
    made = shown(http.post("/agents", json=given), 201)
    assert {name: made[name] for name in given} == {**given, "tags": [vip.pk]}
    change = {
        "name": "Ivo",
        "description": "",
        "max_engine_iterations": 9,
        "composition_mode": "canned_fluid",
        "message_output_mode": "block",
        "responder": "",
    }
    changed = shown(http.patch("/agents/iris", json={**change, "tags": {"add": [eu.pk], "remove": [vip.pk]}}))
    assert changed == {**made, **change, "tags": [eu.pk]}  # the description can be emptied
    assert shown(http.get("/agents/iris")) == changed
    assert shown(http.patch("/agents/iris", json={"description": None, "name": None})) == changed
    assert shown(http.patch("/agents/iris", json={"composition_mode": "composited_canned"}))["name"] == "Ivo"
    invalid(http.patch("/agents/iris"), ["body"])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "x" * 101),
        ("description", 5),
        ("max_engine_iterations", 0),
        ("max_engine_iterations", 2**31),
        ("max_engine_iterations", 2**63),
        ("max_engine_iterations", True),
        ("max_engine_iterations", 1.5),
        ("composition_mode", "loose"),
        ("composition_mode", ["fluid"]),
        ("message_output_mode", "drip"),
        ("message_output_mode", ""),
    ],
)
def test_a_wrong_value_of_an_agent_is_refused(http: httpx.Client, field: str, value: Any) -> None:
    answer = http.post("/agents", json={"name": "Iris", field: value})
    invalid(answer, ["body"] if value == 2**63 else ["body", field])
    agent = Agent.create(name="Iris", description="d")
    assert http.patch(f"/agents/{agent.pk}", json={"name": "Ivo", field: value}).status_code == 422
    agent.refresh_from_db()
    assert (agent.name, agent.description) == ("Iris", "d")
    assert Agent.objects.count() == 1


def test_an_agent_s_tags_and_id_are_checked(http: httpx.Client) -> None:
    vip, iris = Tag.add(name="VIP"), Agent.create(id="iris", name="Iris")
    refused(http.post("/agents", json={"name": "Ivo", "tags": ["nope"]}), 404, "nope")
    refused(http.post("/agents", json={"name": "Ivo", "id": "iris"}), 422, "iris")
    for tags in ({"add": [vip.pk, "nope"]}, {"remove": [vip.pk]}):
        assert http.patch("/agents/iris", json={"name": "Ivo", "tags": tags}).status_code == 404
    iris.refresh_from_db()
    assert (iris.name, iris.tag_ids()) == ("Iris", [])
    invalid(http.patch("/agents/iris", json={"tags": [vip.pk]}), ["body", "tags"])


def test_a_deleted_agent_leaves_its_sessions_and_a_new_one_inherits_none(http: httpx.Client) -> None:
    from customers.models import Customer

    session = Session.open(agent=Agent.create(id="iris", name="Iris"), customer=Customer.guest())
    shown(http.delete("/agents/iris"), 204)
    assert shown(http.get(f"/sessions/{session.pk}"))["agent_id"] == "iris"
    body = {"kind": "message", "source": "human_agent_on_behalf_of_ai_agent", "message": "Hi"}
    posted = shown(http.post(f"/sessions/{session.pk}/events", json=body), 201)
    assert posted["data"]["participant"] == {"id": "iris", "display_name": "iris"}
    refused(http.post("/sessions", json={"agent_id": "iris"}), 404, "iris")
    assert len(shown(http.get("/sessions?agent_id=iris"))) == 1
    shown(http.post("/agents", json={"id": "iris", "name": "Another"}), 201)
    assert shown(http.get("/sessions?agent_id=iris")) == []
