"""What holds for every call: methods, slashes, CORS, bodies, media types, and input that no database can keep."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from customers.models import Customer
from sessions_app.models import Agent, Event, Session
from tags.models import Tag
from tests.api.shapes import invalid, refused, shown
from tests.processes import Server

MIB = 1024 * 1024
ORIGIN = {"Origin": "https://shop.example"}
# Every collection and member, and the methods that it has.
CALLS = {
    "/customers": {"GET", "POST"},
    "/customers/x": {"GET", "PATCH", "DELETE"},
    "/tags": {"GET", "POST"},
    "/tags/x": {"GET", "PATCH", "DELETE"},
    "/agents": {"GET", "POST"},
    "/agents/x": {"GET", "PATCH", "DELETE"},
    "/sessions": {"GET", "POST", "DELETE"},
    "/sessions/x": {"GET", "PATCH", "DELETE"},
    "/sessions/x/events": {"GET", "POST", "DELETE"},
    "/sessions/x/events/y": {"GET", "PATCH"},
    "/healthz": {"GET"},
    "/openapi.json": {"GET"},
}
WRITES = [
    ("POST", "/customers"),
    ("PATCH", "/customers/guest"),
    ("POST", "/tags"),
    ("POST", "/agents"),
    ("POST", "/sessions"),
]


@pytest.mark.parametrize("path", CALLS)
def test_other_methods_are_405(http: httpx.Client, path: str) -> None:
    for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"} - CALLS[path]:
        answer = http.request(method, path)
        refused(answer, 405, method)
        assert CALLS[path] <= set(answer.headers["allow"].replace(" ", "").split(",")) | {"HEAD"}
    assert http.head(path).status_code == 405


@pytest.mark.parametrize("path", CALLS)
def test_a_trailing_slash_is_sent_to_the_path_without(http: httpx.Client, path: str) -> None:
    for method in ("GET", "POST", "PATCH", "DELETE"):
        answer = http.request(method, path + "/?a=b&c=%20d", json={"name": "x"}, headers=ORIGIN)
        assert answer.status_code == 307
        assert answer.headers["location"] == path + "?a=b&c=%20d"
        assert answer.headers["access-control-allow-origin"] == "*"


def test_a_redirect_keeps_method_and_body(server: Server) -> None:
    with httpx.Client(base_url=server.url, follow_redirects=True) as client:
        assert shown(client.post("/tags/", json={"name": "VIP"}), 201)["name"] == "VIP"


def test_a_redirect_never_leaves_the_site(http: httpx.Client) -> None:
    for path in (
        "//evil.example/",
        "//evil.example//",
        "/%2Fevil.example/",
        "/\\evil.example/",
        "/customers/%0d%0aX:y/",
    ):
        answer = http.get(httpx.URL(str(http.base_url), raw_path=path.encode()))
        assert answer.status_code in (307, 404)
        assert "evil.example" not in answer.headers.get("location", "").split("/customers")[0]
        assert "x" not in answer.headers


@pytest.mark.parametrize(
    "path", ["/", "/nope", "/nope/", "/customers/a/b", "/sessions/a/events/b/c", "/static/nope.js"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "DELETE", "PUT"])
def test_what_is_not_there_is_404_in_shape(http: httpx.Client, path: str, method: str) -> None:
    answer = http.request(method, path, headers=ORIGIN)
    if path == "/" and answer.is_redirect:
        pytest.skip("/ leads somewhere")
    refused(answer, 404)


def test_the_site_says_whether_it_works(http: httpx.Client) -> None:
    assert shown(http.get("/healthz"))["status"] == "healthy"


# CORS


def test_every_answer_allows_other_origins(http: httpx.Client, session: Session) -> None:
    answers = {
        200: http.get("/customers", headers=ORIGIN),
        201: http.post("/tags", json={"name": "x"}, headers=ORIGIN),
        204: http.delete(f"/sessions/{session.pk}/events?min_offset=0", headers=ORIGIN),
        307: http.get("/customers/", headers=ORIGIN),
        404: http.get("/customers/nope", headers=ORIGIN),
        405: http.put("/customers", headers=ORIGIN),
        413: http.post("/customers", content=b" " * (MIB + 1), headers=ORIGIN),
        422: http.post("/customers", content=b"{", headers=ORIGIN),
    }
    for status, answer in answers.items():
        assert answer.status_code == status, answer.text
        assert answer.headers["access-control-allow-origin"] == "*"
    assert http.get("/nope", headers=ORIGIN).headers["access-control-allow-origin"] == "*"
    waited = http.get(f"/sessions/{session.pk}/events?wait_for_data=1", headers=ORIGIN)
    refused(waited, 504)
    assert waited.json() == {"detail": "Request timed out"}
    assert waited.headers["access-control-allow-origin"] == "*"
    with http.stream("GET", f"/sessions/{session.pk}/events?sse=true&wait_for_data=1", headers=ORIGIN) as stream:
        assert stream.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize("method", ["GET", "POST", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", ["/customers", "/sessions/x/events", "/nope"])
def test_the_preflight_allows_what_the_clients_send(http: httpx.Client, method: str, path: str) -> None:
    wanted = "content-type,authorization,x-fern-language,x-fern-runtime,x-fern-runtime-version"
    asked = {**ORIGIN, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": wanted}
    answer = http.options(path, headers=asked)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "*"
    allowed = {name.strip() for name in answer.headers["access-control-allow-methods"].split(",")}
    assert {"GET", "POST", "PATCH", "DELETE"} <= allowed
    headers = {name.strip().lower() for name in answer.headers["access-control-allow-headers"].split(",")}
    assert set(wanted.split(",")) <= headers


# Bodies


UNUSABLE = [
    b"",
    b"{",
    b"nope",
    b'{"name": "x"',
    b'{"name": "x",}',
    b'{"name": NaN}',
    b'{"name": Infinity}',
    b"\xff\xfe",
    b'{"name": "\xff"}',
    b'"name"',
    b"[]",
    b'[{"name": "x"}]',
    b"5",
    b"null",
    b"true",
    b'{"name": "a\\u0000b"}',
    b'{"name": "x", "a\\u0000b": 1}',
    b'{"name": "x", "metadata": {"set": {"a": "\\u0000"}}}',
    b'{"name": "\\ud800"}',
    b'{"name": "x", "metadata": {"\\udfff": "y"}}',
    b'{"name": "\xed\xa0\x80"}',
    b'{"name": "x", "other": 9223372036854775808}',
    b'{"name": "x", "other": -9223372036854775809}',
    b'{"name": "x", "other": 123456789012345678901234567890}',
    b'{"name": "x", "other": ' + b"9" * 5000 + b"}",
    b'{"name": "x", "other": 1e19}',
    b'{"name": "x", "other": [-1e300]}',
    b'{"name": "x", "other": 1e400}',
    b'{"name": "x", "other": ' + b"[" * 65 + b"]" * 65 + b"}",
    b'{"name": "x", "other": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    b'{"name": "x", "other": ' + b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"}",
]


@pytest.mark.parametrize(("method", "path"), WRITES)
def test_a_body_that_cannot_be_taken_is_422_and_writes_nothing(http: httpx.Client, method: str, path: str) -> None:
    for text in UNUSABLE:
        answer = http.request(method, path, content=text, headers={"Content-Type": "application/json"})
        invalid(answer, ["body"])
    assert (Customer.objects.count(), Tag.objects.count(), Agent.objects.count(), Session.objects.count()) == (
        1,
        0,
        0,
        0,
    )


def test_what_cannot_be_kept_is_refused_wherever_an_event_bears_it(http: httpx.Client, events: str) -> None:
    for value in ('"a\\u0000"', '{"\\u0000": 1}', "9223372036854775808", '"\\ud83e"', "[" * 65 + "]" * 65):
        for field in ("data", "metadata", "message", "participant", "unknown"):
            text = f'{{"kind": "custom", "source": "system", "data": 1, "{field}": [{value}]}}'
            invalid(http.post(events, content=text), ["body"])
    assert not Event.objects.exists()
    assert Session.objects.get().next_offset == 0


def test_json_up_to_the_limits_is_kept_as_it_is(http: httpx.Client, events: str) -> None:
    deep: Any = 1
    for _ in range(60):
        deep = [deep]
    data = {
        "deep": deep,
        "large": 2**63 - 1,
        "small": -(2**63),
        "float": -9.2e18,
        "tiny": 5e-324,
        "text": "\u0001\u2028🦊\\",
    }
    made = shown(http.post(events, json={"kind": "custom", "source": "system", "data": data}), 201)
    assert made["data"] == data
    assert shown(http.get(events))[0]["data"] == data


MULTIPART = ["multipart/form-data", "multipart/form-data; boundary=x"]


@pytest.mark.parametrize(
    "media_type", [None, "", "text/plain", "application/x-www-form-urlencoded", "image/png", "x", *MULTIPART]
)
def test_a_body_is_json_whatever_it_claims_to_be(http: httpx.Client, media_type: str | None) -> None:
    headers = {} if media_type is None else {"Content-Type": media_type}
    assert shown(http.post("/tags", content=b'{"name": "VIP"}', headers=headers), 201)["name"] == "VIP"


@pytest.mark.parametrize("accept", ["text/html", "text/event-stream", "application/xml", "nonsense", "image/*;q=0.1"])
def test_the_answer_is_json_whatever_is_accepted(http: httpx.Client, accept: str) -> None:
    shown(http.get("/tags", headers={"Accept": accept}))
    refused(http.get("/tags/nope", headers={"Accept": accept}), 404)
    shown(http.get("/tags?format=html"))


def test_the_answer_s_language_does_not_follow_the_caller_s(http: httpx.Client) -> None:
    english = http.post("/tags", json={}).json()
    assert http.post("/tags", json={}, headers={"Accept-Language": "de"}).json() == english


def sized(size: int) -> bytes:
    """Answer a body of so many bytes that registers a customer."""
    start, end = b'{"name": "A", "metadata": {"a": "', b'"}}'
    return start + b"x" * (size - len(start) - len(end)) + end


def in_pieces(text: bytes) -> Iterator[bytes]:
    """Answer a body that is sent in chunks, without a Content-Length."""
    for start in range(0, len(text), 65_536):
        yield text[start : start + 65_536]


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_may_have_a_mebibyte_and_no_more(http: httpx.Client, chunked: bool) -> None:
    for size, status in ((100, 201), (MIB, 201), (MIB + 1, 413), (5 * MIB, 413)):
        content = in_pieces(sized(size)) if chunked else sized(size)
        answer = http.post("/customers", content=content, headers={"Content-Type": "application/json", **ORIGIN})
        assert answer.status_code == status, (size, answer.text[:200])
        shown(http.get("/tags"))  # on the same connection, or on a new one where the server said that it closes
        if status == 413:
            refused(answer, 413)
            assert answer.headers["access-control-allow-origin"] == "*"
    assert Customer.objects.count() == 3


def test_a_request_that_is_no_http_does_no_harm(server: Server, http: httpx.Client) -> None:
    address = urlsplit(server.url)
    for text in (
        b"nonsense\r\n\r\n",
        b"POST /tags HTTP/1.1\r\nHost: x\r\nContent-Length: many\r\n\r\n",
        b"POST /tags HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n",
        b"GET /tags?\xff\xfe=\xff HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
        b"GET /customers/\xff\xfe HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
        b"GET /customers/%ff%fe HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n",
    ):
        with socket.create_connection((str(address.hostname), address.port or 80), timeout=10) as raw:
            raw.sendall(text)
            line = raw.recv(65536).split(b"\r\n")[0]
            assert b" 500 " not in line, (text, line)
    shown(http.get("/tags"))


def test_an_unserved_host_is_400_without_inner_text(production_server: Server) -> None:
    refused(httpx.get(f"{production_server.url}/tags", headers={"Host": "evil.example"}), 400)


def test_the_api_sets_no_cookie_and_asks_for_none(http: httpx.Client) -> None:
    made = http.post(
        "/tags", json={"name": "x"}, headers={"Cookie": f"csrftoken={'a' * 32}; sessionid={'b' * 32}", **ORIGIN}
    )
    assert shown(made, 201)
    assert "set-cookie" not in made.headers


HUGE = "x" * 20_000
ODD: list[Any] = [None, "", 0, -1, 2**63 - 1, 1.5, True, [], {}, [None], {"a": None}, [[]], HUGE, [HUGE], {HUGE: HUGE}]


@pytest.mark.parametrize(
    ("method", "path", "fields"),
    [
        ("POST", "/customers", ["name", "id", "metadata", "tags"]),
        ("PATCH", "/customers/c", ["name", "metadata", "tags"]),
        ("POST", "/tags", ["name"]),
        ("POST", "/agents", ["name", "id", "description", "max_engine_iterations", "composition_mode", "tags"]),
        ("PATCH", "/agents/a", ["name", "description", "max_engine_iterations", "message_output_mode", "tags"]),
        ("POST", "/sessions", ["agent_id", "customer_id", "title", "metadata", "labels", "participants"]),
        (
            "PATCH",
            "/sessions/s",
            ["title", "mode", "customer_id", "agent_id", "consumption_offsets", "metadata", "labels"],
        ),
        ("PATCH", "/sessions/s", ["participants"]),
        ("POST", "/sessions/session/follow_ups", ["delay", "due_utc", "guidelines", "only_if_silent"]),
    ],
)
def test_an_odd_value_in_any_field_is_taken_or_refused(
    http: httpx.Client, database: None, method: str, path: str, fields: list[str]
) -> None:
    agent = Agent.create(id="a", name="A")
    customer = Customer.register(id="c", name="C")
    session = Session.open(agent=agent, customer=customer)
    path = path.replace("/s", f"/{session.pk}") if path.endswith("/s") else path.replace("/session/", f"/{session.pk}/")
    good: dict[str, Any] = {} if method == "PATCH" else {"name": "N", "agent_id": "a"}
    inner = ("set", "unset", "remove", "add", "upsert", "client")
    for field in fields:
        for value in [*ODD, *({name: value} for name in inner for value in (None, 5, HUGE, [5], {"a": 5}))]:
            body = json.dumps({**good, field: value})
            answer = http.request(method, path, content=body)
            assert answer.status_code in (200, 201, 404, 422), (field, str(value)[:50], answer.text[:300])
