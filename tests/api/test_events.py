"""REST: events: what may be posted, listing, reading, changing, deleting from an offset."""

from collections.abc import Callable
from itertools import product
from typing import Any

import httpx
import pytest

from customers.models import Customer
from sessions_app.events import Kind, Source
from sessions_app.models import Event, Session
from tests.api.shapes import invalid, refused, shown

Post = Callable[..., httpx.Response]


def test_an_event_has_the_shape_of_the_contract(http: httpx.Client, post: Post, events: str) -> None:
    event = shown(post(message="Hello é🦊\n"), 201)
    assert event == {
        "id": event["id"],
        "source": "customer",
        "kind": "message",
        "offset": 0,
        "creation_utc": event["creation_utc"],
        "trace_id": event["trace_id"],
        "correlation_id": event["trace_id"],
        "data": {
            "message": "Hello é🦊\n",
            "participant": {"id": "guest", "display_name": "Guest"},
            "flagged": False,
            "tags": [],
        },
        "metadata": {},
        "deleted": False,
    }
    assert event["creation_utc"].endswith("Z")
    assert shown(http.get(f"{events}/{event['id']}")) == event
    assert shown(http.get(events)) == [event]


def test_a_customer_s_message_comes_from_the_session_s_customer_unless_said(
    http: httpx.Client, session: Session
) -> None:
    alice = Customer.register(name="Alice")
    own = Session.open(agent=session.agent, customer=alice)  # type: ignore[arg-type]
    body = {"kind": "message", "source": "customer", "message": "Hi"}
    path = f"/sessions/{own.pk}/events"

    def participant(**given: Any) -> Any:
        return shown(http.post(path, json={**body, "participant": given or None}), 201)["data"]["participant"]

    assert participant() == {"id": alice.pk, "display_name": "Alice"}
    assert participant(display_name="Bob") == {"id": alice.pk, "display_name": "Bob"}
    assert participant(id="bob", display_name="Bob") == {"id": "bob", "display_name": "Bob"}
    assert participant(id=None, display_name="Bob") == {"id": alice.pk, "display_name": "Bob"}
    invalid(http.post(path, json={**body, "participant": {"id": "bob"}}), ["body", "participant", "display_name"])


def test_a_human_agent_s_message_bears_her_name(post: Post) -> None:
    human = {"source": "human_agent", "message": "Hi"}
    event = shown(post(**human, participant={"display_name": "Ann"}), 201)
    assert event["data"] == {"message": "Hi", "participant": {"id": None, "display_name": "Ann"}}
    event = shown(post(**human, participant={"id": "ann", "display_name": "Ann"}), 201)
    assert event["data"]["participant"] == {"id": "ann", "display_name": "Ann"}
    refused(post(**human), 422, "participant")
    refused(post(**human, participant={"display_name": ""}), 422, "display_name")
    invalid(post(**human, participant={"id": "ann"}), ["body", "participant", "display_name"])


def test_a_message_on_behalf_bears_the_agent_s_name_whoever_is_named(post: Post, session: Session) -> None:
    body = {"source": "human_agent_on_behalf_of_ai_agent", "message": "Hi"}
    for participant in (None, {"id": "x", "display_name": "Eve"}):
        event = shown(post(**body, participant=participant), 201)
        assert event["data"] == {"message": "Hi", "participant": {"id": session.agent_ref, "display_name": "Iris"}}


@pytest.mark.parametrize("source", ["customer", "human_agent", "human_agent_on_behalf_of_ai_agent"])
def test_a_message_may_bear_a_draft_and_metadata(post: Post, source: str) -> None:
    more = {"data": {"draft": "Hm", "flagged": True}, "metadata": {"a": [1, None], "b": None}}
    event = shown(post(source=source, message="Hi", participant={"display_name": "A"}, **more), 201)
    assert event["data"]["draft"] == "Hm"
    assert event["data"].get("flagged", False) is False
    assert event["metadata"] == {"a": [1, None], "b": None}
    for nothing in ({}, {"message": ""}, {"message": None}):
        refused(post(source=source, participant={"display_name": "A"}, **nothing), 422, "message")


def test_an_agent_words_its_messages_itself(post: Post) -> None:
    refused(post(source="ai_agent", message="Hi"), 422)


@pytest.mark.parametrize("status", ["acknowledged", "cancelled", "processing", "typing", "ready", "error"])
def test_a_status_may_be_posted_from_any_source(post: Post, status: str) -> None:
    for source in map(str, Source):
        check_status(post, source, status)


def check_status(post: Post, source: str, status: str) -> None:
    """Post a status without and with data."""
    event = shown(post(kind="status", source=source, status=status), 201)
    assert (event["kind"], event["source"], event["data"]) == ("status", source, {"status": status, "data": {}})
    event = shown(post(kind="status", source=source, status=status, data={"stage": "Thinking"}), 201)
    assert event["data"] == {"status": status, "data": {"stage": "Thinking"}}


@pytest.mark.parametrize("source", [str(source) for source in Source])
def test_what_may_not_be_posted_is_refused_and_takes_no_offset(http: httpx.Client, post: Post, source: str) -> None:
    for body in (
        {"kind": "tool", "data": {"tool_calls": []}},
        {"kind": "status"},
        {"kind": "status", "status": "ready", "data": "x"},
        {"kind": "status", "status": "ready", "data": [1]},
        {"kind": "custom"},
        *({"kind": "custom", "data": data} for data in (None, 0, False, "", [], {}, 0.0)),
    ):
        refused(post(source=source, **body), 422)
    if source in ("customer_ui", "system"):
        refused(post(source=source, message="Hi", participant={"display_name": "A"}), 422, source)
    assert shown(post(kind="custom", source=source, data=1), 201)["offset"] == 0


@pytest.mark.parametrize("data", [1, -1.5, True, "x", [0], [None], {"a": None}, {"a": {"b": [1, "é🦊", 2**63 - 1]}}])
def test_a_custom_event_bears_any_json(http: httpx.Client, post: Post, events: str, data: Any) -> None:
    for source in Source:
        event = shown(post(kind="custom", source=str(source), data=data), 201)
        assert event["data"] == data
        assert type(event["data"]) is type(data)
    assert {str(row["data"]) for row in shown(http.get(events))} == {str(data)}


@pytest.mark.parametrize(
    ("body", "location"),
    [
        ({"kind": "shout"}, ["body", "kind"]),
        ({"kind": None}, ["body", "kind"]),
        ({"kind": ["message"]}, ["body", "kind"]),
        ({"source": "nobody"}, ["body", "source"]),
        ({"source": {"a": 1}}, ["body", "source"]),
        ({"message": 5}, ["body", "message"]),
        ({"metadata": []}, ["body", "metadata"]),
        ({"metadata": "x"}, ["body", "metadata"]),
        ({"participant": "Ann"}, ["body", "participant"]),
        ({"participant": {"display_name": 5}}, ["body", "participant", "display_name"]),
        ({"participant": {"display_name": "A", "id": 5}}, ["body", "participant", "id"]),
        ({"kind": "status", "status": "sleeping"}, ["body", "status"]),
        ({"guidelines": "x"}, ["body", "guidelines"]),
        ({"source": "ai_agent", "guidelines": [{}]}, ["body", "guidelines", 0, "action"]),
        (
            {"source": "ai_agent", "guidelines": [{"action": "a"}, {"action": "a", "rationale": "why"}]},
            ["body", "guidelines", 1, "rationale"],
        ),
        ({"source": "ai_agent", "guidelines": ["x"]}, ["body", "guidelines", 0]),
    ],
)
def test_a_wrong_value_is_refused(post: Post, body: dict[str, Any], location: list[Any]) -> None:
    invalid(post(**{"message": "Hi", **body}), location)
    assert not Event.objects.exists()


def test_moderation_is_one_of_three(http: httpx.Client, events: str) -> None:
    body = {"kind": "message", "source": "customer", "message": "Hi"}
    for word in ("none", "auto", "paranoid"):
        shown(http.post(f"{events}?moderation={word}", json=body), 201)
    invalid(http.post(f"{events}?moderation=harsh", json=body), ["query", "moderation"])


def test_an_unknown_session_is_404_for_every_call(http: httpx.Client) -> None:
    path = "/sessions/nope/events"
    refused(http.post(path, json={"kind": "message", "source": "customer", "message": "Hi"}), 404, "nope")
    refused(http.get(path), 404, "nope")
    refused(http.get(f"{path}?sse=true"), 404, "nope")
    refused(http.get(f"{path}?wait_for_data=0"), 404, "nope")
    refused(http.get(f"{path}/e"), 404, "nope")
    refused(http.patch(f"{path}/e", json={}), 404, "nope")
    refused(http.delete(f"{path}?min_offset=0"), 404, "nope")


def timeline(session: Session) -> list[Event]:
    """Append events of several kinds, sources and traces."""
    shapes = [
        (Kind.MESSAGE, Source.CUSTOMER, "a"),
        (Kind.STATUS, Source.AI_AGENT, "a"),
        (Kind.TOOL, Source.SYSTEM, "a"),
    ]
    shapes += [
        (Kind.MESSAGE, Source.AI_AGENT, "a"),
        (Kind.MESSAGE, Source.CUSTOMER, "b"),
        (Kind.CUSTOM, Source.SYSTEM, "c"),
    ]
    data = {"message": "Hi"}
    return [session.append_event(kind=k, source=s, data=data, trace_id=t) for k, s, t in shapes]


def test_events_are_filtered(http: httpx.Client, session: Session, events: str) -> None:
    timeline(session)

    def offsets(query: str) -> list[int]:
        return [row["offset"] for row in shown(http.get(f"{events}?wait_for_data=0&{query}"))]

    assert offsets("") == [0, 1, 2, 3, 4, 5]
    assert offsets("min_offset=3") == [3, 4, 5]
    assert offsets("min_offset=6") == offsets(f"min_offset={2**63 - 1}") == []
    assert offsets("source=customer") == [0, 4]
    assert offsets("kinds=message") == [0, 3, 4]
    assert offsets("kinds=message,tool") == offsets("kinds=%20tool%20,%20message") == [0, 2, 3, 4]
    assert offsets("kinds=") == [0, 1, 2, 3, 4, 5]
    assert offsets("trace_id=a") == offsets("correlation_id=a") == [0, 1, 2, 3]
    assert offsets("trace_id=a&correlation_id=b") == offsets("trace_id=") == []
    assert offsets("trace_id=b&kinds=message&source=customer&min_offset=1&unknown=1") == [4]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("min_offset=-1", "min_offset"),
        ("min_offset=x", "min_offset"),
        ("min_offset=", "min_offset"),
        ("min_offset=1.5", "min_offset"),
        ("min_offset=1_0", "min_offset"),
        (f"min_offset={2**63}", "min_offset"),
        ("min_offset=" + "9" * 5000, "min_offset"),
        ("source=nobody", "source"),
        ("source=", "source"),
        ("kinds=message,shout", "kinds"),
        ("kinds=message,", "kinds"),
        ("kinds=message%00", "kinds"),
        ("trace_id=%00", "trace_id"),
        ("wait_for_data=-1", "wait_for_data"),
        ("wait_for_data=soon", "wait_for_data"),
        ("sse=perhaps", "sse"),
    ],
)
def test_a_wrong_query_is_refused(http: httpx.Client, events: str, query: str, field: str) -> None:
    invalid(http.get(f"{events}?{query}"), ["query", field])
    if field == "min_offset":
        invalid(http.delete(f"{events}?{query}"), ["query", field])


def test_an_event_is_found_only_under_its_own_session(http: httpx.Client, session: Session, events: str) -> None:
    (event, *_) = timeline(session)
    other = Session.open(agent=session.agent, customer=Customer.guest())  # type: ignore[arg-type]
    foreign = f"/sessions/{other.pk}/events/{event.pk}"
    refused(http.get(foreign), 404, event.pk)
    refused(http.patch(foreign, json={"metadata": {"set": {"a": 1}}}), 404, event.pk)
    refused(http.get(f"{events}/nope"), 404, "nope")
    assert shown(http.get(f"{events}/{event.pk}"))["metadata"] == {}


def test_nothing_but_the_metadata_of_an_event_changes(http: httpx.Client, post: Post, events: str) -> None:
    event = shown(post(message="Hi", metadata={"a": 1, "b": 2}), 201)
    path = f"{events}/{event['id']}"
    change = {"metadata": {"set": {"a": None, "c": [1]}, "unset": ["b", "unknown"]}, "data": "x", "deleted": True}
    assert shown(http.patch(path, json=change)) == {**event, "metadata": {"a": None, "c": [1]}}
    assert shown(http.patch(path, json={"metadata": {"set": {"d": 1}, "unset": ["d"]}}))["metadata"].keys() == {
        "a",
        "c",
    }
    assert shown(http.patch(path, json={"metadata": {"remove": ["a", "c"]}})) == {**event, "metadata": {}}
    assert shown(http.patch(path, json={})) == {**event, "metadata": {}}
    invalid(http.patch(path), ["body"])
    invalid(http.patch(path, json={"metadata": {"set": 1}}), ["body", "metadata", "set"])
    assert shown(http.get(path)) == {**event, "metadata": {}}


def test_events_are_deleted_from_the_beginning_of_a_trace_on(http: httpx.Client, session: Session, events: str) -> None:
    made = timeline(session)

    def remaining() -> list[int]:
        return [row["offset"] for row in shown(http.get(f"{events}?wait_for_data=0"))]

    invalid(http.delete(events), ["query", "min_offset"])
    for inside in (1, 2, 3):
        refused(http.delete(f"{events}?min_offset={inside}"), 422, "trace")
    shown(http.delete(f"{events}?min_offset=6"), 204)  # nothing there
    shown(http.delete(f"{events}?min_offset={2**63 - 1}"), 204)
    assert remaining() == [0, 1, 2, 3, 4, 5]
    shown(http.delete(f"{events}?min_offset=4"), 204)
    assert remaining() == [0, 1, 2, 3]
    gone = shown(http.get(f"{events}/{made[4].pk}"))
    assert (gone["deleted"], gone["offset"], gone["id"]) == (True, 4, made[4].pk)
    new = session.append_event(kind=Kind.MESSAGE, source=Source.CUSTOMER, data={"message": "Hi"})
    assert new.offset == 6, "offsets are never used again"
    shown(http.delete(f"{events}?min_offset=4"), 204)  # the first that would go is 6
    assert remaining() == [0, 1, 2, 3]
    shown(http.delete(f"{events}?min_offset=0"), 204)
    assert remaining() == []
    shown(http.delete(f"{events}?min_offset=0"), 204)
    assert shown(http.get(f"/sessions/{session.pk}"))["id"] == session.pk


def test_a_trace_may_be_deleted_from_its_first_remaining_event(
    http: httpx.Client, session: Session, events: str
) -> None:
    """The first event of a trace is what counts, also when events of others stand between."""
    for trace in ("a", "b", "a", "b"):
        session.append_event(kind=Kind.CUSTOM, source=Source.SYSTEM, data=1, trace_id=trace)
    for inside in (2, 3):
        refused(http.delete(f"{events}?min_offset={inside}"), 422)
    shown(http.delete(f"{events}?min_offset=1"), 204)
    assert [row["offset"] for row in shown(http.get(events))] == [0]


def test_every_request_s_event_has_a_trace_of_its_own_whatever_the_connection(post: Post) -> None:
    traces = {shown(post(message="Hi"), 201)["trace_id"] for _ in range(5)}
    assert len(traces) == 5


def test_every_kind_and_source_is_answered_without_a_fault(post: Post) -> None:
    fields = ("message", "data", "metadata", "participant", "status", "guidelines")
    odd: list[Any] = [None, "", 0, [], {}, "x" * 5000, {"a": {"b": [1]}}]
    for (kind, source), shift in product(product(Kind, Source), range(len(odd))):
        values = {field: odd[(place + shift) % len(odd)] for place, field in enumerate(fields)}
        field = fields[shift % len(fields)]
        assert post(kind=str(kind), source=str(source), **{field: values[field]}).status_code in (201, 422)
