"""Durable work on many customers: bulk actions, import, export, erasure, undo."""
