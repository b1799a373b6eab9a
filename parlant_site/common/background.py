"""Work that goes on beside requests: a thread of its own, with a database connection of its own."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import ClassVar

from django.db import DatabaseError, close_old_connections, connection

logger = logging.getLogger(__name__)

PATIENCE = 10  # seconds that the end of the process waits for the piece of work at hand


class Background:
    """Looks for work, does it piece by piece, and rests until it is woken or the time has come to look again.

    Nothing ends the thread but `stop`: a database that is away is asked again, and whatever else goes wrong is logged.
    """

    name: ClassVar[str]
    look_every: ClassVar[float]  # seconds

    def __init__(self) -> None:
        self.stopping = threading.Event()
        self.woken = threading.Event()
        self.thread: threading.Thread | None = None

    def look(self) -> bool:
        """Do one piece of work; answer whether there was any."""
        raise NotImplementedError

    def give_back(self) -> None:
        """Let other processes go on at once with what this one had claimed."""

    async def start(self) -> None:
        """Begin; a process that serves calls it once."""
        self.stopping.clear()
        self.thread = threading.Thread(target=self.work, name=self.name, daemon=True)
        self.thread.start()

    async def stop(self) -> None:
        """End after the piece of work at hand; another process, or the next start, goes on."""
        self.stopping.set()
        self.woken.set()
        if self.thread is not None:
            await asyncio.to_thread(self.thread.join, PATIENCE)

    def wake(self) -> None:
        """Look now."""
        self.woken.set()

    def work(self) -> None:
        """Do what there is to do until told to stop."""
        while not self.stopping.is_set():
            try:
                while not self.stopping.is_set() and self.look():
                    pass
            except DatabaseError:
                logger.warning("%s: the database is waited for", self.name, exc_info=True)
                self.stopping.wait(self.look_every)
            except Exception:
                logger.exception("%s: a piece of work failed", self.name)
                self.stopping.wait(5 * self.look_every)
            finally:
                close_old_connections()
            self.woken.wait(self.look_every)
            self.woken.clear()
        try:
            self.give_back()
        except DatabaseError:
            logger.warning("%s: leases could not be given back", self.name, exc_info=True)
        connection.close()
