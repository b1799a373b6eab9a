"""What leaves a connection: one call of the system per message, in order, and nothing lost when nobody reads."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from parlant_site.serving.quiet import TICK, Sign, Wheel
from parlant_site.serving.wire import Wire, hold

pytestmark = pytest.mark.one_database


class Reactor:
    """Notes who waits until a socket takes something."""

    def __init__(self) -> None:
        self.writers: set[Any] = set()

    def addReader(self, reader: Any) -> None:  # noqa: N802
        """Nobody reads."""

    removeReader = addReader  # noqa: N815

    def addWriter(self, writer: Any) -> None:  # noqa: N802
        """Note who waits."""
        self.writers.add(writer)

    def removeWriter(self, writer: Any) -> None:  # noqa: N802
        """Forget who waits."""
        self.writers.discard(writer)


class Ends:
    """The two ends of a connection: the server's wire and the client's socket."""

    def __init__(self) -> None:
        ours, self.client = socket.socketpair()
        self.client.setblocking(False)
        self.reactor = Reactor()
        server: Any = None
        self.wire = Wire(ours, object(), ("127.0.0.1", 1), server, 1, self.reactor)  # type: ignore[arg-type]
        self.transport = self.wire

    def takes_signs(self) -> bool:
        """Answer that signs of life are welcome."""
        return True

    def received(self) -> bytes:
        """Answer what the client can read now."""
        parts = []
        try:
            while part := self.client.recv(1 << 20):
                parts.append(part)
        except BlockingIOError:
            pass
        return b"".join(parts)

    def say(self, *parts: bytes) -> None:
        """Write the parts of one message."""
        held = hold(self.wire)
        assert held
        for part in parts:
            self.wire.write(part)
        held.release()


@pytest.fixture
def ends() -> Iterator[Ends]:
    """A connection."""
    both = Ends()
    yield both
    both.client.close()
    both.wire.socket.close()


def test_a_message_has_left_when_it_is_released(ends: Ends) -> None:
    ends.say(b"head", b"body")
    assert ends.received() == b"headbody"
    assert not ends.reactor.writers


def test_what_the_socket_does_not_take_follows_in_order(ends: Ends) -> None:
    large = [bytes([letter]) * 3_000_000 for letter in b"abc"]
    for part in large:
        ends.say(part)
    received = b""
    assert ends.wire in ends.reactor.writers
    while ends.reactor.writers:
        received += ends.received()
        ends.wire.doWrite()
    assert received + ends.received() == b"".join(large)


def test_whoever_produces_is_paused_while_the_client_does_not_read(ends: Ends) -> None:
    class Producer:
        is_paused = False

        def pauseProducing(self) -> None:  # noqa: N802
            """Note it."""
            self.is_paused = True

        def resumeProducing(self) -> None:  # noqa: N802
            """Note it."""
            self.is_paused = False

    producer: Any = Producer()
    ends.wire.registerProducer(producer, True)
    ends.say(b"x" * 100_000)
    assert not producer.is_paused
    while not ends.reactor.writers:
        ends.say(b"x" * 100_000)
    ends.say(b"x" * 100_000)
    assert producer.is_paused
    while ends.reactor.writers:
        ends.received()
        ends.wire.doWrite()
    assert not producer.is_paused


def test_the_end_of_a_connection_and_its_errors_are_left_to_the_reactor(ends: Ends) -> None:
    held = hold(ends.wire)
    assert held
    ends.wire.write(b"bye")
    ends.wire.loseConnection()
    held.release()
    assert ends.wire in ends.reactor.writers
    assert ends.wire.doWrite() is not None  # the connection is done
    assert ends.received() == b"bye"


def test_a_client_that_is_gone_is_noticed_by_the_reactor(ends: Ends) -> None:
    ends.client.close()
    ends.say(b"anybody?")
    assert ends.wire in ends.reactor.writers
    assert ends.wire.doWrite() is not None


async def test_signs_of_life_come_when_nothing_else_was_sent(ends: Ends) -> None:
    wheel = Wheel()
    loop = asyncio.get_running_loop()
    sign = Sign(ends, b".", 2 * TICK, loop.time())
    wheel.put(sign)
    assert await until_received(ends) == b"."
    assert loop.time() - sign.sent_at < TICK
    again = loop.time()
    sign.sent_at = again + 2 * TICK  # something else is sent meanwhile
    assert await until_received(ends) == b"."
    assert loop.time() - again >= 4 * TICK
    wheel.take(sign)
    assert not any(wheel._slots.values())


async def test_who_does_not_read_gets_no_signs_of_life_on_top(ends: Ends) -> None:
    while not ends.wire.is_behind():
        ends.say(b"x" * 100_000)
    before = len(ends.wire.dataBuffer)
    Sign(ends, b".", 1, 0).send()
    assert len(ends.wire.dataBuffer) == before
    assert not ends.wire._tempDataBuffer


async def until_received(ends: Ends) -> bytes:
    """Wait until the client has something."""
    async with asyncio.timeout(10):
        while not (received := ends.received()):
            await asyncio.sleep(0.01)
    return received
