"""What runs while a server process runs: background tasks register here how they start and stop.

Daphne tells an application neither that it begins nor that it ends, so the `serve` command calls these hooks; under
uvicorn and its like the ASGI lifespan messages do. Register in `AppConfig.ready`:

    lifecycle.on_start(runner.start, role="agents")
    lifecycle.on_stop(runner.stop)

Hooks run on the event loop of the server, in a context of their own.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from contextvars import Context
from dataclasses import dataclass, field
from typing import Any, Literal

logger = logging.getLogger(__name__)

Hook = Callable[[], Awaitable[None]]
# "web": every process that serves connections; "agents": processes in which agents reply.
Role = Literal["web", "agents"]


@dataclass
class _Registered:
    starting: list[tuple[Hook, Role]] = field(default_factory=list)
    stopping: list[Hook] = field(default_factory=list)
    is_stopping: bool = False


_registered = _Registered()


def on_start(hook: Hook, *, role: Role = "web") -> Hook:
    """Have `await hook()` called once the event loop runs and before the process listens; it returns soon.

    A long-running task is started inside, by asyncio.create_task. Hooks run in the order of their registration; one
    that raises stops the start.
    """
    _registered.starting.append((hook, role))
    return hook


def on_stop(hook: Hook) -> Hook:
    """Have `await hook()` called when the process was told to end and no longer listens.

    Requests are still being answered: whoever keeps them waiting wakes them here. All hooks run at once and have to be
    done within the grace period; one that raises is logged and disturbs nobody. Called even when nothing was started.
    """
    _registered.stopping.append(hook)
    return hook


def is_stopping() -> bool:
    """Whether the process was told to end: do not begin to wait."""
    return _registered.is_stopping


async def start(*, roles: Collection[Role]) -> None:
    """Run the start hooks of the roles."""
    _registered.is_stopping = False
    for hook, role in _registered.starting:
        if role in roles:
            await asyncio.create_task(_run(hook), context=Context())


async def stop(*, grace: float) -> None:
    """Run the stop hooks, for at most `grace` seconds."""
    _registered.is_stopping = True
    tasks = {asyncio.create_task(_run(hook), context=Context()): hook for hook in _registered.stopping}
    if not tasks:
        return
    done, late = await asyncio.wait(tasks, timeout=grace)
    for task in late:
        logger.warning("%s did not stop within %s s and was cancelled", _name(tasks[task]), grace)
        task.cancel()
    for task in done:
        if error := task.exception():
            logger.error("%s failed to stop", _name(tasks[task]), exc_info=error)


async def _run(hook: Hook) -> None:
    await hook()


def _name(hook: Any) -> str:
    return f"{hook.__module__}.{hook.__qualname__}" if hasattr(hook, "__qualname__") else repr(hook)
