"""Sessions that a merge of customers moved, to find them when it is undone."""

from __future__ import annotations

from typing import ClassVar

from django.db import models


class MovedSession(models.Model):
    """A session became the survivor's in a merge."""

    merge = models.ForeignKey("customers.CustomerMerge", on_delete=models.CASCADE, related_name="moved_sessions")
    session = models.ForeignKey("sessions_app.Session", on_delete=models.CASCADE, related_name="+")

    objects: ClassVar[models.Manager[MovedSession]] = models.Manager()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.session_id} by {self.merge_id}"
