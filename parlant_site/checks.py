"""System checks: what works, but perhaps not as its operator believes."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Info, Tags, register
from django.db import connection


@register(Tags.compatibility, deploy=True)
def several_processes_wake_each_other(app_configs: Sequence[AppConfig] | None, **options: Any) -> list[CheckMessage]:
    """parlant.I001: without a channel layer, events of another process are found by looking, not by being told."""
    if settings.CHANNEL_LAYERS or settings.PARLANT_POLICY != "production":
        return []
    return [
        Info(
            "No channel layer: events that another process writes are delivered within"
            f" {settings.PARLANT_POLL_INTERVAL} s instead of at once.",
            hint="With more than one server or agents process, set PARLANT_CHANNEL_LAYER_URL to a Redis server.",
            id="parlant.I001",
        )
    ]


@register(Tags.database, deploy=True)
def one_machine_per_sqlite(app_configs: Sequence[AppConfig] | None, **options: Any) -> list[CheckMessage]:
    """parlant.I002: SQLite serves one machine."""
    if connection.vendor != "sqlite" or settings.PARLANT_POLICY != "production":
        return []
    return [
        Info(
            "The database is a SQLite file: all processes must run on the machine that holds it.",
            hint="For several machines set PARLANT_DATABASE_URL to postgres://user:password@host:5432/name.",
            id="parlant.I002",
        )
    ]
