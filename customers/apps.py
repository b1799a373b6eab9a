from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class CustomersConfig(AppConfig):
    """Customers and segments of them."""

    name = "customers"

    def ready(self) -> None:
        """Keep the guest: a migration makes it, and emptying the database (`manage.py flush`) brings it back."""
        post_migrate.connect(_keep_guest, sender=self)


def _keep_guest(sender: AppConfig, using: str, apps: Any, **_: Any) -> None:
    try:
        customer = apps.get_model("customers", "Customer")
    except LookupError:  # migrated back to zero
        return
    if customer._meta.db_table in _tables(using):
        customer.objects.using(using).get_or_create(pk="guest", defaults={"name": "Guest"})


def _tables(using: str) -> list[str]:
    from django.db import connections

    return connections[using].introspection.table_names()
