"""What the official client does with customers, tags, agents, sessions and events."""

import pytest
from parlant.client import AsyncParlantClient, ParlantClient
from parlant.client.errors import NotFoundError
from parlant.client.types import (
    ConsumptionOffsetsUpdateParams,
    CustomerMetadataUpdateParams,
    CustomerTagUpdateParams,
)


def test_a_customer_is_registered_amended_and_deleted(client: ParlantClient) -> None:
    vip, eu = client.tags.create(name="VIP"), client.tags.create(name="EU")
    alice = client.customers.create(name="Alice", metadata={"location": "USA", "hobby": "reading"}, tags=[vip.id])
    assert client.customers.retrieve(alice.id) == alice
    assert (alice.name, alice.metadata, alice.tags) == ("Alice", {"location": "USA", "hobby": "reading"}, [vip.id])
    changed = client.customers.update(
        alice.id,
        name="Alice Smith",
        metadata=CustomerMetadataUpdateParams(set_={"location": "Canada"}, unset=["hobby", "unknown"]),
        tags=CustomerTagUpdateParams(add=[eu.id], remove=[vip.id]),
    )
    assert (changed.name, changed.metadata, changed.tags) == ("Alice Smith", {"location": "Canada"}, [eu.id])
    assert [customer.name for customer in client.customers.list()] == ["Guest", "Alice Smith"]
    client.customers.delete(alice.id)
    with pytest.raises(NotFoundError, match=alice.id):
        client.customers.retrieve(alice.id)


def test_events_are_appended_and_listed_by_offset(client: ParlantClient) -> None:
    agent = client.agents.create(name="Iris")
    session = client.sessions.create(agent_id=agent.id, title="Order")
    assert (session.customer_id, session.mode, session.consumption_offsets.client) == ("guest", "auto", 0)
    client.sessions.update(session.id, mode="manual", consumption_offsets=ConsumptionOffsetsUpdateParams(client=1))
    first = client.sessions.create_event(session.id, kind="message", source="customer", message="Hello")
    second = client.sessions.create_event(
        session.id, kind="message", source="human_agent", message="Hi", participant={"display_name": "Ann"}
    )
    listed = client.sessions.list_events(session.id, min_offset=0, wait_for_data=0)
    assert [event.id for event in listed] == [first.id, second.id]
    assert [event.offset for event in listed] == [0, 1]
    assert first.data == {
        "message": "Hello",
        "participant": {"id": "guest", "display_name": "Guest"},
        "flagged": False,
        "tags": [],
    }
    assert first.trace_id == first.correlation_id != second.trace_id


async def test_the_seeds_calls_run_with_the_asynchronous_client(async_client: AsyncParlantClient) -> None:
    agent = await async_client.agents.create(name="Iris")
    alice = await async_client.customers.create(name="Alice")
    session = await async_client.sessions.create(agent_id=agent.id, customer_id=alice.id, title="Order")
    event = await async_client.sessions.create_event(
        session_id=session.id, kind="message", source="customer", message="Hello, I need help with my order."
    )
    (listed,) = await async_client.sessions.list_events(session_id=session.id, min_offset=0, wait_for_data=60)
    assert listed == event


def test_every_call_of_the_client_is_answered(client: ParlantClient) -> None:
    agent = client.agents.create(name="Iris", description="Helps", max_engine_iterations=2)
    assert client.agents.retrieve(agent.id) == agent
    assert client.agents.update(agent.id, name="Ivo").name == "Ivo"
    assert [each.id for each in client.agents.list()] == [agent.id]
    tag = client.tags.create(name="VIP")
    assert client.tags.retrieve(tag.id) == tag
    assert client.tags.update(tag.id, name="VIP 2").name == "VIP 2"
    assert [each.name for each in client.tags.list()] == ["VIP 2"]
    session = client.sessions.create(agent_id=agent.id, allow_greeting=False)
    assert client.sessions.retrieve(session.id) == session
    assert [each.id for each in client.sessions.list(agent_id=agent.id)] == [session.id]
    page = client.sessions.list(limit=1)
    assert (page.total_count, page.has_more, page.items) == (1, False, [session])
    event = client.sessions.create_event(session.id, kind="custom", source="system", data={"a": 1})
    assert client.sessions.list_events(session.id, kinds="custom,message", wait_for_data=0) == [event]
    client.sessions.delete_events(session.id, min_offset=0)
    client.sessions.delete(session.id)
    client.sessions.delete_many(agent_id=agent.id)
    client.tags.delete(tag.id)
    client.agents.delete(agent.id)
    with pytest.raises(NotFoundError, match=session.id):
        client.sessions.retrieve(session.id)
