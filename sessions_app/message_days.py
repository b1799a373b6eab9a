"""How many messages were written on each of the last days, as the home page shows it; counted by counting_days.py."""

from __future__ import annotations

from datetime import date, timedelta
from typing import ClassVar

from django.db import models
from django.utils import timezone

DAYS = 14


class MessageDay(models.Model):
    """How many messages a day had, in the time zone of the settings, and as of when."""

    day = models.DateField(primary_key=True)
    messages = models.PositiveBigIntegerField()
    counted_utc = models.DateTimeField()

    objects: ClassVar[models.Manager[MessageDay]] = models.Manager()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.day}: {self.messages}"


def last_days() -> list[date]:
    """Answer the days that are counted, today last."""
    today = timezone.localdate()
    return [today - timedelta(days=number) for number in reversed(range(DAYS))]
