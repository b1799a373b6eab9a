"""Requests that meet: each is answered as if it had come before or after the other, never with a 500."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx

from customers.models import Customer
from sessions_app.models import Agent, Session
from tags.models import Tag
from tests.processes import Server

ROUNDS = 4
MESSAGE = {"kind": "message", "source": "customer", "message": "Hi"}


def meet(server: Server, *requests: Callable[[httpx.Client], httpx.Response]) -> Counter[int]:
    """Send requests at once, again and again, and count the statuses of the answers."""
    found: Counter[int] = Counter()

    def send(request: Callable[[httpx.Client], httpx.Response]) -> int:
        with httpx.Client(base_url=server.url, timeout=30) as client:
            answer = request(client)
            assert answer.status_code < 500, answer.text
            return answer.status_code

    with ThreadPoolExecutor(len(requests)) as threads:
        found.update(threads.map(send, requests))
    return found


def test_of_two_who_take_a_name_or_an_id_one_gets_it(server: Server) -> None:
    for place in range(ROUNDS):
        tag, key = {"name": f"T{place}"}, {"id": f"c{place}", "name": "A"}
        assert meet(server, *[lambda http, body=tag: http.post("/tags", json=body)] * 3) == {201: 1, 422: 2}
        assert meet(server, *[lambda http, body=key: http.post("/customers", json=body)] * 3) == {201: 1, 422: 2}
        assert meet(server, *[lambda http, body=key: http.post("/agents", json=body)] * 3) == {201: 1, 422: 2}


def test_what_is_deleted_meanwhile_is_404_or_422_and_never_half_done(server: Server) -> None:
    for place in range(ROUNDS):
        agent, alice, tag = Agent.create(name="Iris"), Customer.register(name="Alice"), Tag.add(name=f"T{place}")
        session = Session.open(agent=agent, customer=alice)
        path = f"/sessions/{session.pk}"
        meet(
            server,
            lambda http, path=path: http.delete(path),
            lambda http, path=path: http.post(f"{path}/events", json=MESSAGE),
            lambda http, path=path: http.patch(path, json={"title": "x", "labels": {"upsert": ["a"]}}),
            lambda http, path=path: http.delete(f"{path}/events?min_offset=0"),
        )
        meet(
            server,
            lambda http, key=alice.pk: http.delete(f"/customers/{key}"),
            lambda http, key=tag.pk: http.delete(f"/tags/{key}"),
            lambda http, key=alice.pk, tag=tag.pk: http.patch(f"/customers/{key}", json={"tags": {"add": [tag]}}),
            lambda http, key=alice.pk, agent=agent.pk: http.post(
                "/sessions", json={"agent_id": agent, "customer_id": key}
            ),
            lambda http, tag=tag.pk: http.post("/customers", json={"name": "B", "tags": [tag]}),
        )
        assert not Session.objects.filter(pk=session.pk).exists()
        # A deletion that met the opening of a session may have been refused (422): then all of her is there.
        if Customer.objects.filter(pk=alice.pk).exists():
            alice.remove()
        assert not Session.objects.filter(customer_id=session.customer_ref).exists()
    for customer in Customer.objects.exclude(pk="guest"):
        assert customer.session_count == customer.sessions.count()


def test_two_who_amend_one_customer_both_get_their_keys_in(server: Server) -> None:
    alice = Customer.register(name="Alice")

    def put(http: httpx.Client, key: str) -> httpx.Response:
        return http.patch(f"/customers/{alice.pk}", json={"metadata": {"set": {key: "1"}}})

    for place in range(ROUNDS):
        keys = [f"{place}.{number}" for number in range(4)]
        assert meet(server, *[lambda http, key=key: put(http, key) for key in keys]) == {200: 4}
    alice.refresh_from_db()
    assert len(alice.metadata) == 4 * ROUNDS
