"""How agents find their answers: `canned` without any network, `llm` with a language model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from django.conf import settings

from sessions_app.events import Responder
from sessions_app.models import Agent

if TYPE_CHECKING:
    from sessions_app.engine.replies import Reply
    from sessions_app.engine.turn import Turn


class Responds(Protocol):
    """What finds answers."""

    async def __call__(self, turn: Turn, agent: Agent) -> Reply:
        """Answer what the agent says; NoReply with a readable reason when it could not find out."""


def responder_of(agent: Agent) -> Responds:
    """Answer how an agent finds its answers."""
    if (agent.responder or settings.PARLANT_RESPONDER) == Responder.LLM:
        import sessions_app.engine.responders.llm as llm  # takes seconds to import: only who needs it waits

        return llm.respond
    from sessions_app.engine.responders import canned

    return canned.respond
