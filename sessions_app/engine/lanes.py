"""The threads on which agents reach the database: their own, so that replies and requests do not wait for each other.

A thread keeps its connection; it is never held while a model is waited for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import ParamSpec, TypeVar

from django.db import close_old_connections, connection

from parlant_site.common.lanes import Lanes

P = ParamSpec("P")
R = TypeVar("R")

# SQLite has one writer: a second thread would only wait for the first one's lock. PostgreSQL commits side by side.
WORK = Lanes(1 if connection.vendor == "sqlite" else 3, name="agents-lane")
# Claiming sessions and renewing leases do not queue behind the replies themselves.
CONTROL = Lanes(1, name="agents-control")


async def on_lane(function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """Call a function that asks the database, and answer what it answers. It goes on when the caller is cancelled."""
    return await _call(WORK, partial(function, *args, **kwargs))


async def on_control_lane(function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """Call a function that decides who replies to what."""
    return await _call(CONTROL, partial(function, *args, **kwargs))


async def _call(lanes: Lanes, call: Callable[[], R]) -> R:
    return await asyncio.get_running_loop().run_in_executor(lanes.least_loaded(), _tidily, call)


def _tidily(call: Callable[[], R]) -> R:
    close_old_connections()  # one that broke is not used again
    try:
        return call()
    finally:
        close_old_connections()
