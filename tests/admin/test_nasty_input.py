"""Nothing that a browser can send makes the console fail."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from customers.models import Customer
from sessions_app.models import Agent, Session
from tags.models import Tag

NASTY = ("%00", "a%00b", "%ED%A0%80", "%FF", "'", "%22%3E%3Cscript%3E", "9" * 400, "%F0%9F%98%80", "_00", "%25")
LISTS = {
    "customers/customer": "q tag seen created with after before order",
    "tags/tag": "q after before order",
    "sessions_app/session": "q state agent customer label opened said after before order",
    "sessions_app/agent": "q after before order",
    "parlant_site/auditentry": "act kind object channel actor when after before order",
}
TEXTS = ("\0", "a\0b", "x" * 5000, "<script>", "{", "[1]", '{"a": 1}', '{"a": "\\u0000"}', "null", "-1", "1e999")


@pytest.fixture
def world(db: None) -> Customer:
    """A customer with a session and a tag."""
    customer = Customer.register(name="Ann", id="ann", metadata={"plan": "pro"}, tags=[Tag.add(name="VIP")])
    Session.open(agent=Agent.create(name="Iris", id="iris"), customer=customer)
    return customer


def test_in_addresses(world: Customer, browser: Client) -> None:
    for text in NASTY:
        for path in (
            f"customers/customer/{text}/change/",
            f"customers/customer/{text}/delete/",
            f"customers/customer/{text}/timeline/",
            f"tags/tag/{text}/change/",
            f"sessions_app/agent/{text}/change/",
            f"sessions_app/session/{text}/change/",
            f"knox/authtoken/{text}/delete/",
            f"parlant_site/auditentry/{text}/change/",
        ):
            assert browser.get(f"/admin/{path}").status_code in (302, 404), path
        for model, names in LISTS.items():
            query = "&".join(f"{name}={text}" for name in names.split())
            assert browser.get(f"/admin/{model}/?{query}").status_code == 200, (model, text)
            assert browser.get(f"/admin/{model}/?before={text}").status_code == 200, (model, text)
        assert browser.get(f"/admin/customers/customer/?columns=1&key={text}", follow=True).status_code == 200


@pytest.mark.parametrize(
    "field",
    ["id", "name", "tags", "tags_shown", "metadata-key", "metadata-value", "metadata-shown", "metadata-raw"],
)
def test_in_fields(field: str, world: Customer, browser: Client) -> None:
    shown = '{"plan": "pro"}'
    untouched: dict[str, Any] = {
        "id": "", "name": "Ann", "tags": [], "tags_shown": "[]", "metadata-key": ["plan"], "metadata-value": ["pro"],
        "metadata-shown": shown, "metadata-raw": shown,
    }  # fmt: skip
    page = "add" if field == "id" else "ann/change"
    for text in TEXTS:
        answer = browser.post(f"/admin/customers/customer/{page}/", {**untouched, field: text})
        assert answer.status_code in (200, 302), text


def test_fields_that_are_missing(world: Customer, browser: Client) -> None:
    for page in (
        "customers/customer/ann/change",
        "customers/customer/add",
        "tags/tag/add",
        "sessions_app/agent/add",
        "sessions_app/agent/iris/change",
        "knox/authtoken/add",
    ):
        assert browser.post(f"/admin/{page}/", {}).status_code == 200
