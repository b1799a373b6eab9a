"""REST: canned responses."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from parlant.client import (
    AsyncParlantClient,
    CannedResponseField,
    CannedResponseMetadataUpdateParams,
    CannedResponseTagUpdateParams,
    NotFoundError,
    ParlantClient,
    UnprocessableEntityError,
)

from parlant_site.common.audit import AuditEntry
from sessions_app.models import CannedResponse
from tags.models import Tag
from tests.api.shapes import invalid, refused, shown
from tests.data.test_roles import as_role
from tests.processes import Server

PATH = "/canned_responses"
BALANCE = {"name": "balance", "description": "Account's balance", "examples": ["9000"]}


def test_a_response_has_the_shape_of_the_contract(http: httpx.Client) -> None:
    made = shown(http.post(PATH, json={"value": "Hello", "fields": []}), 201)
    assert made == {
        "id": made["id"],
        "creation_utc": made["creation_utc"],
        "value": "Hello",
        "fields": [],
        "tags": [],
        "signals": [],
        "metadata": {},
        "field_dependencies": [],
        "purpose": "answer",
        "enabled": True,
    }
    assert made["creation_utc"].endswith("Z")
    path = f"{PATH}/{made['id']}"
    assert shown(http.get(path)) == made
    assert shown(http.get(PATH)) == [made]
    shown(http.delete(path), 204)
    refused(http.get(path), 404, made["id"])
    refused(http.delete(path), 404, made["id"])
    refused(http.patch(path, json={"value": "x"}), 404, made["id"])


def test_a_response_takes_everything_and_changes_everything(http: httpx.Client) -> None:
    vip, eu = Tag.add(name="VIP"), Tag.add(name="EU")
    given = {
        "value": "You have {{ balance }}, {{ customer.name }}",
        "fields": [BALANCE],
        "signals": ["How much do I have?", "Größe"],
        "metadata": {"category": "account", "priority": 1, "deep": {"a": [None, True]}},
        "field_dependencies": ["balance"],
        "purpose": "follow_up",
        "enabled": False,
    }
    made = shown(http.post(PATH, json={**given, "tags": [vip.pk, vip.pk]}), 201)
    assert {name: made[name] for name in given} == given
    assert made["tags"] == [vip.pk]
    path = f"{PATH}/{made['id']}"
    change = {"value": "Changed", "fields": [], "signals": [], "field_dependencies": [], "enabled": True}
    patches = {
        "tags": {"add": [eu.pk], "remove": [vip.pk]},
        "metadata": {"set": {"priority": 2}, "unset": ["deep", "x"]},
    }
    changed = shown(http.patch(path, json={**change, **patches, "purpose": "answer"}))
    wanted = {"tags": [eu.pk], "metadata": {"category": "account", "priority": 2}, "purpose": "answer"}
    assert changed == {**made, **change, **wanted}
    assert shown(http.get(path)) == changed
    assert shown(http.patch(path, json={"value": None, "tags": None, "unknown": 1})) == changed


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({}, ["value"]),
        ({"value": ""}, ["value"]),
        ({"value": " \n"}, ["value"]),
        ({"value": 5}, ["value"]),
        ({"value": "x" * 4001}, ["value"]),
        ({"value": "Hello {{ customer.name"}, ["value"]),
        ({"value": "{% if %}"}, ["value"]),
        ({"value": "{{ 1|unknown }}"}, ["value"]),
        ({"value": "x", "fields": ["balance"]}, ["fields", 0]),
        ({"value": "x", "fields": [{"name": "", "description": ""}]}, ["fields", 0, "name"]),
        ({"value": "x", "signals": [""]}, ["signals", 0]),
        ({"value": "x", "signals": "hello"}, ["signals"]),
        ({"value": "x", "signals": ["x"] * 201}, ["signals"]),
        ({"value": "x", "metadata": []}, ["metadata"]),
        ({"value": "x", "tags": {"add": []}}, ["tags"]),
        ({"value": "x", "purpose": "other"}, ["purpose"]),
        ({"value": "x", "enabled": "yes"}, ["enabled"]),
    ],
)
def test_a_wrong_value_is_refused_with_its_place(http: httpx.Client, body: dict[str, Any], where: list[Any]) -> None:
    invalid(http.post(PATH, json=body), ["body", *where])
    known = CannedResponse.create(value="Hello")
    if body and where != ["tags"] and body.get("metadata") != []:
        assert http.patch(f"{PATH}/{known.pk}", json={**body, "signals": body.get("signals", [])}).status_code == 422
    known.refresh_from_db()
    assert known.value == "Hello"
    assert CannedResponse.objects.count() == 1


def test_a_broken_template_is_explained(http: httpx.Client) -> None:
    answer = http.post(PATH, json={"value": "Dear\n{% if customer.is_known %}friend"})
    (problem,) = answer.json()["detail"]
    assert problem["loc"] == ["body", "value"]
    assert problem["type"] == "template"
    assert problem["msg"].startswith("The template cannot be used: line 2:")
    assert "endif" in problem["msg"]


def test_unknown_tags_are_404_and_change_nothing(http: httpx.Client) -> None:
    vip = Tag.add(name="VIP")
    refused(http.post(PATH, json={"value": "x", "tags": [vip.pk, "nope"]}), 404, "nope")
    assert not CannedResponse.objects.exists()
    known = CannedResponse.create(value="Hello")
    for tags in ({"add": [vip.pk, "nope"]}, {"remove": [vip.pk]}):
        assert http.patch(f"{PATH}/{known.pk}", json={"value": "Changed", "tags": tags}).status_code == 404
    known.refresh_from_db()
    assert (known.value, known.tag_ids()) == ("Hello", [])


def test_the_list_filters_by_any_of_the_tags_and_has_pages(http: httpx.Client) -> None:
    vip, eu = Tag.add(name="VIP"), Tag.add(name="EU")
    plain, both = CannedResponse.create(value="plain"), CannedResponse.create(value="both", tags=[vip, eu])
    only = CannedResponse.create(value="only", tags=[eu])

    def ids(query: str) -> list[str]:
        return [row["id"] for row in shown(http.get(f"{PATH}{query}"))]

    assert ids("") == [plain.pk, both.pk, only.pk]
    assert ids(f"?tags={vip.pk}") == [both.pk]
    assert ids(f"?tags={vip.pk}&tags={eu.pk}") == [both.pk, only.pk]
    assert ids("?tags=nope") == ids("?tags=") == []
    invalid(http.get(f"{PATH}?tags=%00"), ["query", "tags"])
    page = shown(http.get(f"{PATH}?limit=2&sort=desc"))
    assert [row["id"] for row in page["items"]] == [only.pk, both.pk]
    assert (page["total_count"], page["has_more"]) == (3, True)
    rest = shown(http.get(f"{PATH}?limit=2&sort=desc&cursor={page['next_cursor']}"))
    assert [row["id"] for row in rest["items"]] == [plain.pk]


@pytest.mark.django_db
def test_a_list_takes_as_many_queries_for_many(client_of_views: Any) -> None:
    vip = Tag.add(name="VIP")
    numbers = []
    for number in (1, 20):
        for _ in range(number):
            CannedResponse.create(value="x", tags=[vip])
        with CaptureQueriesContext(connection) as queries:
            assert client_of_views.get(PATH).status_code == 200
        numbers.append(len(queries))
    assert numbers[0] == numbers[1] <= 2


@pytest.fixture
def client_of_views() -> Any:
    from django.test import Client

    return Client()


def test_parlant_s_client_lists_creates_reads_changes_and_deletes(client: ParlantClient) -> None:
    vip = client.tags.create(name="VIP")
    made = client.canned_responses.create(
        value="Your account balance is {balance}",
        fields=[CannedResponseField(**BALANCE)],  # type: ignore[arg-type]
        tags=[vip.id],
        signals=["my balance"],
        metadata={"category": "account", "priority": 1},
        field_dependencies=["account"],
    )
    assert made.fields == [CannedResponseField(**BALANCE)]  # type: ignore[arg-type]
    assert (made.tags, made.signals, made.field_dependencies) == ([vip.id], ["my balance"], ["account"])
    assert client.canned_responses.retrieve(made.id) == made
    assert client.canned_responses.list() == client.canned_responses.list(tags=[vip.id]) == [made]
    assert client.canned_responses.list(tags="other") == []
    changed = client.canned_responses.update(
        made.id,
        value="Your updated balance is {balance}",
        fields=[],
        tags=CannedResponseTagUpdateParams(remove=[vip.id]),
        metadata=CannedResponseMetadataUpdateParams(set_={"priority": 2}, unset=["category"]),
    )
    assert (changed.value, changed.fields, changed.tags) == ("Your updated balance is {balance}", [], [])
    assert changed.metadata == {"priority": 2}
    client.canned_responses.delete(made.id)
    with pytest.raises(NotFoundError):
        client.canned_responses.retrieve(made.id)
    with pytest.raises(UnprocessableEntityError):
        client.canned_responses.create(value="{{", fields=[])


async def test_parlant_s_asynchronous_client_does_too(async_client: AsyncParlantClient) -> None:
    made = await async_client.canned_responses.create(value="Hello", fields=[])
    assert await async_client.canned_responses.list() == [made]
    changed = await async_client.canned_responses.update(made.id, value="Hi")
    assert (await async_client.canned_responses.retrieve(made.id)).value == changed.value == "Hi"
    await async_client.canned_responses.delete(made.id)
    assert await async_client.canned_responses.list() == []


def test_roles_may_what_they_may_in_the_console(production_server: Server) -> None:
    assert httpx.get(production_server.url + PATH).status_code == 401
    with as_role(production_server, "Lead") as http:
        made = shown(http.post(PATH, json={"value": "Hello"}), 201)
        assert http.patch(f"{PATH}/{made['id']}", json={"value": "Hi"}).status_code == 200
    for role in ("Viewer", "Operator"):
        with as_role(production_server, role) as http:
            assert [row["value"] for row in shown(http.get(PATH))] == ["Hi"]
            assert shown(http.get(f"{PATH}/{made['id']}"))["value"] == "Hi"
            assert http.post(PATH, json={"value": "x"}).status_code == 403
            assert http.patch(f"{PATH}/{made['id']}", json={"value": "x"}).status_code == 403
            assert http.delete(f"{PATH}/{made['id']}").status_code == 403
    entries = AuditEntry.objects.about("cannedresponse", made["id"])
    assert [(entry.act, entry.actor_name, entry.channel) for entry in entries] == [
        ("changed", "lead", "rest"),
        ("created", "lead", "rest"),
    ]
    assert (entries[0].before, entries[0].after) == ({"value": "Hello"}, {"value": "Hi"})


def test_every_change_leaves_an_entry_with_what_differs(http: httpx.Client) -> None:
    vip = Tag.add(name="VIP")
    made = shown(http.post(PATH, json={"value": "Hello", "metadata": {"a": 1}, "tags": [vip.pk]}), 201)
    path = f"{PATH}/{made['id']}"
    shown(http.patch(path, json={"value": "Hello", "metadata": {"set": {"a": 1}}}))  # nothing differs
    shown(http.patch(path, json={"metadata": {"set": {"b": 2}}, "tags": {"remove": [vip.pk]}, "signals": ["hi"]}))
    shown(http.delete(path), 204)
    gone, changed, created = AuditEntry.objects.about("cannedresponse", made["id"])
    assert created.after == {
        "value": "Hello", "purpose": "answer", "signals": [], "fields": [], "field_dependencies": [],
        "metadata": {"a": 1}, "enabled": True, "tags": [vip.pk],
    }  # fmt: skip
    assert changed.before == {"signals": [], "metadata": {"b": None}, "tags": [vip.pk]}
    assert changed.after == {"signals": ["hi"], "metadata": {"b": 2}, "tags": []}
    assert (gone.act, gone.before["metadata"]) == ("deleted", {"a": 1, "b": 2})


def test_what_a_deleted_tag_restricted_is_turned_off_and_not_said_to_all(http: httpx.Client) -> None:
    vip, eu = Tag.add(name="VIP"), Tag.add(name="EU")
    only = CannedResponse.create(value="only", tags=[vip])
    both = CannedResponse.create(value="both", tags=[vip, eu])
    shown(http.delete(f"/tags/{vip.pk}"), 204)
    now = shown(http.get(f"{PATH}/{only.pk}"))
    assert (now["enabled"], now["tags"]) == (False, [])
    assert shown(http.get(f"{PATH}/{both.pk}"))["enabled"] is True
    assert AuditEntry.objects.about("cannedresponse", only.pk)[0].after == {"enabled": False}
