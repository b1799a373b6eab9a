"""Customers in the console."""

from customers.admin.customers import CustomerAdmin

__all__ = ["CustomerAdmin"]
