"""Merges of customers, and the ids that lead to others since."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone

from parlant_site.common.acting import Channel
from parlant_site.common.models import ID_LENGTH, Identified

UNDO_DAYS = 30


class CustomerAlias(models.Model):
    """An id of a customer who was merged into another one: whoever asks for it is answered with the survivor."""

    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    customer = models.ForeignKey("customers.Customer", on_delete=models.CASCADE, related_name="aliases")

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.id} is {self.customer_id}"


class CustomerMerge(Identified):
    """Two customers became one: what each of them was, and what became of it, for the way back.

    `gone` is {name, metadata, tags, creation_utc} of the one who went; `before` and `after` hold what the merge changed
    of the survivor, in the shapes of the audit; `moved` what each part of the system moved (customers/parts.py).
    `left` are the sentences that an undo had to say about what it did not put back. All but who, whom and when is
    emptied when the merge can no longer be undone (forgetting.py).
    """

    survivor_id = models.CharField(max_length=ID_LENGTH)
    gone_id = models.CharField(max_length=ID_LENGTH, db_index=True)
    gone = models.JSONField()
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)
    aliases = models.JSONField(default=list)
    moved = models.JSONField(default=dict)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    actor_name = models.CharField(max_length=150, blank=True)
    channel = models.CharField(max_length=10, choices=Channel.choices)
    undone_utc = models.DateTimeField(null=True)
    left = models.JSONField(default=list)

    objects: ClassVar[models.Manager[CustomerMerge]] = models.Manager()

    class Meta:
        ordering = ["-creation_utc", "-id"]
        default_permissions = ()
        indexes = [models.Index(fields=["survivor_id", "-creation_utc"], name="merge_by_survivor")]

    def __str__(self) -> str:
        return f"{self.gone_id} into {self.survivor_id}"

    @property
    def undo_until(self) -> datetime:
        """Until when the merge can be undone."""
        return self.creation_utc + timedelta(days=UNDO_DAYS)

    def why_not_undo(self) -> str | None:
        """Answer why the merge cannot be undone now; None: it can."""
        if self.undone_utc:
            return "The merge was undone already"
        if self.undo_until < timezone.now():
            return f"A merge can be undone for {UNDO_DAYS} days"
        alias = CustomerAlias.objects.filter(pk=self.gone_id).first()
        if alias is None:
            return "The customer into whom she was merged is gone"
        if alias.customer_id != self.survivor_id:
            return "The survivor was merged into another customer since: undo that merge first"
        return None
