"""What agents are told to say in a session, now or later, and which agents answer in it beside its own."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from parlant_site.common.ids import new_id
from parlant_site.common.models import ID_LENGTH, Identified


class FollowUp(Identified):
    """Something that the agent of a session was told to say at some time.

    `guidelines` is a list of {action, rationale}. When it is due, the runner appends the `acknowledged` status with
    which the agent begins, under `trace_id`, and notes when that was in `asked_utc`; from then on it is a reply.
    """

    session = models.ForeignKey("sessions_app.Session", on_delete=models.CASCADE, related_name="follow_ups")
    trace_id = models.CharField(max_length=ID_LENGTH, default=new_id, unique=True, editable=False)
    guidelines = models.JSONField(default=list, blank=True)
    due_utc = models.DateTimeField("due")
    only_if_silent = models.BooleanField(
        default=False, help_text="Dropped when the customer writes before it is due: it is about a silence"
    )
    asked_utc = models.DateTimeField("said", null=True, editable=False)

    objects: ClassVar[models.Manager[FollowUp]] = models.Manager()

    class Meta:
        ordering = ["due_utc", "id"]
        indexes = [
            models.Index(fields=["due_utc"], name="follow_up_due", condition=models.Q(asked_utc__isnull=True)),
        ]

    def __str__(self) -> str:
        return f"follow-up at {self.due_utc:%Y-%m-%d %H:%M}"


class SessionParticipant(models.Model):
    """A further agent answers in a session."""

    session = models.ForeignKey("sessions_app.Session", on_delete=models.CASCADE, related_name="participant_rows")
    agent = models.ForeignKey("sessions_app.Agent", on_delete=models.CASCADE, related_name="participations")

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["session", "agent"], name="one_row_per_session_and_agent")]

    def __str__(self) -> str:
        return f"{self.agent_id} answers in {self.session_id}"
