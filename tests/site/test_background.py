"""Work beside requests goes on whatever happens to one piece of it."""

from __future__ import annotations

import asyncio
import threading

import pytest
from django.db import OperationalError

from parlant_site.common.background import Background


@pytest.mark.parametrize("error", [OperationalError("the database is away"), ValueError("something else")])
async def test_a_piece_that_fails_does_not_end_the_work(error: Exception) -> None:
    done, pieces = threading.Event(), [error, None, None]

    class Work(Background):
        name, look_every = "test", 0.01

        def look(self) -> bool:
            piece = pieces.pop(0) if pieces else done.set()
            if piece is not None:
                raise piece
            return False

    work = Work()
    await work.start()
    assert await asyncio.to_thread(done.wait, 10)
    assert work.thread is not None
    assert work.thread.is_alive()
    await work.stop()
    assert not work.thread.is_alive()
