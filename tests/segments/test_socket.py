"""`/ws/segments` as clients see it."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import Permission, User
from django.db import transaction
from knox.models import AuthToken

from customers.models import Customer, Segment, SegmentRun
from customers.segments import running
from customers.segments.editing import make, refresh, remove
from customers.segments.history import Cause
from customers.segments.worker import settle_all
from sessions_app.segment_socket import FollowSegments
from sessions_app.segment_states import State, read_states
from tests.processes import Server
from tests.realtime.sockets import Socket
from tests.segments.membership import made, rule

PRO = rule("metadata.plan", "=", "pro")


@pytest.fixture
def ada(database: None) -> Customer:
    """A customer who pays for the plan pro."""
    return Customer.register(name="Ada", id="ada", metadata={"plan": "pro"})


def moves(frames: list[Any]) -> list[tuple[str, int, list[str]]]:
    """Answer what frames say of moves."""
    return [(one["type"], one["offset"], one["customer_ids"]) for one in frames]


def test_who_enters_and_leaves_is_told_and_then_the_count(server: Server, ada: Customer) -> None:
    segment = made("Pro", PRO)
    with Socket(server, f"/ws/segments?segment={segment.pk}") as socket:
        (state,) = socket.receive()["segments"]
        assert (state["segment_id"], state["size"], state["next_offset"]) == (segment.pk, 1, 1)
        Customer.register(name="Ben", id="ben", metadata={"plan": "pro"})
        Customer.register(name="Cleo", id="cleo", metadata={"plan": "pro"})
        settle_all()
        entered, count = socket.receive(), socket.receive()
        assert moves([entered]) == [("entered", 1, ["ben", "cleo"])]
        assert (entered["cause"], entered["rule_version"]) == ("customer", 1)
        assert (count["type"], count["size"], count["next_offset"]) == ("count", 3, 3)
        ada.amend(set_metadata={"plan": "free"})
        settle_all()
        assert moves([socket.receive()]) == [("left", 3, ["ada"])]
        assert socket.receive()["size"] == 2
        socket.receive_nothing(0.1)


def test_a_client_resumes_at_an_offset(server: Server, ada: Customer) -> None:
    segment, other = made("Pro", PRO), made("Everybody", rule("name", "!=", ""))
    ada.amend(set_metadata={"plan": "free"})
    settle_all()
    with Socket(server, f"/ws/segments?segment={segment.pk}&min_offset=1&segment={other.pk}") as socket:
        assert len(socket.receive()["segments"]) == 2
        assert moves([socket.receive()]) == [("left", 1, ["ada"])]
        assert socket.receive()["size"] == 0
        socket.receive_nothing(0.1)
    with Socket(server, f"/ws/segments?segment={segment.pk}&min_offset=0") as socket:
        socket.receive()
        assert moves([socket.receive(), socket.receive()]) == [("entered", 0, ["ada"]), ("left", 1, ["ada"])]


def test_segments_that_are_made_and_deleted_meanwhile_are_told(server: Server, ada: Customer) -> None:
    with Socket(server, "/ws/segments") as socket:
        assert socket.receive() == {"type": "ready", "segments": []}
        segment = make(name="Pro", rule=PRO)
        settle_all()
        assert moves([socket.receive()]) == [("entered", 0, ["ada"])]
        assert socket.receive()["size"] == 1
        remove(segment)
        assert socket.receive() == {"type": "segment_deleted", "segment_id": segment.pk}
        socket.connection.send('{"type": "ping"}')
        assert socket.receive() == {"type": "heartbeat"}


def test_a_large_move_comes_in_several_frames_and_in_order(server: Server, ada: Customer) -> None:
    from customers.changing import register_many

    register_many((Customer(name="N", id=f"n{number:04}", metadata={"plan": "pro"}), ()) for number in range(1200))
    settle_all()
    with Socket(server, "/ws/segments") as socket:
        socket.receive()
        make(name="Pro", rule=PRO)
        settle_all()
        told: list[str] = []
        while (frame := socket.receive())["type"] != "count":
            assert frame["offset"] == len(told)
            assert len(frame["customer_ids"]) <= 500
            told += frame["customer_ids"]
        assert told == ["ada", *(f"n{number:04}" for number in range(1200))]
        assert frame["size"] == 1201


def test_a_count_is_that_of_the_moves_before_it_whatever_came_since(ada: Customer) -> None:
    segment = made("Pro", PRO)
    first = read_states()[segment.pk]
    Customer.register(name="Ben", id="ben", metadata={"plan": "pro"})
    settle_all()
    second = read_states()[segment.pk]
    following = FollowSegments()
    following.sees_customers = True

    async def told_of(state: State) -> list[Any]:
        return [json.loads(frame) async for frame in following.news(segment.pk, state)]

    for state, who, size in ((first, "ada", 1), (second, "ben", 2)):
        entered, count = async_to_sync(told_of)(state)
        assert moves([entered]) == [("entered", size - 1, [who])]
        assert (count["size"], count["next_offset"]) == (size, size)
    assert async_to_sync(told_of)(second) == []


def test_a_size_that_was_corrected_is_told(server: Server, ada: Customer) -> None:
    segment = made("Pro", PRO)
    with Socket(server, "/ws/segments") as socket:
        socket.receive()
        Segment.objects.update(size=7)
        assert socket.receive()["size"] == 7
        running.run_to_end(claimed(refresh(segment, Cause.RECONCILE)))
        assert socket.receive()["size"] == 1


def test_another_segment_of_the_same_id_is_told_from_its_first_event_on(server: Server, ada: Customer) -> None:
    segment = made("Pro", PRO, id="pro")
    ada.amend(set_metadata={"plan": "free"})
    settle_all()
    with Socket(server, "/ws/segments?segment=pro") as socket:
        socket.receive()
        with transaction.atomic():
            remove(segment)
            again = make(name="Free", id="pro", rule=rule("metadata.plan", "=", "free"))
            running.run_to_end(claimed(again.runs.get()))
        assert socket.receive()["type"] == "segment_deleted"
        assert moves([socket.receive()]) == [("entered", 0, ["ada"])]
        assert socket.receive()["size"] == 1


def claimed(run: SegmentRun) -> SegmentRun:
    """Answer a run as it is claimed by this process."""
    mine = running.claim(run.pk)
    assert mine
    return mine


@pytest.mark.parametrize(
    ("query", "code"), [("segment=none", 4404), ("min_offset=1", 4422), ("segment=a&min_offset=x", 4422)]
)
def test_what_cannot_be_followed_is_closed_with_a_reason(server: Server, query: str, code: int) -> None:
    with Socket(server, f"/ws/segments?{query}") as socket:
        closed, reason = socket.close_code()
        assert closed == code
        assert reason


def test_in_production_a_token_with_the_permission_is_needed(production_server: Server) -> None:
    assert httpx.get(f"{production_server.url}/segments").status_code == 401
    with Socket(production_server, "/ws/segments") as socket:
        assert socket.close_code()[0] == 4403


def test_who_may_not_see_customers_is_told_numbers_alone(production_server: Server) -> None:
    user = User.objects.create_user("viewer")
    user.user_permissions.add(Permission.objects.get(codename="view_segment", content_type__app_label="customers"))
    segment = made("Pro", PRO)
    address = f"/ws/segments?segment={segment.pk}&min_offset=0&token={AuthToken.objects.create(user)[1]}"
    with Socket(production_server, address) as socket:
        assert socket.receive()["type"] == "ready"
        Customer.register(name="Ada", id="ada", metadata={"plan": "pro"})
        settle_all()
        told = socket.receive()
        assert (told["type"], told["size"], told["next_offset"]) == ("count", 1, 1)
