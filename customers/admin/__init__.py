"""Customers, their metadata keys, segments, data jobs and erasures in the console."""

from customers.admin import segment_forms  # noqa: F401 - registers its actions
from customers.admin.customers import CustomerAdmin
from customers.admin.erasures import ErasureAdmin
from customers.admin.jobs import DataJobAdmin
from customers.admin.keys import MetadataKeyAdmin
from customers.admin.segments import SegmentAdmin

__all__ = ["CustomerAdmin", "DataJobAdmin", "ErasureAdmin", "MetadataKeyAdmin", "SegmentAdmin"]
