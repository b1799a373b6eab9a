"""What a merge keeps for its undoing is forgotten when that is no longer possible."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q

from customers.merging.models import UNDO_DAYS, CustomerMerge
from customers.parts import parts

AT_ONCE = 500


@transaction.atomic
def forget_old_merges(now: datetime) -> int:
    """Forget what the two were before; who was merged into whom, by whom and when, stays. Answer how many merges."""
    over = CustomerMerge.objects.filter(
        Q(undone_utc__isnull=False) | Q(creation_utc__lt=now - timedelta(days=UNDO_DAYS))
    )
    keys = list(over.exclude(gone={}).order_by("pk").values_list("pk", flat=True)[:AT_ONCE])
    for each in parts():
        each.forget_merges(keys)
    CustomerMerge.objects.filter(pk__in=keys).update(gone={}, before={}, after={}, aliases=[], moved={})
    return len(keys)
