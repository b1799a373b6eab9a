from typing import Any

from django.apps import AppConfig
from django.apps import apps as installed
from django.db.backends.signals import connection_created
from django.db.models import F
from django.db.models.signals import post_migrate, pre_delete

from customers import searching
from customers.rules.sqlite_functions import register


class CustomersConfig(AppConfig):
    """Customers and segments of them."""

    name = "customers"

    def ready(self) -> None:
        """Keep the guest, whom a migration makes, when the database is emptied; say of whom a tag goes.

        Register the kinds of data jobs, and the workers that run them, and keep segments current, where agents reply.
        """
        post_migrate.connect(_keep_guest, sender=self)
        pre_delete.connect(_look_again_at_bearers, sender="tags.Tag")
        connection_created.connect(register)
        connection_created.connect(searching.register)
        from customers.insight import personal  # noqa: F401
        from customers.jobs import bulk, undoing  # noqa: F401
        from customers.jobs.starting import on_queued
        from customers.jobs.worker import worker
        from customers.privacy import jobs, traces  # noqa: F401
        from customers.segments import jobs as segment_jobs  # noqa: F401
        from customers.segments import terms  # noqa: F401
        from customers.segments import traces as memberships  # noqa: F401
        from customers.transfer import exporting, importing  # noqa: F401
        from parlant_site.common import lifecycle

        on_queued(worker.wake)
        lifecycle.on_start(worker.start, role="agents")
        lifecycle.on_stop(worker.stop)

        from customers.segments.running import on_queued as on_run_queued
        from customers.segments.worker import worker as keeper

        on_run_queued(keeper.wake)
        lifecycle.on_start(keeper.start, role="agents")
        lifecycle.on_stop(keeper.stop)


def _keep_guest(sender: AppConfig, using: str, apps: Any = installed, **_: Any) -> None:
    # `migrate` tells of the models as they are then; `flush` tells nothing.
    try:
        customer = apps.get_model("customers", "Customer")
    except LookupError:  # migrated back to zero
        return
    if customer._meta.db_table in _tables(using):
        customer.objects.using(using).get_or_create(pk="guest", defaults={"name": "Guest"})


def _look_again_at_bearers(instance: Any, **_: Any) -> None:
    from customers.models import Changed, Customer
    from customers.segments.publishing import refuse_reserved

    Customer.objects.filter(tag_links__tag=instance).update(stale=F("stale").bitor(Changed.TAGS))
    # After the customers, as whoever tags them comes; and as no segment may come that locks it to publish it.
    type(instance).objects.select_for_update().filter(pk=instance.pk).first()
    refuse_reserved([instance.pk])


def _tables(using: str) -> list[str]:
    from django.db import connections

    return connections[using].introspection.table_names()
