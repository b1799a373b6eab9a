"""Who may call what in production: anonymous callers, tokens and permissions, rates."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import count
from typing import Any

import httpx
import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.utils import timezone
from knox.models import AuthToken

from customers.models import Customer
from sessions_app.actions import schedule_follow_up
from sessions_app.models import Agent, Event, Session
from tags.models import Tag
from tests.api.shapes import invalid, refused, shown
from tests.processes import Server

MESSAGE = {"kind": "message", "source": "customer", "message": "Hi"}
_clients = count(1)


@pytest.fixture
def shop(production_server: Server) -> Iterator[httpx.Client]:
    """An anonymous client behind the trusted proxy, from an address that no other test uses."""
    number = next(_clients)
    headers = {"X-Forwarded-For": f"10.1.{number // 250}.{number % 250 + 1}"}
    with httpx.Client(base_url=production_server.url, timeout=30, headers=headers) as client:
        yield client


def token(*permissions: str, expiry: timedelta | None = timedelta(days=1), **fields: Any) -> dict[str, str]:
    """Answer the headers of a new user's token."""
    user = get_user_model().objects.create_user(username=f"user{next(_clients)}", **fields)
    for permission in permissions:
        app, codename = permission.split(".")
        user.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
    return {"Authorization": f"Bearer {AuthToken.objects.create(user, expiry=expiry)[1]}"}


def test_what_anonymous_callers_may(shop: httpx.Client, session: Session) -> None:
    path = f"/sessions/{session.pk}"
    shown(shop.get(f"/agents/{session.agent_ref}"))
    shown(shop.get(path))
    shown(shop.get(f"{path}/events?wait_for_data=0"))
    shown(shop.post(f"{path}/events", json=MESSAGE), 201)
    opened = shown(shop.post("/sessions", json={"agent_id": session.agent_ref}), 201)
    assert opened["customer_id"] == "guest"
    shown(shop.post("/sessions", json={"agent_id": session.agent_ref, "customer_id": "guest"}), 201)
    refused(shop.get("/agents/nope"), 404)
    refused(shop.get("/sessions/nope/events"), 404)
    invalid(shop.post(f"{path}/events", json={**MESSAGE, "message": 5}), ["body", "message"])
    shown(shop.get("/healthz"))


# Everything else, with the permission that it needs and the status with which it then ends.
CLOSED: list[tuple[str, str, Any, str, int]] = [
    ("GET", "/customers", None, "customers.view_customer", 200),
    ("GET", "/customers/guest", None, "customers.view_customer", 200),
    ("POST", "/customers", {"name": "A"}, "customers.add_customer", 201),
    ("PATCH", "/customers/alice", {"name": "A"}, "customers.change_customer", 200),
    ("DELETE", "/customers/alice", None, "customers.delete_customer", 204),
    ("GET", "/tags", None, "tags.view_tag", 200),
    ("GET", "/tags/{tag}", None, "tags.view_tag", 200),
    ("POST", "/tags", {"name": "A"}, "tags.add_tag", 201),
    ("PATCH", "/tags/{tag}", {"name": "A"}, "tags.change_tag", 200),
    ("DELETE", "/tags/{tag}", None, "tags.delete_tag", 204),
    ("GET", "/agents", None, "sessions_app.view_agent", 200),
    ("POST", "/agents", {"name": "A"}, "sessions_app.add_agent", 201),
    ("PATCH", "/agents/{agent}", {"name": "A"}, "sessions_app.change_agent", 200),
    ("DELETE", "/agents/{agent}", None, "sessions_app.delete_agent", 204),
    ("GET", "/sessions", None, "sessions_app.view_session", 200),
    ("POST", "/sessions", {"agent_id": "{agent}", "customer_id": "alice"}, "sessions_app.add_session", 201),
    ("PATCH", "/sessions/{session}", {"title": "A"}, "sessions_app.change_session", 200),
    ("PATCH", "/sessions/{session}", {"mode": "manual"}, "sessions_app.take_over", 200),
    ("DELETE", "/sessions/{session}", None, "sessions_app.delete_session", 204),
    ("DELETE", "/sessions", None, "sessions_app.delete_session", 204),
    (
        "POST",
        "/sessions/{session}/events",
        {**MESSAGE, "source": "human_agent", "participant": {"display_name": "A"}},
        "sessions_app.reply",
        201,
    ),
    (
        "POST",
        "/sessions/{session}/events",
        {**MESSAGE, "source": "human_agent_on_behalf_of_ai_agent"},
        "sessions_app.reply_as_agent",
        201,
    ),
    (
        "POST",
        "/sessions/{session}/events",
        {"kind": "status", "source": "ai_agent", "status": "ready"},
        "sessions_app.add_event",
        201,
    ),
    (
        "POST",
        "/sessions/{session}/events",
        {"kind": "custom", "source": "customer", "data": 1},
        "sessions_app.add_event",
        201,
    ),
    ("GET", "/sessions/{session}/follow_ups", None, "sessions_app.view_followup", 200),
    ("GET", "/sessions/{session}/follow_ups/{follow_up}", None, "sessions_app.view_followup", 200),
    ("POST", "/sessions/{session}/follow_ups", {"delay": 5}, "sessions_app.add_followup", 201),
    ("DELETE", "/sessions/{session}/follow_ups/{follow_up}", None, "sessions_app.delete_followup", 204),
    ("GET", "/sessions/{session}/events/{event}", None, "sessions_app.view_event", 200),
    ("PATCH", "/sessions/{session}/events/{event}", {"metadata": {}}, "sessions_app.change_event", 200),
    ("DELETE", "/sessions/{session}/events?min_offset=0", None, "sessions_app.delete_event", 204),
]


def test_everything_else_needs_a_token_whose_user_has_the_permission(shop: httpx.Client, database: None) -> None:
    """In this order: 401 without a token, 403 with every permission but the one, then the answer."""
    everything = {needed for *_, needed, _ in CLOSED}
    for method, path, body, needed, status in CLOSED:
        tag, agent = Tag.add(name="VIP"), Agent.create(name="Iris")
        session = Session.open(agent=agent, customer=Customer.register(id="alice", name="Alice"))
        event = session.append_event(kind="custom", source="system", data=1)  # type: ignore[arg-type]
        later = schedule_follow_up(session, due=timezone.now() + timedelta(days=1))
        names = {"tag": tag.pk, "agent": agent.pk, "session": session.pk, "event": event.pk, "follow_up": later.pk}
        path = path.format(**names)
        if body and body.get("agent_id"):
            body = {**body, "agent_id": agent.pk}
        before = [model.objects.count() for model in (Tag, Customer, Agent, Session, Event)]
        answer = shop.request(method, path, json=body)
        refused(answer, 401)
        assert answer.headers["www-authenticate"].startswith("Bearer")
        refused(shop.request(method, path, json=body, headers=token(*(everything - {needed}))), 403)
        assert [model.objects.count() for model in (Tag, Customer, Agent, Session, Event)] == before
        answer = shop.request(method, path, json=body, headers=token(needed))
        assert answer.status_code == status, (method, path, answer.text)
        for row in (*Session.objects.all(), *Tag.objects.all(), *Agent.objects.all()):
            row.delete()
        Customer.objects.exclude(pk="guest").delete()


def test_a_superuser_s_token_may_do_all(shop: httpx.Client, session: Session) -> None:
    shown(shop.get("/customers", headers=token(is_superuser=True)))


def test_a_token_that_is_none_is_401_wherever_it_is_shown(shop: httpx.Client, session: Session) -> None:
    expired = token("tags.view_tag", expiry=timedelta(seconds=-1))
    inactive = token("tags.view_tag", is_active=False)
    revoked = token("tags.view_tag")
    shown(shop.get("/tags", headers=revoked))
    AuthToken.objects.filter(user__username=get_user_model().objects.latest("id").username).delete()
    odd: list[Any] = [
        "Bearer x",
        "Bearer",
        "Bearer a b",
        "Bearer " + "x" * 5000,
        "Bearer \xe9\xff".encode("latin-1"),
    ]
    for header in (expired, inactive, revoked, *({"Authorization": value} for value in odd)):
        for path in ("/tags", f"/sessions/{session.pk}"):
            answer = shop.get(path, headers=header)
            refused(answer, 401)
            assert answer.headers["www-authenticate"].startswith("Bearer")
    for other in ("Basic dXNlcjpwYXNz", "Token x"):  # not ours: as if there were none
        refused(shop.get("/tags", headers={"Authorization": other}), 401)
        shown(shop.get(f"/sessions/{session.pk}", headers={"Authorization": other}))


def test_a_session_cookie_of_the_admin_opens_nothing(shop: httpx.Client, database: None) -> None:
    from django.contrib.sessions.backends.db import SessionStore

    user = get_user_model().objects.create_superuser("root", password="x")
    login = SessionStore()
    login["_auth_user_id"], login["_auth_user_backend"] = str(user.pk), "django.contrib.auth.backends.ModelBackend"
    login["_auth_user_hash"] = user.get_session_auth_hash()
    login.create()
    refused(shop.get("/tags", headers={"Cookie": f"sessionid={login.session_key}"}), 401)


def test_other_methods_are_405_whoever_asks(shop: httpx.Client, database: None) -> None:
    refused(shop.put("/customers", json={}), 405)
    refused(shop.put("/customers", json={}, headers=token()), 405)
    refused(shop.options("/customers"), 405)


def opens(shop: httpx.Client, agent: Agent, forwarded: str) -> httpx.Response:
    """Open a session as the client that the proxies saw."""
    return shop.post("/sessions", json={"agent_id": agent.pk}, headers={"X-Forwarded-For": forwarded})


def test_too_many_requests_of_one_client_and_operation_are_429(shop: httpx.Client, agent: Agent) -> None:
    for place in range(5):
        shown(opens(shop, agent, f"1.2.3.{place}, 10.9.0.1"), 201)
    answer = opens(shop, agent, "9.9.9.9, 10.9.0.1")  # what a client writes itself does not help
    refused(answer, 429)
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    refused(opens(shop, agent, "10.9.0.1"), 429)
    assert Session.objects.count() == 5
    shown(opens(shop, agent, "10.9.0.2"), 201)  # another client
    session = Session.objects.first()
    assert session is not None
    same = {"X-Forwarded-For": "10.9.0.1"}
    shown(shop.get(f"/sessions/{session.pk}", headers=same))  # other operations
    shown(shop.post(f"/sessions/{session.pk}/events", json=MESSAGE, headers=same), 201)
    # With a token there is no limit.
    known = {**token("sessions_app.add_session"), **same}
    shown(shop.post("/sessions", json={"agent_id": agent.pk}, headers=known), 201)


def test_an_ipv6_client_is_its_network(shop: httpx.Client, agent: Agent) -> None:
    for place in range(5):
        shown(opens(shop, agent, f"2001:db8:0:1::{place + 1}"), 201)
    refused(opens(shop, agent, "2001:db8:0:1:ffff::9"), 429)
    shown(opens(shop, agent, "2001:db8:0:2::1"), 201)


def test_refused_requests_count_as_well(shop: httpx.Client, agent: Agent) -> None:
    for _ in range(5):
        refused(shop.post("/sessions", json={"agent_id": "nope"}), 404)
    refused(shop.post("/sessions", json={"agent_id": agent.pk}), 429)


def test_the_production_policy_tells_nothing_inner(shop: httpx.Client, database: None) -> None:
    for path in ("/nope", "/customers/nope"):
        text = shop.get(path).text
        assert "urlconf" not in text.lower()
        assert "Traceback" not in text
