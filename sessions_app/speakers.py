"""Who said a message on the customer's side: asked through an index, when somebody is erased."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.db.models.expressions import RawSQL
from django.utils.deconstruct import deconstructible

FROM_CUSTOMERS = "kind = 'message' AND source IN ('customer', 'customer_ui')"


@deconstructible(path="sessions_app.speakers.Speaker")
class Speaker(models.Func):
    """The id of a message's participant. Written out, not bound: a database takes an index of what it reads alike."""

    template = "(%(expressions)s #>> '{participant,id}')"
    output_field = models.TextField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """Ask SQLite's function."""
        return self.as_sql(
            compiler, connection, template="json_extract(%(expressions)s, '$.participant.id')", **context
        )


def from_customers() -> RawSQL:
    """Answer the condition of the index, to be written into a query: of a function Django would ask whether it is true,
    and SQLite would not know the condition again."""
    return RawSQL(FROM_CUSTOMERS, (), output_field=models.BooleanField())
