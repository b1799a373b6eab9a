"""Signs of life on quiet connections: sent by the server where it offers that, or else by the application itself.

An application that sends them itself is woken for each, with a timer, a task and a walk through all layers: for
thousands of quiet connections that is most of what they cost. Our server (serving/quiet.py) does it for less.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from django.conf import settings

from parlant_site.common.lanes import Send

# The ASGI extension, and the type of its one message: {"type": EXTENSION, "message": {...}, "seconds": float}.
EXTENSION = "parlant.signs_of_life"


async def begin_signs_of_life(message: Mapping[str, Any], scope: Mapping[str, Any], send: Send) -> float:
    """Have the server send a message whenever a connection was quiet for long, until the connection or answer ends.

    Answers after how many quiet seconds the application sends it itself: never, where the server does it.
    """
    seconds: float = settings.PARLANT_HEARTBEAT_SECONDS
    if EXTENSION not in scope.get("extensions", {}):
        return seconds
    await send({"type": EXTENSION, "message": message, "seconds": seconds})
    return math.inf
