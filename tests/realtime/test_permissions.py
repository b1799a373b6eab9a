"""Who may open which WebSocket: the rules of the REST API, with its tokens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from django.contrib.auth.models import Permission, User
from django.test import Client
from knox.models import AuthToken

from sessions_app.callers import Caller
from tests.processes import Server
from tests.realtime.sockets import Socket
from tests.realtime.test_losses import open_session

MESSAGE = {"kind": "message", "source": "customer", "message": "hello"}


def token_of(user: User) -> str:
    return str(AuthToken.objects.create(user)[1])


@pytest.fixture
def operator(database: None) -> User:
    """A user who may see sessions and reply."""
    user = User.objects.create_user("ops", password="secret", is_staff=True)
    for codename in ("view_session", "reply"):
        user.user_permissions.add(Permission.objects.get(codename=codename, content_type__app_label="sessions_app"))
    return user


def ways(token: str) -> list[Callable[[str], tuple[str, dict[str, Any]]]]:
    """Answer the ways in which a token is handed over: header, subprotocol, query."""
    return [
        lambda path: (path, {"additional_headers": {"Authorization": f"Bearer {token}"}}),
        lambda path: (path, {"subprotocols": ["parlant", f"bearer.{token}"]}),
        lambda path: (f"{path}?token={token}", {}),
    ]


def test_operators_need_a_token_of_someone_who_may_see_sessions(production_server: Server, operator: User) -> None:
    nobody = User.objects.create_user("nobody")
    for refused in ("wrong", token_of(nobody)):
        for way in ways(refused):
            path, options = way("/ws/sessions")
            with Socket(production_server, path, **options) as socket:
                assert socket.close_code()[0] == 4403
    with Socket(production_server, "/ws/sessions") as socket:
        assert socket.close_code()[0] == 4403
    for way in ways(token_of(operator)):
        path, options = way("/ws/sessions")
        with Socket(production_server, path, **options) as socket:
            assert socket.receive() == {"type": "ready"}


def test_operators_may_use_the_cookie_of_the_admin_from_its_own_pages_only(
    production_server: Server, operator: User, settings: Any
) -> None:
    settings.SECRET_KEY = "a key that only the tests know, long enough to be one"  # with which the server signs
    client = Client()
    client.force_login(operator)
    cookie = f"sessionid={client.cookies['sessionid'].value}"
    own, other = production_server.url, "https://elsewhere.example"
    with Socket(production_server, "/ws/sessions", additional_headers={"Cookie": cookie}, origin=own) as socket:
        assert socket.receive() == {"type": "ready"}
    with Socket(production_server, "/ws/sessions", additional_headers={"Cookie": cookie}, origin=other) as socket:
        code, reason = socket.close_code()
        assert (code, reason) == (4403, "Pages of this origin may not connect")


def test_customers_follow_the_session_that_they_know_and_speak_for_themselves_only(
    production_server: Server, operator: User
) -> None:
    session = open_session()
    with Socket(production_server, f"/ws/sessions/{session.pk}") as socket:
        socket.send({**MESSAGE, "ref": 1})
        kinds = {frame.get("type", "event"): frame for frame in (socket.receive(), socket.receive())}
        assert kinds["posted"]["event"] == kinds["event"]
        pretended = {"kind": "message", "source": "human_agent", "message": "x", "participant": {"display_name": "Eve"}}
        socket.send({**pretended, "ref": 2})
        refused = socket.receive()
        with httpx.Client(base_url=production_server.url) as http:
            answer = http.post(f"/sessions/{session.pk}/events", json=pretended)
        assert (refused["status"], refused["detail"]) == (answer.status_code, answer.json()["detail"])
    path, options = ways(token_of(operator))[1](f"/ws/sessions/{session.pk}?min_offset=1")
    with Socket(production_server, path, **options) as socket:
        assert socket.connection.subprotocol == "parlant"
        socket.send({**pretended, "ref": 3})
        assert {socket.receive().get("type", "event"), socket.receive().get("type", "event")} == {"posted", "event"}


@pytest.mark.parametrize(
    ("host", "origin", "is_welcome"),
    [
        ("127.0.0.1:8800", None, True),
        ("127.0.0.1:8800", "http://127.0.0.1:8800", True),
        ("127.0.0.1:8800", "http://127.0.0.1:9", False),
        ("127.0.0.1:8800", "https://shop.example", True),
        ("evil.example", None, False),
        ("evil.example", "http://evil.example", False),
    ],
)
def test_hosts_and_origins(settings: Any, host: str, origin: str | None, is_welcome: bool) -> None:
    settings.ALLOWED_HOSTS = ["127.0.0.1"]
    settings.CORS_ALLOW_ALL_ORIGINS = False
    settings.CORS_ALLOWED_ORIGINS = ["https://shop.example"]
    headers = [(b"host", host.encode())] + ([(b"origin", origin.encode())] if origin else [])
    assert Caller({"type": "websocket", "headers": headers, "query_string": b""}).is_welcome() is is_welcome
