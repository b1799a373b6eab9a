"""`import parlant_site.sdk as p`: what applications write agents with."""

from sessions_app.engine.tools import ToolContext, ToolContextAccessor, ToolResult, tool

__all__ = ["ToolContext", "ToolContextAccessor", "ToolResult", "tool"]
