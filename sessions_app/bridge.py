"""Wake-ups between processes, over the channel layer: one subscription per process, however many clients wait in it.

A thread with an event loop of its own, so that commands, workers and servers publish alike and from any thread. Every
channel layer loses messages at times (a full queue, a connection that breaks): what it loses, safety_net.py finds.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import secrets
from threading import Event, Lock, Thread
from typing import Any

from channels.layers import get_channel_layer

from sessions_app import bell, feed

logger = logging.getLogger(__name__)

GROUP = "parlant.sessions"
# Pause after the layer failed, and how many sessions are kept meanwhile to be announced when it answers again.
RETRY_SECONDS = 0.5
MOST_KEPT = 10_000
# How long a process that ends waits until what it published is sent.
LAST_MOMENT = 1.0


class Bridge:
    """This process's end of the bridge."""

    def __init__(self, layer: Any) -> None:
        self._layer = layer
        self._name = secrets.token_hex(8)
        self._lock = Lock()
        self._pending: set[str] = set()
        self._is_listening = False
        self._is_idle = Event()
        self._is_idle.set()
        self._ready = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        Thread(target=self._loop.run_until_complete, args=(self._send(),), name="bridge", daemon=True).start()
        atexit.register(self._is_idle.wait, LAST_MOMENT)

    def announce(self, session_id: str) -> None:
        """Tell the other processes that a session changed. From any thread."""
        with self._lock:
            is_told = bool(self._pending)
            if len(self._pending) < MOST_KEPT:
                self._pending.add(session_id)
            self._is_idle.clear()
        if not is_told:
            self._loop.call_soon_threadsafe(self._ready.set)

    def listen(self) -> None:
        """See to it that this process hears the others. From any thread."""
        if not self._is_listening:
            self._is_listening = True
            self._loop.call_soon_threadsafe(self._begin_to_listen)

    def _begin_to_listen(self) -> None:
        self._listening = self._loop.create_task(self._receive())

    async def _send(self) -> None:
        while True:
            await self._ready.wait()
            self._ready.clear()
            with self._lock:
                session_ids, self._pending = self._pending, set()
            try:
                await self._layer.group_send(
                    GROUP, {"type": "wake", "from": self._name, "sessions": sorted(session_ids)}
                )
            except Exception as error:
                logger.warning("The channel layer does not take wake-ups: %s", error)
                with self._lock:
                    self._pending |= session_ids
                await asyncio.sleep(RETRY_SECONDS)
                self._ready.set()
                continue
            with self._lock:
                if not self._pending:
                    self._is_idle.set()

    async def _receive(self) -> None:
        while True:
            try:
                channel = await self._layer.new_channel()
                await self._layer.group_add(GROUP, channel)
                while True:
                    message = await self._layer.receive(channel)
                    if message.get("from") != self._name:
                        feed.wake(message["sessions"])
                        bell.ring_all(message["sessions"])
            except Exception as error:
                logger.warning("The channel layer brings no wake-ups: %s", error)
                await asyncio.sleep(RETRY_SECONDS)


_lock = Lock()
_bridge: Bridge | None = None


def _started() -> Bridge | None:
    global _bridge
    if _bridge is None and (layer := get_channel_layer()):
        with _lock:
            if _bridge is None:
                _bridge = Bridge(layer)
    return _bridge


def announce(session_id: str) -> None:
    """Tell the other processes that a session changed; nothing without a channel layer."""
    if bridge := _started():
        bridge.announce(session_id)


def listen() -> None:
    """Hear what other processes announce; nothing without a channel layer."""
    if bridge := _started():
        bridge.listen()
