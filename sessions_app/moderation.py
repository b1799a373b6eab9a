"""Looking at what customers write before it is kept: by nobody, by OpenAI's moderation, or by a function of yours."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from django.conf import settings
from django.utils.module_loading import import_string

from sessions_app.events import Moderation

logger = logging.getLogger(__name__)

# Said of a message that could not be looked at although the caller insisted.
UNAVAILABLE = "moderation-unavailable"


@dataclass(frozen=True)
class Verdict:
    """What moderation says of a message: flagged messages are hidden from models."""

    is_flagged: bool = False
    tags: tuple[str, ...] = ()


UNFLAGGED = Verdict()
# Answers what is wrong with a message (nothing: no tags); the second argument asks to be strict.
Moderator = Callable[[str, bool], Awaitable["list[str]"]]


async def moderate(message: str, moderation: Moderation) -> Verdict:
    """Answer the verdict on a message.

    When the moderator fails, `auto` lets the message pass and `paranoid` flags it.
    """
    if moderation is Moderation.NONE or not settings.PARLANT_MODERATION:
        return UNFLAGGED
    is_strict = moderation is Moderation.PARANOID
    try:
        tags = await _moderator()(message, is_strict)
    except Exception as error:
        logger.warning("A message could not be moderated: %s", error)
        return Verdict(True, (UNAVAILABLE,)) if is_strict else UNFLAGGED
    return Verdict(bool(tags), tuple(tags))


def _moderator() -> Moderator:
    if settings.PARLANT_MODERATION == "openai":
        from sessions_app.engine.responders.openai_moderation import moderate_with_openai

        return moderate_with_openai
    named: Moderator = import_string(settings.PARLANT_MODERATION)
    return named
