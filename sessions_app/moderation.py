"""Looking at what customers write before it is kept: by nobody, by OpenAI's moderation, or by a function of yours."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import close_old_connections
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
# Answers what is wrong with a message (nothing: no tags); the second argument asks to be strict. May be awaited or not.
Moderator = Callable[[str, bool], "Awaitable[list[str]] | list[str]"]
# Who takes longer has failed.
LONGEST_SECONDS = 20.0


def is_moderated(moderation: Moderation) -> bool:
    """Whether somebody looks at messages that are posted like this."""
    return moderation is not Moderation.NONE and bool(settings.PARLANT_MODERATION)


async def moderate(message: str, moderation: Moderation) -> Verdict:
    """Answer the verdict on a message.

    When the moderator fails, `auto` lets the message pass and `paranoid` flags it.
    """
    if not is_moderated(moderation):
        return UNFLAGGED
    is_strict = moderation is Moderation.PARANOID
    try:
        async with asyncio.timeout(LONGEST_SECONDS):
            tags = await _ask(message, is_strict)
    except Exception as error:
        logger.warning("A message could not be moderated: %s", error or type(error).__name__)
        return Verdict(True, (UNAVAILABLE,)) if is_strict else UNFLAGGED
    return Verdict(bool(tags), tuple(tags))


async def _ask(message: str, is_strict: bool) -> list[str]:
    moderator = await asyncio.to_thread(_moderator)  # may import for seconds
    if inspect.iscoroutinefunction(moderator):
        found: list[str] = await moderator(message, is_strict)
        return found
    return await asyncio.to_thread(_plainly, moderator, message, is_strict)


def _plainly(moderator: Callable[[str, bool], list[str]], message: str, is_strict: bool) -> list[str]:
    close_old_connections()
    try:
        return moderator(message, is_strict)
    finally:
        close_old_connections()


def _moderator() -> Callable[..., Any]:
    if settings.PARLANT_MODERATION == "openai":
        from sessions_app.engine.responders.openai_moderation import moderate_with_openai

        return moderate_with_openai
    named: Callable[..., Any] = import_string(settings.PARLANT_MODERATION)
    return named
