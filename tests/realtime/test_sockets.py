"""WebSockets as clients see them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.processes import Server
from tests.realtime.sockets import Socket
from tests.realtime.test_streams import WORDS, grow, growing_message
from tests.realtime.waiters import post

MESSAGE = {"kind": "message", "source": "customer", "message": "over the socket"}


def test_the_backlog_and_then_what_comes(server: Server, http: httpx.Client, new_session: Callable[[], str]) -> None:
    session = new_session()
    for number in range(3):
        post(http, session, str(number))
    with Socket(server, f"/ws/sessions/{session}?min_offset=1") as socket:
        got = [socket.receive(), socket.receive()]
        socket.receive_nothing(0.1)
        post(http, session, "3")
        got.append(socket.receive())
    events = http.get(f"/sessions/{session}/events", params={"wait_for_data": 0, "min_offset": 1}).json()
    assert got == events


def test_a_long_backlog_comes_whole_and_in_order(
    server: Server, http: httpx.Client, new_session: Callable[[], str]
) -> None:
    from sessions_app.events import Kind, Source
    from sessions_app.models import Session

    session = Session.objects.get(pk=new_session())
    for number in range(1100):
        session.append_event(kind=Kind.CUSTOM, source=Source.SYSTEM, data={"n": number})
    with Socket(server, f"/ws/sessions/{session.pk}") as socket:
        assert [socket.receive()["data"]["n"] for _ in range(1100)] == list(range(1100))


def test_a_growing_message_is_sent_again_each_time_it_grows(server: Server, new_session: Callable[[], str]) -> None:
    session = new_session()
    with Socket(server, f"/ws/sessions/{session}") as socket:
        event = growing_message(session)
        assert socket.receive()["data"]["chunks"] == []
        for number in range(1, len(WORDS) + 1):
            grow(event, WORDS[:number])
            frame = socket.receive()
            assert (frame["offset"], frame["data"]["chunks"]) == (0, WORDS[:number])
        grow(event, [*WORDS[:-1], "too late", None])
        socket.receive_nothing(0.3)


def test_a_message_is_posted_over_the_socket(
    server: Server, http: httpx.Client, new_session: Callable[[], str]
) -> None:
    session = new_session()
    with Socket(server, f"/ws/sessions/{session}") as socket:
        socket.send({**MESSAGE, "ref": 7})
        frames = sorted((socket.receive(), socket.receive()), key=lambda frame: "type" in frame)
        event = http.get(f"/sessions/{session}/events", params={"wait_for_data": 0}).json()[0]
        assert frames == [event, {"type": "posted", "ref": 7, "event": event}]
    assert event["data"]["message"] == "over the socket"


def test_what_rest_refuses_is_refused_with_the_same_words(
    server: Server, http: httpx.Client, new_session: Callable[[], str]
) -> None:
    session = new_session()
    wrong: list[dict[str, Any]] = [
        {"kind": "message", "source": "customer"},
        {"kind": "message", "source": "system", "message": "x"},
        {"kind": "custom", "source": "customer", "data": {}},
    ]
    with Socket(server, f"/ws/sessions/{session}") as socket:
        for body in wrong:
            socket.send({**body, "ref": "mine"})
            answer = http.post(f"/sessions/{session}/events", json=body)
            assert socket.receive() == {
                "type": "refused", "ref": "mine", "status": answer.status_code, "detail": answer.json()["detail"]
            }  # fmt: skip
    assert http.get(f"/sessions/{session}/events", params={"wait_for_data": 0}).json() == []


@pytest.mark.parametrize("frame", ["no JSON", "[]", '"text"', b"\x00\x01", '{"a": NaN}', "{}"])
def test_an_unusable_frame_is_refused_and_the_socket_stays_open(
    server: Server, new_session: Callable[[], str], frame: str | bytes
) -> None:
    with Socket(server, f"/ws/sessions/{new_session()}") as socket:
        socket.send_anything(frame)
        assert socket.receive()["status"] == 422
        socket.send({"type": "ping"})
        assert socket.receive() == {"type": "heartbeat"}


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/ws/sessions/nobody", 4404),
        ("/ws/else", 4404),
        ("/ws/sessions/nobody?min_offset=-1", 4422),
        ("/ws/sessions/nobody?min_offset=x", 4422),
    ],
)
def test_a_socket_that_leads_nowhere_is_closed_with_a_reason(server: Server, path: str, code: int) -> None:
    with Socket(server, path) as socket:
        got, reason = socket.close_code()
        assert got == code
        assert reason


def test_a_session_that_is_deleted_closes_its_sockets(
    server: Server, http: httpx.Client, new_session: Callable[[], str]
) -> None:
    session = new_session()
    with Socket(server, f"/ws/sessions/{session}") as socket:
        socket.send({"type": "ping"})
        socket.receive()
        http.delete(f"/sessions/{session}")
        assert socket.close_code()[0] == 4404


def test_operators_see_what_changes_about_every_session(
    server: Server, http: httpx.Client, new_session: Callable[[], str]
) -> None:
    with Socket(server, "/ws/sessions") as socket:
        assert socket.receive() == {"type": "ready"}
        session = new_session()
        event = post(http, session, "Is anybody there?")
        frame = receive_about(socket, session, lambda frame: frame["last_event"] is not None)
        assert frame["last_event"] == event
        assert (frame["mode"], frame["waiting_since"], frame["next_offset"]) == ("auto", event["creation_utc"], 1)
        assert (frame["last_message"], frame["last_message_source"]) == ("Is anybody there?", "customer")
        http.patch(f"/sessions/{session}", json={"mode": "manual"})
        receive_about(socket, session, lambda frame: frame["mode"] == "manual")
        http.delete(f"/sessions/{session}")
        receive_about(socket, session, lambda frame: frame["type"] == "session_deleted")
        socket.send({"type": "ping"})
        assert socket.receive() == {"type": "heartbeat"}


def receive_about(socket: Socket, session: str, is_wanted: Callable[[dict[str, Any]], bool]) -> Any:
    """Answer the first frame about the session that is wanted; states in between may be left out."""
    while True:
        frame = socket.receive()
        assert frame["id"] == session, json.dumps(frame)
        if is_wanted(frame):
            return frame
