"""REST: agents, sessions, events."""
