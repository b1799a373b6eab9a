"""Agents and conversations in the console."""

from sessions_app.admin.agents import AgentAdmin
from sessions_app.admin.canned_responses import CannedResponseAdmin
from sessions_app.admin.panels import recent_sessions
from sessions_app.admin.sessions import SessionAdmin
from sessions_app.admin.timeline import conversations, messages

__all__ = ["AgentAdmin", "CannedResponseAdmin", "SessionAdmin", "conversations", "messages", "recent_sessions"]
