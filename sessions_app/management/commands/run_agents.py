"""`manage.py run_agents`: a process in which agents reply, beside those that serve."""

import asyncio
import signal
from typing import Any

from django.core.management.base import BaseCommand

from parlant_site.common import lifecycle

# What a SIGTERM grants to replies that are being written.
GRACE = 3.0


class Command(BaseCommand):
    """The command."""

    help = "Let agents reply until Ctrl+C or SIGTERM. Any number of processes may do so, beside `serve --no-agents`."

    def handle(self, *args: Any, **options: Any) -> None:
        """Reply."""
        asyncio.run(self._run())

    async def _run(self) -> None:
        told_to_end = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, told_to_end.set)
        await lifecycle.start(roles={"agents"})
        self.stdout.write("Agents reply here. Ctrl+C ends that.")
        self.stdout.flush()
        await told_to_end.wait()
        await lifecycle.stop(grace=GRACE)
