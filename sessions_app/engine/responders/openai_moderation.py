"""Moderation by the language model's server, where it offers OpenAI's moderation endpoint."""

from __future__ import annotations

from django.conf import settings
from openai import AsyncOpenAI

# A strict caller wants to hear of what is this likely, whatever the server itself calls flagged.
STRICT = 0.2
TIMEOUT = 10.0


async def moderate_with_openai(message: str, is_strict: bool) -> list[str]:
    """Answer the categories in which a message is objectionable; none: it is fine."""
    client = AsyncOpenAI(
        base_url=settings.PARLANT_LLM_BASE_URL or None,
        api_key=settings.PARLANT_LLM_API_KEY or "none",
        timeout=TIMEOUT,
        max_retries=1,
    )
    async with client:
        answered = await client.moderations.create(input=message)
    (result,) = answered.results
    found = {name for name, flagged in result.categories.model_dump().items() if flagged}
    if is_strict:
        found |= {name for name, score in result.category_scores.model_dump().items() if (score or 0) >= STRICT}
    return sorted(found) or (["flagged"] if result.flagged else [])
