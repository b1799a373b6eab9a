"""Segments in the console: the list, a segment's pages, and the rule editor."""

from customers.admin.segments.segments import SegmentAdmin

__all__ = ["SegmentAdmin"]
