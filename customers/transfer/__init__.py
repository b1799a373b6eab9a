"""Customers out to files and in from files: CSV and JSON lines."""
