"""Lists: bare arrays, pages, cursors, order, and how many queries they cost."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import orjson
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from customers.models import Customer
from parlant_site.common import pagination
from sessions_app.events import Kind, Source
from sessions_app.models import Agent, Session
from tags.models import Tag
from tests.api.shapes import invalid, shown

MOMENT = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)


def customers(number: int) -> list[str]:
    """Make customers, several of whom were created in the same instant, and answer their ids by creation, then id."""
    made = [Customer.register(name=f"C{place}", id=f"c{number - place:03}") for place in range(number)]
    for place, customer in enumerate(made):
        customer.creation_utc = MOMENT.replace(second=place // 3)
        customer.save(update_fields=["creation_utc"])
    return [customer.pk for customer in sorted(made, key=lambda each: (each.creation_utc, each.pk))]


def pages(http: httpx.Client, path: str, limit: int, **query: Any) -> list[dict[str, Any]]:
    """Follow the cursors from the first page to the last."""
    found: list[dict[str, Any]] = []
    cursor = None
    while len(found) < 100:
        page = shown(http.get(path, params={**query, "limit": limit, **({"cursor": cursor} if cursor else {})}))
        assert set(page) == {"items", "total_count", "has_more", "next_cursor"}
        assert page["has_more"] is (page["next_cursor"] is not None)
        assert len(page["items"]) == limit or not page["has_more"]
        found.append(page)
        cursor = page["next_cursor"]
        if cursor is None:
            return found
    raise AssertionError("the pages do not end")


@pytest.mark.parametrize("sort", ["asc", "desc"])
@pytest.mark.parametrize("limit", [1, 2, 4, 8, 9, 100])
def test_pages_of_customers_join_to_the_list_with_the_guest_first(http: httpx.Client, sort: str, limit: int) -> None:
    ids = customers(8)
    wanted = ["guest", *(ids if sort == "asc" else reversed(ids))]
    found = pages(http, "/customers", limit, sort=sort)
    assert [row["id"] for page in found for row in page["items"]] == wanted
    assert {page["total_count"] for page in found} == {9}
    assert len(found) == -(-9 // limit)
    assert [row["id"] for row in shown(http.get("/customers", params={"sort": sort}))] == wanted


def test_the_guest_comes_first_also_when_others_are_older(http: httpx.Client) -> None:
    customers(2)
    assert shown(http.get("/customers"))[0]["id"] == "guest"
    assert shown(http.get("/customers?limit=1"))["items"][0]["id"] == "guest"
    assert shown(http.get("/customers?limit=1&sort=desc"))["items"][0]["id"] == "guest"


def test_a_page_of_the_guest_alone(http: httpx.Client) -> None:
    page = shown(http.get("/customers?limit=1"))
    assert (page["total_count"], page["has_more"], page["next_cursor"]) == (1, False, None)


@pytest.mark.parametrize("sort", ["asc", "desc"])
def test_pages_of_sessions_join_to_the_filtered_list(http: httpx.Client, agent: Agent, sort: str) -> None:
    other = Agent.create(name="Ivo")
    for place in range(9):
        labels = ["even"] if place % 2 == 0 else []
        Session.open(agent=agent if place < 7 else other, customer=Customer.guest(), labels=labels)
    for query, number in (({}, 9), ({"labels": "even"}, 5), ({"agent_id": agent.pk, "labels": "even"}, 4)):
        whole = shown(http.get("/sessions", params={**query, "sort": sort}))
        found = pages(http, "/sessions", 2, sort=sort, **query)
        assert [row for page in found for row in page["items"]] == whole
        assert {page["total_count"] for page in found} == {number} == {len(whole)}


def test_paging_goes_on_where_it_was_when_rows_come_and_go(http: httpx.Client) -> None:
    ids = customers(5)
    first = shown(http.get("/customers?limit=3"))
    Customer.objects.filter(pk=ids[1]).delete()  # the last row of the first page
    second = shown(http.get("/customers", params={"limit": 3, "cursor": first["next_cursor"]}))
    assert [row["id"] for row in second["items"]] == ids[2:5]


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "%%%",
        "\0",
        "é🦊",
        "bnVsbA",
        "x" * 5000,
        base64.urlsafe_b64encode(orjson.dumps(["0001-01-01T00:00:00+23:59", "a"])).decode(),
        base64.urlsafe_b64encode(orjson.dumps(["2026-01-01T00:00:00", "a"])).decode(),
        base64.urlsafe_b64encode(orjson.dumps(["2026-01-01T00:00:00Z", "\0"])).decode(),
        base64.urlsafe_b64encode(orjson.dumps([5, 6])).decode(),
        base64.urlsafe_b64encode(orjson.dumps([{}, "a", "b"])).decode(),
    ],
)
def test_an_unreadable_cursor_gives_the_first_page(http: httpx.Client, cursor: str) -> None:
    customers(3)
    assert shown(http.get("/customers", params={"limit": 2, "cursor": cursor})) == shown(http.get("/customers?limit=2"))
    assert shown(http.get("/sessions", params={"limit": 2, "cursor": cursor}))["items"] == []


@pytest.mark.parametrize("path", ["/customers", "/sessions"])
def test_limit_and_sort_are_checked(http: httpx.Client, path: str) -> None:
    for limit in ("0", "-1", "101", "x", "", "1.5", str(2**70)):
        invalid(http.get(path, params={"limit": limit}), ["query", "limit"])
    for sort in ("up", "", "DESC"):
        invalid(http.get(path, params={"sort": sort}), ["query", "sort"])
    for limit in (1, 100):
        assert shown(http.get(path, params={"limit": limit}))["has_more"] is False
    assert isinstance(shown(http.get(path)), list)


def test_agents_and_tags_are_listed_by_creation(http: httpx.Client, database: None) -> None:
    agents = [Agent.create(name=name).pk for name in "cab"]
    assert [row["id"] for row in shown(http.get("/agents"))] == agents
    tags = [Tag.add(name=name).pk for name in "cab"]
    assert [row["id"] for row in shown(http.get("/tags"))] == tags


# How many queries

Fill = Callable[[int], str]


def of_customers(number: int) -> str:
    """Make customers with two tags each."""
    tags = [Tag.add(name=f"T{place}") for place in range(2)]
    for place in range(number):
        Customer.register(name=f"C{place}", metadata={"a": "b"}, tags=tags)
    return "/customers"


def of_tags(number: int) -> str:
    """Make tags."""
    for place in range(number):
        Tag.add(name=f"T{place}")
    return "/tags"


def of_agents(number: int) -> str:
    """Make agents with a tag."""
    tag = Tag.add(name="T")
    for place in range(number):
        Agent.create(name=f"A{place}", tags=[tag])
    return "/agents"


def of_sessions(number: int) -> str:
    """Make sessions with labels, each of another customer."""
    agent = Agent.create(name="Iris")
    for place in range(number):
        Session.open(agent=agent, customer=Customer.register(name=f"C{place}"), labels=["a", "b"])
    return "/sessions"


def of_events(number: int) -> str:
    """Make events."""
    session = Session.open(agent=Agent.create(name="Iris"), customer=Customer.guest())
    for place in range(number):
        session.append_event(kind=Kind.MESSAGE, source=Source.CUSTOMER, data={"message": f"{place}"}, metadata={"a": 1})
    return f"/sessions/{session.pk}/events"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("fill", "queries", "on_pages"),
    [(of_customers, 2, 3), (of_tags, 1, None), (of_agents, 2, None), (of_sessions, 4, 4), (of_events, 1, None)],
)
@pytest.mark.parametrize("number", [1, 100])
def test_a_list_costs_as_many_queries_however_long_it_is(
    fill: Fill, queries: int, on_pages: int | None, number: int
) -> None:
    path, client = fill(number), APIClient()
    with CaptureQueriesContext(
        connection,
    ) as captured:
        rows = client.get(path).json()
    assert len(rows) >= number
    assert len(captured) == queries, [query["sql"] for query in captured]
    if on_pages is None:
        return
    with CaptureQueriesContext(connection) as captured:
        page = client.get(path, {"limit": 100}).json()
    assert len(page["items"]) == min(100, page["total_count"])
    assert len(captured) == on_pages, [query["sql"] for query in captured]
    if page["next_cursor"]:
        with CaptureQueriesContext(connection) as captured:
            client.get(path, {"limit": 100, "cursor": page["next_cursor"]})
        assert len(captured) <= on_pages


@pytest.mark.django_db
def test_times_are_utc_whatever_the_time_zone_of_the_site(settings: Any) -> None:
    settings.TIME_ZONE = "Asia/Kolkata"
    customer = Customer.register(name="A")
    shown_time = APIClient().get(f"/customers/{customer.pk}").json()["creation_utc"]
    assert shown_time.endswith("Z")
    assert datetime.fromisoformat(shown_time) == customer.creation_utc


@pytest.mark.django_db
def test_the_tags_of_a_whole_list_are_asked_for_some_thousands_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pagination, "PREFETCHED_AT_ONCE", 3)
    tag = Tag.add(name="VIP")
    for number in range(7):
        Customer.register(id=f"c{number}", name="C", tags=[tag])
    with CaptureQueriesContext(connection) as queries:
        rows = APIClient().get("/customers").json()
    assert [row["tags"] for row in rows] == [[], *[[tag.pk]] * 7]
    asked = [query["sql"] for query in queries if "customers_customertag" in query["sql"]]
    assert len(asked) == 3
