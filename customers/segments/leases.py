"""Being the only process that does something, for a while: a row says who, and until when."""

from __future__ import annotations

from datetime import timedelta

from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from customers.segments.history import Lease as Row

# After this long without a sign of life, another process takes over.
LEASE = timedelta(seconds=8)
RENEW_EVERY = 2.0  # seconds


class LeaseLost(Exception):
    """Another process took over."""


def take(name: str) -> int | None:
    """Take a lease and answer its number; None while another process holds it."""
    free = Row.objects.filter(Q(until__isnull=True) | Q(until__lt=Now()), name=name)
    if not free.exists():  # on SQLite an update would take the write lock
        if Row.objects.filter(name=name).exists():
            return None
        Row.objects.bulk_create([Row(name=name)], ignore_conflicts=True)
    with transaction.atomic():
        row = Row.objects.select_for_update().get(name=name)
        if not free.exists():
            return None
        Row.objects.filter(name=name).update(token=F("token") + 1, until=Now() + LEASE)
        return row.token + 1


def renew(name: str, token: int) -> None:
    """Say that the holder is still at work; LeaseLost when it is the holder no more."""
    if not Row.objects.filter(name=name, token=token).update(until=Now() + LEASE):
        raise LeaseLost


def hold(name: str, token: int) -> None:
    """Keep others from taking over until the transaction ends; LeaseLost when somebody did."""
    if Row.objects.select_for_update().filter(name=name, token=token).first() is None:
        raise LeaseLost


def give_back(name: str, token: int) -> None:
    """Let others take over at once."""
    Row.objects.filter(name=name, token=token).update(until=None)
