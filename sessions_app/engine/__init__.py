"""Agents that reply: sessions are claimed (leases), replied to (turn, responders), in some processes (runner)."""
