"""Merging of two customers who are one, and undoing it."""
