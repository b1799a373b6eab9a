"""Finds the sessions that wait for a reply, and lets their agents reply: so many at once, the longest waiting first.

Any number of processes may run one. It looks when the bell rings, and by itself every now and then, so that nothing
depends on being told.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module

from django.conf import settings

from parlant_site.common.ids import new_id
from sessions_app import bell, bridge
from sessions_app.engine import leases, tools
from sessions_app.engine.follow_ups import ask_what_is_due
from sessions_app.engine.lanes import on_control_lane, on_lane
from sessions_app.engine.leases import Claim
from sessions_app.engine.responders.canned import LIBRARY
from sessions_app.engine.turn import answer
from sessions_app.events import Responder
from sessions_app.models import Agent

logger = logging.getLogger(__name__)

RENEWAL = leases.LEASE.total_seconds() / 3
# How long replies may go on after the process was told to end.
GRACE = 1.5


@dataclass
class Running:
    """A reply that this process is writing."""

    claim: Claim
    task: asyncio.Task[None]


class Runner:
    """Replies for the agents of all sessions, as one of any number of processes."""

    def __init__(self) -> None:
        self.owner = f"{socket.gethostname()}:{os.getpid()}:{new_id()}"
        self.running: dict[str, Running] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._woken: asyncio.Event | None = None
        self._end_listening = lambda: None
        self._is_stopping = False

    async def start(self) -> None:
        """Begin."""
        loop = asyncio.get_running_loop()
        self._is_stopping = False
        tools.discover()
        woken = self._woken = asyncio.Event()

        def wake(session_id: str) -> None:
            with suppress(RuntimeError):  # a closed loop runs no agents
                loop.call_soon_threadsafe(woken.set)

        self._end_listening = bell.listen(wake)
        self._tasks = [asyncio.create_task(self._run()), asyncio.create_task(self._renew())]
        self._tasks.append(asyncio.create_task(_warm_up()))
        bridge.listen()

    async def stop(self) -> None:
        """Claim nothing more, give running replies a moment, then give the rest back for others to write."""
        self._is_stopping = True
        self._end_listening()
        await _end(self._tasks)
        if replies := [one.task for one in self.running.values()]:
            await asyncio.wait(replies, timeout=GRACE)
        await _end([one.task for one in self.running.values()])
        if self._woken is not None:
            await on_control_lane(leases.let_go, self.owner)

    async def _run(self) -> None:
        assert self._woken is not None
        while True:
            self._woken.clear()  # before looking: who wakes meanwhile is seen by the next look
            try:
                await self._look()
            except Exception as error:
                logger.warning("Agents cannot reach the database: %s", error)
                await asyncio.sleep(settings.PARLANT_POLL_INTERVAL)
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._woken.wait(), settings.PARLANT_AGENTS_POLL_INTERVAL)

    async def _look(self) -> None:
        if self.running:
            await self._stop_what_was_lost()
        await on_control_lane(ask_what_is_due)
        while (free := settings.PARLANT_AGENTS_CONCURRENCY - len(self.running)) > 0:
            claims = await on_control_lane(leases.claim, self.owner, limit=free)
            for claim in claims:
                self._begin(claim)
            if len(claims) < free:
                return

    def _begin(self, claim: Claim) -> None:
        if before := self.running.pop(claim.session_id, None):
            before.task.cancel()  # it lost the lease that this claim got
        task = asyncio.create_task(self._reply(claim))
        self.running[claim.session_id] = Running(claim, task)

    async def _reply(self, claim: Claim) -> None:
        try:
            await answer(claim)
        except Exception:
            # The lease runs out, and the reply is tried again.
            logger.exception("The reply on session %s could not be written", claim.session_id)
        finally:
            current = self.running.get(claim.session_id)
            if current is not None and current.claim.token == claim.token:
                del self.running[claim.session_id]
            if len(self.running) >= settings.PARLANT_AGENTS_CONCURRENCY - 1 and self._woken is not None:
                self._woken.set()  # there was no room for others

    async def _stop_what_was_lost(self) -> None:
        held = {session_id: one.claim.token for session_id, one in self.running.items()}
        for session_id in await on_control_lane(leases.lost, held):
            one = self.running.get(session_id)
            if one is not None and one.claim.token == held[session_id]:
                one.task.cancel()

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(RENEWAL)
            if self.running:
                try:
                    await on_control_lane(leases.renew, self.owner, list(self.running))
                except Exception as error:
                    logger.warning("The leases of %d replies were not renewed: %s", len(self.running), error)


async def _warm_up() -> None:
    """Index the canned responses and import what asks models now, and not when the first customer waits."""
    try:
        await on_lane(LIBRARY.refresh)
        has_models = await on_lane(_has_models)
    except Exception as error:
        logger.warning("The canned responses could not be read yet: %s", error)
        return
    if has_models:
        await asyncio.to_thread(import_module, "sessions_app.engine.responders.llm")


def _has_models() -> bool:
    """Whether any agent answers with a language model; on a lane."""
    return settings.PARLANT_RESPONDER == Responder.LLM or Agent.objects.filter(responder=Responder.LLM).exists()


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


RUNNER = Runner()
