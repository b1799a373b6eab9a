"""Claiming sessions whose agent owes a reply: by compare-and-set on the row, in any number of processes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from sessions_app.models import Session
from sessions_app.replying import revoked

# After this long without a sign of life, another process takes over.
LEASE = timedelta(seconds=8)


@dataclass(frozen=True)
class Claim:
    """A session that this process may answer, as long as the token is the row's."""

    session_id: str
    token: int
    wanted: int
    done: int
    attempts: int
    open_trace: str
    # Whether the last holder of the lease was not heard of any more.
    is_abandoned: bool


def claim(owner: str, *, limit: int) -> list[Claim]:
    """Lease up to `limit` sessions that wait for a reply to the owner, those that waited longest first.

    The database's own clock decides what has expired.
    """
    free = Session.objects.filter(Q(lease_until=None) | Q(lease_until__lte=Now()), reply_due__isnull=False)
    if not free.exists():  # on SQLite the transaction below would take the write lock
        return []
    with transaction.atomic():
        rows = list(
            free.order_by("reply_due", "pk")
            .select_for_update(skip_locked=True, of=("self",))
            .only("lease_token", "lease_owner", "reply_wanted", "reply_done", "reply_attempts", "open_trace")[:limit]
        )
        Session.objects.filter(pk__in=[row.pk for row in rows]).update(
            lease_owner=owner,
            lease_until=Now() + LEASE,
            lease_token=F("lease_token") + 1,
            reply_attempts=F("reply_attempts") + 1,
        )
    return [
        Claim(
            session_id=row.pk,
            token=row.lease_token + 1,
            wanted=row.reply_wanted,
            done=row.reply_done,
            attempts=row.reply_attempts + 1,
            open_trace=row.open_trace,
            is_abandoned=bool(row.lease_owner),
        )
        for row in rows
    ]


def renew(owner: str, session_ids: Collection[str]) -> None:
    """Say that the owner is still at work."""
    Session.objects.filter(pk__in=session_ids, lease_owner=owner).update(lease_until=Now() + LEASE)


def lost(held: Mapping[str, int]) -> set[str]:
    """Answer which of the sessions bear another token than the one they are held under, or are gone."""
    found = dict(Session.objects.filter(pk__in=list(held)).order_by().values_list("pk", "lease_token"))
    return {session_id for session_id, token in held.items() if found.get(session_id) != token}


def let_go(owner: str) -> int:
    """Give back every lease of the owner, and answer how many: others may claim the sessions at once.

    Who was told to end did not fail: the attempt does not count.
    """
    held = Session.objects.filter(lease_owner=owner, reply_attempts__gt=0)
    return held.update(**revoked(), reply_attempts=F("reply_attempts") - 1)
