"""Jobs, and what went wrong row by row."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone

from parlant_site.common.acting import Channel
from parlant_site.common.errors import Refusal
from parlant_site.common.models import ID_LENGTH, Identified, one_of

UNDO_DAYS = 30


class State(models.TextChoices):
    """How far a job is."""

    DRAFT = "draft", "Not begun"
    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    OK = "ok", "Done"
    FAILED = "failed", "Failed"
    CANCELLED = "cancelled", "Cancelled"

    @property
    def is_final(self) -> bool:
        """Whether nothing more will happen."""
        return self in (State.OK, State.FAILED, State.CANCELLED)


class CannotBeUndone(Refusal):
    """The job cannot be undone."""


def file_path(job: DataJob, name: str) -> str:
    """Answer where a file of a job is kept, below the private file storage."""
    return f"jobs/{job.pk}/{name}"


class DataJobQuerySet(models.QuerySet["DataJob"]):
    """Sets of jobs."""

    def unfinished(self) -> DataJobQuerySet:
        """Answer those that are queued or running."""
        return self.filter(state__in=[State.QUEUED, State.RUNNING])

    def claimable(self, now: datetime) -> DataJobQuerySet:
        """Answer those that nobody works on: queued, or running under a lease that ran out."""
        return self.unfinished().filter(Q(lease_until__isnull=True) | Q(lease_until__lt=now))


class DataJob(Identified):
    """Work on many customers, done in chunks, each of which commits with the job's progress.

    `kind` names the work (customers.jobs.work); `selection` says for whom (customers.selection), `parameters` what;
    `cursor` is where the next chunk begins: a process that dies loses no chunk and repeats none. `report` is what the
    work has to say when it is done. What a job changed, row by row, is in the audit (AuditEntry.objects.of_job).
    """

    kind = models.CharField(max_length=40)
    title = models.CharField(max_length=200, blank=True)
    parameters = models.JSONField(default=dict, blank=True)
    selection = models.JSONField(null=True, blank=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.QUEUED)
    error = models.TextField(blank=True)

    total = models.PositiveBigIntegerField(null=True)
    done = models.PositiveBigIntegerField(default=0)
    changed = models.PositiveBigIntegerField(default=0)
    skipped = models.PositiveBigIntegerField(default=0)
    failed = models.PositiveBigIntegerField(default=0)
    cursor = models.JSONField(null=True, blank=True)
    report = models.JSONField(default=dict, blank=True)
    source = models.FileField(upload_to=file_path, max_length=500, blank=True)
    result = models.FileField(upload_to=file_path, max_length=500, blank=True)

    actor = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    actor_name = models.CharField(max_length=150, blank=True)
    channel = models.CharField(max_length=10, choices=Channel.choices, default=Channel.SYSTEM)
    started_utc = models.DateTimeField(null=True)
    finished_utc = models.DateTimeField(null=True)
    cancel_requested = models.BooleanField(default=False)
    lease_token = models.CharField(max_length=32, blank=True, editable=False)
    lease_until = models.DateTimeField(null=True, editable=False)
    attempts = models.PositiveIntegerField(default=0, editable=False)
    undo_of = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="undone_by")

    objects: ClassVar[DataJobQuerySet] = DataJobQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["-creation_utc", "-id"]
        default_permissions = ("view",)
        constraints = [one_of("state", State, name="data_job_state")]
        indexes = [
            models.Index(
                fields=["creation_utc"],
                name="data_job_unfinished",
                condition=models.Q(state__in=["queued", "running"]),
            ),
            models.Index(fields=["-creation_utc", "-id"], name="data_job_newest"),
        ]

    def __str__(self) -> str:
        return self.title or self.kind

    @property
    def is_final(self) -> bool:
        """Whether nothing more will happen."""
        return State(self.state).is_final

    @property
    def percent(self) -> int | None:
        """How much is done, 0 to 100; None while nobody knows."""
        if self.state == State.OK:
            return 100
        return min(99, self.done * 100 // self.total) if self.total else None

    @property
    def undo_until(self) -> datetime | None:
        """Until when the job can be undone; None while it runs."""
        return self.finished_utc and self.finished_utc + timedelta(days=UNDO_DAYS)

    def why_not_undo(self) -> str | None:
        """Answer why the job cannot be undone now; None: it can."""
        from customers.jobs.work import work_class

        if not work_class(self.kind).can_be_undone or self.parameters.get("dry_run"):
            return "A job of this kind cannot be undone"
        if not self.is_final or self.undo_until is None:
            return "The job is still running"
        if self.undo_until < timezone.now():
            return f"A job can be undone for {UNDO_DAYS} days"
        if not self.changed:
            return "The job changed nothing"
        if self.undone_by.exclude(state__in=[State.FAILED, State.CANCELLED]).exists():
            return "The job was undone already"
        return None

    def cancel(self) -> None:
        """Ask for the job to stop: at once when it waits, after the chunk at hand when it runs. What is done stays."""
        waiting = DataJob.objects.filter(pk=self.pk, state__in=[State.DRAFT, State.QUEUED])
        if not waiting.update(state=State.CANCELLED, finished_utc=timezone.now(), cancel_requested=True):
            DataJob.objects.filter(pk=self.pk, state=State.RUNNING).update(cancel_requested=True)
        self.refresh_from_db()


class JobProblem(models.Model):
    """A row that a job could not do, and why."""

    job = models.ForeignKey(DataJob, on_delete=models.CASCADE, related_name="problems")
    position = models.PositiveBigIntegerField(null=True, help_text="Number of the row in the source, from 1")
    ref = models.CharField("customer", max_length=ID_LENGTH, blank=True)
    reason = models.CharField(max_length=500)
    given = models.JSONField(null=True)

    class Meta:
        ordering = ["id"]
        default_permissions = ()
        indexes = [models.Index(fields=["ref"], name="problem_by_customer")]

    def __str__(self) -> str:
        return f"{self.position or self.ref}: {self.reason}"


def problem(job: Any, reason: str, *, ref: str = "", position: int | None = None, given: Any = None) -> JobProblem:
    """Answer a problem, not yet written."""
    return JobProblem(job=job, reason=reason[:500], ref=ref[:ID_LENGTH], position=position, given=given)
