"""Answers of a language model behind an OpenAI-compatible server. The only module that knows pydantic-ai."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Sequence
from time import monotonic
from typing import Any

from django.conf import settings
from openai import AsyncOpenAI
from pydantic_ai import Agent as Model
from pydantic_ai import Tool as ModelTool
from pydantic_ai.exceptions import (
    AgentRunError,
    ModelAPIError,
    ModelHTTPError,
    UnexpectedModelBehavior,
    UsageLimitExceeded,
    UserError,
)
from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    PartDeltaEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    UserPromptPart,
)
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider
from pydantic_ai.usage import RunUsage, UsageLimits

from parlant_site.common.json import JSONValue
from sessions_app.engine import prompts
from sessions_app.engine.conversation import Conversation, is_flagged, text_of
from sessions_app.engine.lanes import on_lane
from sessions_app.engine.replies import NoReply, Reply
from sessions_app.engine.responders import canned
from sessions_app.engine.responders.canned import Found
from sessions_app.engine.tools import Tool, ToolContext, ToolResult, tools_for
from sessions_app.engine.turn import Turn
from sessions_app.events import CompositionMode, Kind, MessageOutputMode, Purpose, Source, Status
from sessions_app.llm_keys import key_of, without_keys
from sessions_app.models import Agent, Event

logger = logging.getLogger(__name__)

# So many canned responses are shown to the model.
SHOWN = 8
# A growing message is written this often at most.
WRITE_EVERY = 0.05
HIDDEN = "[hidden by moderation]"


async def respond(turn: Turn, agent: Agent) -> Reply:
    """Answer what the model says, after it called what tools it wanted."""
    name = agent.llm_model or settings.PARLANT_LLM_MODEL
    if not name:
        raise NoReply("No language model is named: set PARLANT_LLM_MODEL, or the agent's own")
    key = key_of(agent)
    if agent.llm_key_variable and not key:
        logger.warning("%s, which agent %s names, is not set in this process", agent.llm_key_variable, agent.pk)
        raise NoReply("The key of the language model is not set")
    shown = await on_lane(_canned_for, turn.conversation, agent)
    if agent.composition_mode == CompositionMode.STRICT_CANNED and not shown:
        return await on_lane(_nothing_fits, turn.conversation, agent)
    client = AsyncOpenAI(
        base_url=agent.llm_base_url or settings.PARLANT_LLM_BASE_URL or None,
        api_key=key or "none",
        timeout=settings.PARLANT_LLM_TIMEOUT,
        max_retries=settings.PARLANT_LLM_RETRIES,  # with growing pauses in between
    )
    try:
        async with client, asyncio.timeout(settings.PARLANT_LLM_TIMEOUT * agent.max_engine_iterations):
            run = Run(turn, agent, OpenAIChatModel(name, provider=OpenAIProvider(openai_client=client)), shown)
            return await run.reply()
    except TimeoutError:
        raise NoReply("The language model did not answer in time") from None
    except (AgentRunError, UserError) as error:
        said = without_keys(str(error))
        logger.warning("The language model %s failed on session %s: %s", name, turn.conversation.session.pk, said)
        raise NoReply(readable(error, name, agent)) from None


def readable(error: Exception, name: str, agent: Agent) -> str:
    """Answer what went wrong with the model, for people to read."""
    if isinstance(error, UsageLimitExceeded):
        return f"The agent did not come to an answer within {agent.max_engine_iterations} steps"
    if isinstance(error, ModelHTTPError):
        reasons = {
            401: "did not accept the key",
            403: "did not accept the key",
            404: f"does not know the model {name}",
            429: "is asked too much at the moment",
        }
        reason = reasons.get(error.status_code, "failed" if error.status_code >= 500 else "did not take the request")
        return f"The language model's server {reason} (status {error.status_code})"
    if isinstance(error, ModelAPIError):
        if "time" in str(error).lower():
            return "The language model did not answer in time"
        return "The language model's server cannot be reached"
    if isinstance(error, UnexpectedModelBehavior):
        return "The language model answered with something that is no answer"
    return "The language model cannot be asked: the settings are incomplete"


def _canned_for(conversation: Conversation, agent: Agent) -> list[Found]:
    if agent.composition_mode == CompositionMode.FLUID:
        return []
    canned.LIBRARY.refresh()
    texts = [guideline.action for guideline in conversation.guidelines]
    texts += [text_of(event) for event in conversation.unanswered()][-canned.MESSAGES :]
    return canned.find(conversation, agent, texts)[:SHOWN]


def _nothing_fits(conversation: Conversation, agent: Agent) -> Reply:
    canned.LIBRARY.refresh()
    candidate, text = canned.on_occasion(conversation, agent, Purpose.NO_ANSWER)
    return Reply(text, canned=[(candidate.id, text)], hand_over="No canned response fits", is_last_resort=True)


class Run:
    """One reply of a model."""

    def __init__(self, turn: Turn, agent: Agent, model: OpenAIChatModel, shown: Sequence[Found]) -> None:
        self.turn = turn
        self.agent = agent
        self.shown = list(shown)
        self.mode = CompositionMode(agent.composition_mode)
        conversation = turn.conversation
        self.model = Model(
            model,
            instructions=prompts.instructions(conversation, agent, [found.text for found in shown]),
            tools=[self._tool(one) for one in tools_for(agent, conversation)],
            retries=1,
        )
        self.name = model.model_name

    async def reply(self) -> Reply:
        """Ask the model."""
        is_stream = self.agent.message_output_mode == MessageOutputMode.STREAM
        history, prompt = transcript(self.turn.conversation)
        limits = UsageLimits(request_limit=self.agent.max_engine_iterations)
        if is_stream and self.mode is not CompositionMode.STRICT_CANNED and len(self.turn.conversation.agents) == 1:
            return await self._stream(prompt, history, limits)
        answered = await self.model.run(prompt, message_history=history, usage_limits=limits)
        return await self._worded(answered.output.strip(), answered.usage)

    async def _worded(self, text: str, usage: RunUsage) -> Reply:
        metadata = self._metadata(usage)
        if text == prompts.SILENCE:
            return Reply()
        if self.mode is not CompositionMode.STRICT_CANNED:
            if not text:
                raise NoReply("The language model answered with an empty message")
            said = [(found.candidate.id, found.text) for found in self.shown if found.text == text]
            return Reply(text, canned=said, metadata=metadata)
        number = re.search(r"\d+", text)
        place = int(number[0]) - 1 if number else -1
        if not 0 <= place < len(self.shown):
            reply = await on_lane(_nothing_fits, self.turn.conversation, self.agent)
            reply.metadata = metadata
            return reply
        found = self.shown[place]
        asked = "The customer asked for a human" if found.candidate.hands_over else ""
        return Reply(
            found.text, canned=[(found.candidate.id, found.text)], draft=text, metadata=metadata, hand_over=asked
        )

    async def _stream(self, prompt: str, history: list[ModelMessage], limits: UsageLimits) -> Reply:
        text = ""
        async with self.model.iter(prompt, message_history=history, usage_limits=limits) as run:
            async for node in run:
                if not Model.is_model_request_node(node):
                    continue
                message = Growing(self.turn, self.agent)
                async with node.stream(run.ctx) as events:
                    async for event in events:
                        await message.add(_text_in(event))
                text = await message.complete(self._metadata(run.usage)) or text
        if not text.strip():
            raise NoReply("The language model answered with an empty message")
        return Reply(text, is_written=True)

    def _metadata(self, usage: RunUsage) -> dict[str, JSONValue]:
        return {
            "model": self.name,
            "usage": {
                "requests": usage.requests,
                "input_tokens": usage.input_tokens,
                "output_tokens": usage.output_tokens,
            },
        }

    def _tool(self, one: Tool) -> ModelTool[None]:
        async def call(**arguments: Any) -> JSONValue:
            result = await one.run(self._context(), arguments)
            await self._called(one, arguments, result)
            data: JSONValue = result.data
            return data

        schema = one.parameters.model_json_schema()
        return ModelTool.from_schema(call, one.id, one.description, schema)

    async def _called(self, one: Tool, arguments: dict[str, Any], result: ToolResult) -> None:
        answered: JSONValue = {"data": result.data, "metadata": dict(result.metadata)}
        await self.turn.tools_called(self.agent, [{"tool_id": one.id, "arguments": arguments, "result": answered}])
        if result.control.get("mode") == "manual":
            self.turn.hand_over = f"The tool {one.id} handed over"

    def _context(self) -> ToolContext:
        session = self.turn.conversation.session

        async def emit_message(message: str) -> None:
            await self.turn.say(self.agent, message)

        async def emit_status(status: str, data: dict[str, JSONValue] | None = None) -> None:
            await self.turn.status(Status(status), data, self.agent)

        return ToolContext(self.agent.pk, session.pk, session.customer_ref, emit_message, emit_status)


class Growing:
    """A message event that grows while the model writes it."""

    def __init__(self, turn: Turn, agent: Agent) -> None:
        self.turn = turn
        self.agent = agent
        self.event: Event | None = None
        self.chunks: list[str] = []
        self._pending = ""
        self._written = 0.0

    async def add(self, text: str) -> None:
        """Add what the model wrote."""
        if not text:
            return
        self._pending += text
        if self.event is None:
            self.event = await self.turn.begin_message(self.agent)
        if monotonic() - self._written >= WRITE_EVERY:
            await self._write()

    async def _write(self, metadata: dict[str, JSONValue] | None = None, *, is_complete: bool = False) -> None:
        assert self.event is not None
        if self._pending:
            self.chunks.append(self._pending)
            self._pending = ""
        chunks: list[str | None] = [*self.chunks, None] if is_complete else [*self.chunks]
        data: dict[str, Any] = {"message": "".join(self.chunks), "chunks": chunks}
        await self.turn.grow_message(self.event, data=data, metadata=metadata)
        self._written = monotonic()

    async def complete(self, metadata: dict[str, JSONValue]) -> str:
        """End the message, if the model began one, and answer its text."""
        if self.event is None:
            return ""
        await self._write(metadata, is_complete=True)
        return "".join(self.chunks)


def _text_in(event: object) -> str:
    if isinstance(event, PartStartEvent) and isinstance(event.part, TextPart):
        return event.part.content
    if isinstance(event, PartDeltaEvent) and isinstance(event.delta, TextPartDelta):
        return event.delta.content_delta
    return ""


def transcript(conversation: Conversation) -> tuple[list[ModelMessage], str]:
    """Answer what was said before, as the model takes it, and what to answer now."""
    asked = {event.pk for event in conversation.unanswered()}
    before: list[ModelMessage] = []
    for event in conversation.events:
        if event.pk in asked or not (said := _said(event)):
            continue
        if event.kind == Kind.MESSAGE and Source(event.source).is_agent:
            before.append(ModelResponse(parts=[TextPart(said)]))
        else:
            before.append(ModelRequest(parts=[UserPromptPart(said)]))
    newest = "\n".join(text_of(event) for event in conversation.unanswered())
    return before, newest or "(The customer wrote nothing that could be answered. Say what you have to say.)"


def _said(event: Event) -> str:
    if event.kind == Kind.MESSAGE:
        return HIDDEN if is_flagged(event) else text_of(event)
    if event.kind == Kind.CUSTOM and event.source == Source.CUSTOMER_UI:
        return f"[state of the customer's page: {str(event.data)[:1000]}]"
    if event.kind == Kind.TOOL:
        return f"[tools answered: {str(event.data)[:2000]}]"
    return ""
