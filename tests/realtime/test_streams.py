"""Server-sent events, and messages that grow while they are written."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx

from sessions_app.events import Kind, Source
from sessions_app.models import Event, Session
from tests.realtime.waiters import post, posted_after


def frames(answer: httpx.Response) -> Iterator[tuple[str, Any]]:
    """Answer (id, data) of each event of a stream, and ("", None) for each comment."""
    number, data = "", None
    for line in answer.iter_lines():
        if line.startswith("id: "):
            number = line[4:]
        elif line.startswith("data: "):
            data = json.loads(line[6:])
        elif line.startswith(":"):
            yield "", None
        elif not line and data is not None:
            yield number, data
            number, data = "", None


def events_of(answer: httpx.Response) -> Iterator[tuple[str, Any]]:
    return (frame for frame in frames(answer) if frame[0])


def test_a_stream_brings_the_backlog_and_then_what_comes(http: httpx.Client, new_session: Callable[[], str]) -> None:
    session = new_session()
    for number in range(3):
        post(http, session, str(number))
    parameters = {"sse": "true", "wait_for_data": 20}
    origin = {"Origin": "http://shop.example"}
    with (
        http.stream("GET", f"/sessions/{session}/events", params=parameters, headers=origin) as answer,
        posted_after(0.5, http, session, "3"),
    ):
        found = events_of(answer)
        got = [next(found) for _ in range(4)]
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert answer.headers["cache-control"] == "no-cache"
        assert answer.headers["access-control-allow-origin"] == "*"
        assert "content-length" not in answer.headers
    assert [number for number, _ in got] == ["0", "1", "2", "3"]
    assert [event for _, event in got] == http.get(f"/sessions/{session}/events", params={"wait_for_data": 0}).json()


def test_a_stream_ends_when_nothing_matching_comes(http: httpx.Client, new_session: Callable[[], str]) -> None:
    session = new_session()
    begun = time.monotonic()
    parameters = {"sse": "true", "wait_for_data": 1, "kinds": "custom"}
    with (
        http.stream("GET", f"/sessions/{session}/events", params=parameters) as answer,
        posted_after(0.5, http, session, "no match"),
    ):
        assert list(events_of(answer)) == []
    assert 0.9 < time.monotonic() - begun < 1.45


def test_a_stream_resumes_after_the_last_event_id(http: httpx.Client, new_session: Callable[[], str]) -> None:
    session = new_session()
    for number in range(3):
        post(http, session, str(number))
    with http.stream(
        "GET",
        f"/sessions/{session}/events",
        params={"sse": "true", "wait_for_data": 0, "min_offset": 0},
        headers={"Last-Event-ID": "1"},
    ) as answer:
        assert [number for number, _ in events_of(answer)] == ["2"]


def test_the_frames_of_a_burst_come_one_by_one(http: httpx.Client, new_session: Callable[[], str]) -> None:
    session = new_session()
    for number in range(5):
        post(http, session, str(number))
    parameters = {"sse": "true", "wait_for_data": 0}
    with http.stream("GET", f"/sessions/{session}/events", params=parameters) as answer:
        pieces = [piece for piece in answer.iter_raw() if b"data: " in piece]
    assert all(piece.count(b"data: ") == 1 for piece in pieces)


def growing_message(session_id: str) -> Event:
    return Session.objects.get(pk=session_id).append_event(
        kind=Kind.MESSAGE, source=Source.AI_AGENT, data={"message": "", "participant": {}, "chunks": []}
    )


def grow(event: Event, chunks: list[str | None]) -> None:
    """Let a streamed message grow, as the engine does."""
    event.data = {**event.data, "chunks": chunks, "message": "".join(chunk or "" for chunk in chunks)}
    event.save(update_fields=["data"])
    event.announce_change()


WORDS: list[str | None] = ["Good ", "morning", None]


def grow_slowly(event: Event) -> None:
    from django.db import connection

    for number in range(1, len(WORDS) + 1):
        time.sleep(0.3)
        grow(event, WORDS[:number])
    connection.close()


def test_a_growing_message_is_streamed_until_it_is_complete(http: httpx.Client, new_session: Callable[[], str]) -> None:
    session = new_session()
    event = growing_message(session)
    got: list[list[str | None]] = []
    with http.stream("GET", f"/sessions/{session}/events/{event.pk}", params={"sse": "true"}) as answer:
        # It grows when the reader has seen it: who comes late sees several words come at once.
        for _, data in events_of(answer):
            got.append(data["data"]["chunks"])
            if len(got) <= len(WORDS):
                grow(event, WORDS[: len(got)])
    assert got == [WORDS[:number] for number in range(4)]


def test_the_completion_of_a_message_is_waited_for(http: httpx.Client, new_session: Callable[[], str]) -> None:
    session = new_session()
    event = growing_message(session)
    writer = threading.Thread(target=grow_slowly, args=[event])
    writer.start()
    answer = http.get(f"/sessions/{session}/events/{event.pk}", params={"wait_for_completion": "true"})
    writer.join()
    assert answer.status_code == 200
    assert answer.json()["data"]["message"] == "Good morning"


def test_an_incomplete_message_is_answered_when_the_time_is_over(
    http: httpx.Client, new_session: Callable[[], str]
) -> None:
    session = new_session()
    event = growing_message(session)
    parameters = {"wait_for_completion": "true", "wait_for_data": 1}
    answer = http.get(f"/sessions/{session}/events/{event.pk}", params=parameters)
    assert (answer.status_code, answer.json()["data"]["chunks"]) == (200, [])


def test_a_complete_event_is_read_at_once(http: httpx.Client, new_session: Callable[[], str]) -> None:
    session = new_session()
    event = post(http, session, "whole")
    path = f"/sessions/{session}/events/{event['id']}"
    assert http.get(path, params={"wait_for_completion": "true"}).json() == event
    with http.stream("GET", path, params={"sse": "true"}) as answer:
        assert [data for _, data in events_of(answer)] == [event]
