"""Tools: functions of yours that agents may call while they reply.

A function becomes a tool by `@tool`. Its first parameter is the ToolContext; the others, typed, are what a model fills
in, checked before the call. Modules named `parlant_tools` of installed apps are imported when agents start.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, get_type_hints, overload

from django.db import close_old_connections
from django.utils.module_loading import autodiscover_modules
from pydantic import BaseModel, ConfigDict, ValidationError, create_model
from pydantic_core import to_jsonable_python

from parlant_site.common.json import JSONValue, UnusableJSON, check
from sessions_app.engine.conversation import Conversation
from sessions_app.engine.tool_server import Server
from sessions_app.models import Agent

logger = logging.getLogger(__name__)

# A tool that takes longer is given up; the turn goes on.
LONGEST_SECONDS = 30.0

Emit = Callable[..., Awaitable[None]]


@dataclass(frozen=True)
class ToolContext:
    """Where a tool is called."""

    agent_id: str
    session_id: str
    customer_id: str
    # `await context.emit_message("One moment")` says something before the reply.
    emit_message: Emit
    # `await context.emit_status("processing", {"stage": "Looking it up"})`
    emit_status: Emit


@dataclass
class ToolResult:
    """What a tool answers. `control={"mode": "manual"}` hands the conversation over to a human."""

    data: Any
    metadata: Mapping[str, Any] = field(default_factory=dict)
    control: Mapping[str, Any] = field(default_factory=dict)
    # Further texts the agent may use, and values that templates of canned responses may name.
    canned_responses: Sequence[str] = ()
    canned_response_fields: Mapping[str, Any] = field(default_factory=dict)


class ToolContextAccessor:
    """Reaches from a tool's context to the site."""

    def __init__(self, context: ToolContext) -> None:
        self.context = context

    @property
    def server(self) -> Server:
        """What a tool may ask the site."""
        return Server()


@dataclass(frozen=True)
class Tool:
    """A function that agents may call. Calling it calls the function."""

    function: Callable[..., Any]
    id: str
    description: str
    parameters: type[BaseModel]
    # Names or ids of the agents that may call it, names of the tags of customers for whom; empty: all.
    agents: frozenset[str] = frozenset()
    customer_tags: frozenset[str] = frozenset()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Call the function as it was written."""
        return self.function(*args, **kwargs)

    def may_be_called(self, agent: Agent, conversation: Conversation) -> bool:
        """Whether an agent may call it in a conversation."""
        is_bound = not self.agents or not self.agents.isdisjoint((agent.pk, agent.name))
        return is_bound and (not self.customer_tags or not self.customer_tags.isdisjoint(conversation.tags.values()))

    async def run(self, context: ToolContext, arguments: Mapping[str, Any]) -> ToolResult:
        """Call it with arguments of a model; what goes wrong becomes a result with an error."""
        try:
            checked = self.parameters.model_validate(dict(arguments))
        except ValidationError as error:
            problems = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
            return ToolResult({"error": f"The arguments are wrong. {problems}"})
        given = {name: getattr(checked, name) for name in self.parameters.model_fields}
        try:
            async with asyncio.timeout(LONGEST_SECONDS):
                if inspect.iscoroutinefunction(self.function):
                    answered = await self.function(context, **given)
                else:
                    answered = await asyncio.to_thread(_tidily, self.function, context, **given)
            result = answered if isinstance(answered, ToolResult) else ToolResult(answered)
            result.data = usable(result.data)
            result.metadata = dict(usable(dict(result.metadata)))
        except TimeoutError:
            return ToolResult({"error": f"{self.id} did not answer within {LONGEST_SECONDS:g} seconds"})
        except Exception as error:
            logger.exception("The tool %s failed", self.id)
            return ToolResult({"error": f"{self.id} failed: {type(error).__name__}"})
        return result


def usable(value: Any) -> Any:
    """Answer a value as JSON; an exception when it cannot be kept."""
    plain: JSONValue = to_jsonable_python(value)
    try:
        check(plain)
    except UnusableJSON as error:
        raise ValueError(f"The result is not JSON that can be kept: {error}") from None
    return plain


def _tidily(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    close_old_connections()
    try:
        return function(*args, **kwargs)
    finally:
        close_old_connections()


_tools: dict[str, Tool] = {}


@overload
def tool(function: Callable[..., Any], /) -> Tool: ...
@overload
def tool(
    *, id: str | None = None, agents: Collection[str] = (), customer_tags: Collection[str] = ()
) -> Callable[[Callable[..., Any]], Tool]: ...
def tool(
    function: Callable[..., Any] | None = None,
    /,
    *,
    id: str | None = None,
    agents: Collection[str] = (),
    customer_tags: Collection[str] = (),
) -> Tool | Callable[[Callable[..., Any]], Tool]:
    """Make a function a tool, under its own name unless `id` says another.

    `agents` (names or ids) and `customer_tags` (names) restrict who may call it, and for whom.
    """

    def make(wrapped: Callable[..., Any]) -> Tool:
        made = Tool(
            wrapped,
            id or wrapped.__name__,
            inspect.getdoc(wrapped) or "",
            _parameters_of(wrapped),
            frozenset(agents),
            frozenset(customer_tags),
        )
        _tools[made.id] = made
        return made

    return make if function is None else make(function)


def _parameters_of(function: Callable[..., Any]) -> type[BaseModel]:
    hints = get_type_hints(function, include_extras=True)
    fields: dict[str, Any] = {}
    for name, parameter in list(inspect.signature(function).parameters.items())[1:]:
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise TypeError(f"The tool {function.__name__} has to name each of its parameters, not *{name}")
        default = ... if parameter.default is parameter.empty else parameter.default
        fields[name] = (hints.get(name, Any), default)
    return create_model(f"{function.__name__}_arguments", __config__=ConfigDict(extra="forbid"), **fields)


def discover() -> None:
    """Import the tools of all installed apps."""
    autodiscover_modules("parlant_tools")


def tools_for(agent: Agent, conversation: Conversation) -> list[Tool]:
    """Answer the tools that an agent may call in a conversation."""
    return [one for one in _tools.values() if one.may_be_called(agent, conversation)]
