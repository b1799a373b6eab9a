"""What agents are told to say in a session, now or later, and which agents answer in it beside its own."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models.functions import Now

from parlant_site.common.errors import Refusal
from parlant_site.common.ids import new_id
from parlant_site.common.models import ID_LENGTH, Identified
from sessions_app.events import Dropped, FollowUpState


class FollowUpWasSaid(Refusal):
    """It cannot be cancelled: the agent was already told to say it."""


class FollowUpQuerySet(models.QuerySet["FollowUp"]):
    """Sets of follow-ups."""

    def listed(self) -> FollowUpQuerySet:
        """Answer those for a later time."""
        return self.filter(is_scheduled=True)

    def pending(self) -> FollowUpQuerySet:
        """Answer those that were neither said nor dropped."""
        return self.filter(asked_utc=None, dropped="")

    def due(self) -> FollowUpQuerySet:
        """Answer those whose time has come, by the database's clock."""
        return self.pending().filter(due_utc__lte=Now())


class FollowUp(Identified):
    """Something that the agent of a session was told to say at some time; also at once, and then it is not listed.

    `guidelines` is a list of {action, rationale}. When it is due, the runner appends the `acknowledged` status with
    which the agent begins, under `trace_id`, and notes when that was in `asked_utc`; from then on it is a reply. In
    manual mode a human speaks, and it is dropped.
    """

    session = models.ForeignKey("sessions_app.Session", on_delete=models.CASCADE, related_name="follow_ups")
    trace_id = models.CharField(max_length=ID_LENGTH, default=new_id, unique=True, editable=False)
    guidelines = models.JSONField(default=list, blank=True)
    due_utc = models.DateTimeField("due")
    is_scheduled = models.BooleanField(default=True, editable=False)
    only_if_silent = models.BooleanField(
        default=False, help_text="Dropped when the customer writes before it is due: it is about a silence"
    )
    # The offset of the session's next event when it was scheduled: what the customer writes from there on breaks the
    # silence, whatever the clocks of the processes say.
    since_offset = models.BigIntegerField(default=0, editable=False)
    asked_utc = models.DateTimeField("said", null=True, editable=False)
    dropped = models.CharField(max_length=20, choices=Dropped.choices, blank=True, default="", editable=False)

    objects: ClassVar[FollowUpQuerySet] = FollowUpQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["due_utc", "id"]
        constraints = [
            models.CheckConstraint(condition=models.Q(dropped__in=["", *Dropped.values]), name="follow_up_dropped")
        ]
        indexes = [
            models.Index(
                fields=["due_utc"],
                name="follow_up_pending",
                condition=models.Q(asked_utc__isnull=True, dropped=""),
            ),
            models.Index(fields=["session", "creation_utc", "id"], name="follow_up_by_session"),
        ]

    def __str__(self) -> str:
        return f"follow-up at {self.due_utc:%Y-%m-%d %H:%M}"

    @property
    def state(self) -> FollowUpState:
        """Whether it is still to be said."""
        if self.dropped:
            return FollowUpState.DROPPED
        return FollowUpState.SAID if self.asked_utc else FollowUpState.SCHEDULED

    @property
    def dropped_because(self) -> str | None:
        """Why it was not said; None unless it was dropped."""
        return self.dropped or None

    def cancel(self) -> None:
        """Delete it, so that it is never said; FollowUpWasSaid when the agent was told already."""
        # One statement: a runner that has it in hand goes first or finds it gone.
        pending_or_dropped = FollowUp.objects.filter(pk=self.pk, asked_utc=None)
        if not pending_or_dropped.delete()[0] and FollowUp.objects.filter(pk=self.pk).exists():
            raise FollowUpWasSaid

    def drop(self, reason: Dropped) -> None:
        """Note that it will not be said, and why."""
        self.dropped = reason
        self.save(update_fields=["dropped"])


class SessionParticipant(models.Model):
    """A further agent answers in a session."""

    session = models.ForeignKey("sessions_app.Session", on_delete=models.CASCADE, related_name="participant_rows")
    agent = models.ForeignKey("sessions_app.Agent", on_delete=models.CASCADE, related_name="participations")

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["session", "agent"], name="one_row_per_session_and_agent")]

    def __str__(self) -> str:
        return f"{self.agent_id} answers in {self.session_id}"
