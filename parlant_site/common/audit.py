"""The audit: who did what to what, when and through which channel, before and after. Written once, never changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, ClassVar, NoReturn

from django.conf import settings
from django.db import models
from django.utils import timezone

from parlant_site.common.acting import Acting, Channel, current
from parlant_site.common.json import JSONValue
from parlant_site.common.models import ID_LENGTH

NAME_LENGTH = 200
Values = Mapping[str, JSONValue]


class Act(models.TextChoices):
    """What was done."""

    CREATED = "created", "Created"
    CHANGED = "changed", "Changed"
    DELETED = "deleted", "Deleted"
    MERGED = "merged", "Merged"
    UNMERGED = "unmerged", "Merge undone"
    ERASED = "erased", "Erased"
    EXPORTED = "exported", "Exported"
    STARTED = "started", "Started"
    CANCELLED = "cancelled", "Cancelled"


class WrittenOnce(TypeError):
    """Entries of the audit are written once: they are not changed and not deleted."""

    def __init__(self) -> None:
        super().__init__((type(self).__doc__ or "").strip())


class AuditQuerySet(models.QuerySet["AuditEntry"]):
    """Sets of entries; the newest come first."""

    def about(self, kind: str, object_id: str) -> AuditQuerySet:
        """Answer the entries on one object; `kind` is the model's name: "customer", "tag", "agent"..."""
        return self.filter(kind=kind, object_id=object_id)

    def by(self, user_id: int | str) -> AuditQuerySet:
        """Answer what a user did."""
        return self.filter(actor_id=user_id)

    def through(self, channel: Channel | str) -> AuditQuerySet:
        """Answer what came through a channel."""
        return self.filter(channel=channel)

    def between(self, start: datetime | None = None, end: datetime | None = None) -> AuditQuerySet:
        """Answer what was done from an instant on, and before another."""
        rows = self if start is None else self.filter(at__gte=start)
        return rows if end is None else rows.filter(at__lt=end)

    def of_job(self, job_id: str) -> AuditQuerySet:
        """Answer what a data job changed, row by row."""
        return self.filter(job_id=job_id)

    def redact(self, *, object_id: str | None = None) -> int:
        """Take the personal data out of the entries, for the erasure of a person alone: that something was, stays.

        `object_id` is the pseudonym to keep them under, where the id itself may tell who she was.
        """
        renamed = {} if object_id is None else {"object_id": object_id}
        return models.QuerySet.update(self, object_name="", before=None, after=None, redacted=True, **renamed)

    def update(self, **_: Any) -> NoReturn:
        """Refuse."""
        raise WrittenOnce

    def delete(self) -> NoReturn:
        """Refuse."""
        raise WrittenOnce


class AuditEntry(models.Model):
    """A change. `before` and `after` hold only what differs; null where there was, or is, nothing.

    Shapes of the values: a field's own; `metadata` is an object of the keys that differ, null for an absent key; `tags`
    are ids, before: taken off, after: put on. A created object is all in `after`, a deleted one all in `before`.
    """

    at = models.DateTimeField(default=timezone.now, editable=False)
    act = models.CharField(max_length=20, choices=Act.choices)
    kind = models.CharField("object", max_length=40)
    object_id = models.CharField(max_length=ID_LENGTH)
    object_name = models.CharField("name", max_length=NAME_LENGTH, blank=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+", db_index=False
    )
    actor_name = models.CharField(max_length=150, blank=True)
    channel = models.CharField(max_length=10, choices=Channel.choices)
    job_id = models.CharField(max_length=ID_LENGTH, null=True)  # noqa: DJ001 - null keeps the index small
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)
    redacted = models.BooleanField(default=False, db_default=False)

    objects: ClassVar[AuditQuerySet] = AuditQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "audit entries"
        default_permissions = ("view",)
        indexes = [
            models.Index(fields=["kind", "object_id", "-id"], name="audit_by_object"),
            models.Index(fields=["-at"], name="audit_by_time"),
            models.Index(fields=["actor", "-id"], name="audit_by_actor", condition=models.Q(actor__isnull=False)),
            models.Index(fields=["job_id", "id"], name="audit_by_job", condition=models.Q(job_id__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.actor_name or self.get_channel_display()} {self.act} {self.kind} {self.object_id}"

    def save(self, *args: Any, **options: Any) -> None:
        """Insert; refuse to change."""
        if not self._state.adding:
            raise WrittenOnce
        super().save(*args, **options)

    def delete(self, *_: Any, **__: Any) -> NoReturn:
        """Refuse."""
        raise WrittenOnce


def record(act: Act, subject: models.Model, *, before: Values | None = None, after: Values | None = None) -> AuditEntry:
    """Record one change of an object in the transaction of the caller, with one statement."""
    entry = _entry(current(), act, subject, before, after)
    entry.save(force_insert=True)
    return entry


def record_many(act: Act, changes: Iterable[tuple[models.Model, Values | None, Values | None]]) -> None:
    """Record the same act on many objects (object, before, after), with a statement per thousand."""
    who = current()
    entries = [_entry(who, act, subject, before, after) for subject, before, after in changes]
    AuditEntry.objects.bulk_create(entries, batch_size=1000)


def differing(before: Values, after: Values) -> tuple[dict[str, JSONValue], dict[str, JSONValue]]:
    """Answer of two states what differs, null for a key that one of them lacks; two empty objects when nothing does."""
    keys = [key for key in {**before, **after} if (key in before, before.get(key)) != (key in after, after.get(key))]
    return {key: before.get(key) for key in keys}, {key: after.get(key) for key in keys}


def _entry(who: Acting, act: Act, subject: models.Model, before: Values | None, after: Values | None) -> AuditEntry:
    user = who.user
    return AuditEntry(
        act=act,
        kind=str(subject._meta.model_name),
        object_id=subject.pk,
        object_name=str(subject)[:NAME_LENGTH],
        actor_id=user.pk if user else None,
        actor_name=who.name,
        channel=who.channel,
        job_id=who.job_id,
        before=before,
        after=after,
    )
