"""Quiet connections get signs of life; who asks for too many connections is told so."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from django.contrib.auth.models import Permission, User
from pytest_django.plugin import DjangoDbBlocker
from websockets.exceptions import ConnectionClosed

from customers.segments.editing import make
from sessions_app.models import Session
from tests.conftest import empty_database
from tests.processes import Server, start_server
from tests.realtime.sockets import Socket
from tests.realtime.test_losses import open_session
from tests.realtime.test_permissions import operator, token_of  # noqa: F401  # a fixture

pytestmark = pytest.mark.one_database
BEAT = 0.4
READS = 3


@pytest.fixture(scope="module")
def _quick_server(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Server]:
    environment = {
        "PARLANT_ENV": "production",
        "PARLANT_SECRET_KEY": "a key that only the tests know, long enough to be one",
        "PARLANT_ALLOWED_HOSTS": "127.0.0.1",
        "PARLANT_HTTPS": "false",
        "PARLANT_TRUSTED_PROXIES": "1",
        "PARLANT_RATE_READ": f"{READS}/min",
        "PARLANT_HEARTBEAT_SECONDS": str(BEAT),
    }
    with start_server(**environment) as server:
        with django_db_blocker.unblock():
            empty_database()
        yield server


@pytest.fixture
def quick_server(database: None, _quick_server: Server) -> Server:
    """A server with quick signs of life that lets an anonymous client read three times a minute."""
    return _quick_server


@pytest.fixture
def session(database: None) -> Session:
    """An open session."""
    return open_session()


def test_a_quiet_stream_brings_comments(quick_server: Server, session: Session) -> None:
    begun = time.monotonic()
    with httpx.stream(
        "GET",
        f"{quick_server.url}/sessions/{session.pk}/events",
        params={"sse": "true", "wait_for_data": 50},
        headers={"X-Forwarded-For": "192.0.2.1"},
    ) as answer:
        comments = (line for line in answer.iter_lines() if line.startswith(":"))
        for _ in range(4):  # one at once, then one after each quiet time
            next(comments)
    assert time.monotonic() - begun > 2.5 * BEAT


@pytest.mark.parametrize("path", ["/ws/sessions/{}", "/ws/sessions"])
def test_a_quiet_socket_brings_heartbeats(
    quick_server: Server,
    session: Session,
    operator: Any,  # noqa: F811
    path: str,
) -> None:
    headers = {"Authorization": f"Bearer {token_of(operator)}"}
    with Socket(quick_server, path.format(session.pk), additional_headers=headers) as socket:
        begun = time.monotonic()
        frames = [socket.receive() for _ in range(4)]
    assert frames[-3:] == [{"type": "heartbeat"}] * 3
    assert time.monotonic() - begun > 1.5 * BEAT


@pytest.mark.parametrize("path", ["/ws/sessions", "/ws/segments"])
def test_who_may_not_see_any_more_is_closed_though_it_is_never_quiet(
    quick_server: Server,
    session: Session,
    operator: User,  # noqa: F811
    path: str,
) -> None:
    operator.user_permissions.add(Permission.objects.get(codename="view_segment"))
    admin = {"Authorization": f"Bearer {token_of(User.objects.create_superuser('admin'))}"}
    segment = make(name="List", is_static=True)
    with (
        httpx.Client(base_url=quick_server.url, headers=admin) as http,
        Socket(quick_server, f"{path}?token={token_of(operator)}") as socket,
    ):
        assert socket.receive()["type"] == "ready"
        operator.user_permissions.clear()
        for number in range(100):
            if path == "/ws/sessions":
                assert http.patch(f"/sessions/{session.pk}", json={"title": str(number)}).is_success
            else:
                move = "remove" if number % 2 else "add"
                assert http.patch(f"/segments/{segment.pk}/members", json={move: ["guest"]}).is_success
            try:
                socket.connection.recv(timeout=BEAT / 2)
            except ConnectionClosed:
                break
        assert socket.connection.close_code == 4403


def test_who_opens_too_many_sockets_is_told_so(quick_server: Server, session: Session) -> None:
    headers = {"X-Forwarded-For": "192.0.2.2"}
    for _ in range(READS):
        with Socket(quick_server, f"/ws/sessions/{session.pk}", additional_headers=headers) as socket:
            assert socket.receive() == {"type": "heartbeat"}
    with Socket(quick_server, f"/ws/sessions/{session.pk}", additional_headers=headers) as socket:
        code, reason = socket.close_code()
    assert code == 4429
    assert "throttled" in reason
