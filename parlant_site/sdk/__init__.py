"""`import parlant_site.sdk as p`: what applications write agents with."""

from parlant_site.common.errors import NotFound
from sessions_app.engine.tool_server import Server
from sessions_app.engine.tools import ToolContext, ToolContextAccessor, ToolResult, tool

__all__ = ["NotFound", "ToolContext", "ToolContextAccessor", "ToolResult", "schedule_follow_up", "tool"]

# For applications (tools reach it by their context): `await p.schedule_follow_up(session_id, "Ask for news", delay=60)`
schedule_follow_up = Server().schedule_follow_up
