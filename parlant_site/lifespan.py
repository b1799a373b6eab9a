"""The ASGI lifespan protocol: servers that speak it (uvicorn, granian) start and stop what lifecycle.py registers."""

from django.conf import settings

from parlant_site.common import lifecycle
from parlant_site.common.lanes import Receive, Scope, Send

GRACE = 3.0


class Lifespan:
    """Answer the two lifespan messages of a server process."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Start at the first message, stop at the second."""
        await receive()
        try:
            await lifecycle.start(roles={"web", "agents"} if settings.PARLANT_AGENTS else {"web"})
        except Exception as error:
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            raise
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await lifecycle.stop(grace=GRACE)
        await send({"type": "lifespan.shutdown.complete"})
