"""Waiting for events over plain HTTP."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import httpx
import pytest

from tests.realtime.waiters import post, posted_after


def test_what_is_there_is_answered_at_once(http: httpx.Client, new_session: Callable[[], str]) -> None:
    session = new_session()
    post(http, session, "hello")
    begun = time.monotonic()
    answer = http.get(f"/sessions/{session}/events", params={"wait_for_data": 30})
    assert [event["data"]["message"] for event in answer.json()] == ["hello"]
    assert time.monotonic() - begun < 2


def test_an_event_ends_the_wait(http: httpx.Client, new_session: Callable[[], str]) -> None:
    session = new_session()
    with posted_after(0.3, http, session, "late"):
        begun = time.monotonic()
        answer = http.get(f"/sessions/{session}/events", params={"wait_for_data": 30})
    assert answer.status_code == 200
    assert answer.json() == http.get(f"/sessions/{session}/events", params={"wait_for_data": 0}).json()
    assert answer.json()[0]["data"]["message"] == "late"
    assert 0.2 < time.monotonic() - begun < 3


@pytest.mark.parametrize(
    ("wanted", "kind"),
    [
        ({"kinds": "custom"}, "custom"),
        ({"source": "system"}, "custom"),
        ({"kinds": "status, custom", "source": "system"}, "custom"),
    ],
)
def test_only_a_matching_event_ends_the_wait(
    http: httpx.Client, new_session: Callable[[], str], wanted: dict[str, str], kind: str
) -> None:
    session = new_session()
    with (
        posted_after(0.1, http, session, "noise"),
        posted_after(0.5, http, session, kind=kind, source="system", data={"n": 1}),
    ):
        answer = http.get(f"/sessions/{session}/events", params={**wanted, "wait_for_data": 20})
    assert [(event["kind"], event["offset"]) for event in answer.json()] == [("custom", 1)]


def test_a_wait_for_a_trace_ends_with_that_trace(http: httpx.Client, new_session: Callable[[], str]) -> None:
    session = new_session()
    trace = post(http, session, "one")["trace_id"]
    with posted_after(0.2, http, session, "another trace"):
        answer = http.get(
            f"/sessions/{session}/events", params={"trace_id": trace, "min_offset": 1, "wait_for_data": 1}
        )
    assert answer.status_code == 504


def test_nothing_came(http: httpx.Client, new_session: Callable[[], str]) -> None:
    session = new_session()
    begun = time.monotonic()
    answer = http.get(f"/sessions/{session}/events", params={"wait_for_data": 1}, headers={"Origin": "http://else"})
    assert (answer.status_code, answer.json()) == (504, {"detail": "Request timed out"})
    assert 0.9 < time.monotonic() - begun < 3
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["content-type"] == "application/json"


def test_a_wait_beyond_the_end_waits_for_its_offset(http: httpx.Client, new_session: Callable[[], str]) -> None:
    session = new_session()
    with posted_after(0.1, http, session, "0"), posted_after(0.4, http, session, "1"):
        answer = http.get(f"/sessions/{session}/events", params={"min_offset": 1, "wait_for_data": 20})
    assert [event["offset"] for event in answer.json()] == [1]


def test_an_unknown_session_is_not_waited_for(http: httpx.Client) -> None:
    begun = time.monotonic()
    answers = [http.get("/sessions/nobody/events", params={"wait_for_data": 30, "sse": sse}) for sse in (False, True)]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert time.monotonic() - begun < 3


def test_a_session_that_is_deleted_meanwhile_ends_the_wait(http: httpx.Client, new_session: Callable[[], str]) -> None:
    session = new_session()
    deletion = threading.Timer(0.3, http.delete, [f"/sessions/{session}"])
    deletion.start()
    answer = http.get(f"/sessions/{session}/events", params={"wait_for_data": 20})
    deletion.join()
    assert answer.status_code == 404
    assert session in answer.json()["detail"]


def test_the_answer_comes_before_the_clients_give_up() -> None:
    from sessions_app.longpoll import LONGEST

    assert LONGEST <= 58  # the clients give up after 60 s
