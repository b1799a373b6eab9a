"""Customers and data jobs in the console."""

from customers.admin.customers import CustomerAdmin
from customers.admin.jobs import DataJobAdmin

__all__ = ["CustomerAdmin", "DataJobAdmin"]
