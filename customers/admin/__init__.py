"""Customers, data jobs and erasures in the console."""

from customers.admin.customers import CustomerAdmin
from customers.admin.erasures import ErasureAdmin
from customers.admin.jobs import DataJobAdmin

__all__ = ["CustomerAdmin", "DataJobAdmin", "ErasureAdmin"]
