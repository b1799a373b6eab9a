"""The vocabulary of events: kinds, sources, statuses, modes, and who may post what."""

from __future__ import annotations

from django.db import models


class Kind(models.TextChoices):
    """What an event is."""

    MESSAGE = "message"
    STATUS = "status"
    TOOL = "tool"
    CUSTOM = "custom"


class Source(models.TextChoices):
    """Who an event comes from."""

    CUSTOMER = "customer"
    CUSTOMER_UI = "customer_ui"
    AI_AGENT = "ai_agent"
    HUMAN_AGENT = "human_agent"
    HUMAN_AGENT_ON_BEHALF_OF_AI_AGENT = "human_agent_on_behalf_of_ai_agent"
    SYSTEM = "system"

    @property
    def is_human_agent(self) -> bool:
        """Whether a human on the business's side wrote it, under whatever name."""
        return self in (Source.HUMAN_AGENT, Source.HUMAN_AGENT_ON_BEHALF_OF_AI_AGENT)

    @property
    def is_agent(self) -> bool:
        """Whether it comes from the business's side: an answer to the customer."""
        return self is Source.AI_AGENT or self.is_human_agent

    def may_post(self, kind: Kind) -> bool:
        """Answer whether a caller of the API may post events of this kind from this source."""
        if kind is Kind.TOOL:
            return False  # only the engine writes what tools answered
        if kind is Kind.MESSAGE:
            return self not in (Source.CUSTOMER_UI, Source.SYSTEM)
        return True


class Status(models.TextChoices):
    """What an agent is doing."""

    ACKNOWLEDGED = "acknowledged"
    CANCELLED = "cancelled"
    PROCESSING = "processing"
    TYPING = "typing"
    READY = "ready"
    ERROR = "error"


class Mode(models.TextChoices):
    """Who answers: the agent, or a human."""

    AUTO = "auto"
    MANUAL = "manual"


class CompositionMode(models.TextChoices):
    """How freely an agent words its messages."""

    FLUID = "fluid"
    CANNED_FLUID = "canned_fluid"
    COMPOSITED_CANNED = "composited_canned"
    STRICT_CANNED = "strict_canned"


class MessageOutputMode(models.TextChoices):
    """Whether a message appears whole or grows."""

    BLOCK = "block"
    STREAM = "stream"


class Responder(models.TextChoices):
    """How an agent finds its answers."""

    CANNED = "canned", "Canned responses"
    LLM = "llm", "Language model"


class Purpose(models.TextChoices):
    """When a canned response is said."""

    ANSWER = "answer", "Answers what it is like"
    GREETING = "greeting", "When the agent speaks first"
    NO_ANSWER = "no_answer", "When nothing else fits, before a human takes over"
    BUY_TIME = "buy_time", "When the agent is told to buy time"
    FOLLOW_UP = "follow_up", "When the agent is told to follow up"


class Moderation(models.TextChoices):
    """How strictly a customer's message is looked at."""

    NONE = "none"
    AUTO = "auto"
    PARANOID = "paranoid"


class Rationale(models.TextChoices):
    """Why an agent is told to speak."""

    UNSPECIFIED = "unspecified"
    BUY_TIME = "buy_time"
    FOLLOW_UP = "follow_up"


class Dropped(models.TextChoices):
    """Why an agent did not say what it was told to say later."""

    CUSTOMER_WROTE = "customer_wrote", "The customer wrote before"
    MANUAL_MODE = "manual_mode", "A human was answering"


class FollowUpState(models.TextChoices):
    """Whether an agent has said what it was told to say later."""

    SCHEDULED = "scheduled"
    SAID = "said"
    DROPPED = "dropped"
