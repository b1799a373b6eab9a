"""What a session's row says about the reply of its agent, and how the statements that append events change that.

Whether a session needs a reply follows from these columns alone, never from a queue in memory: a process may die at any
point. `reply_due` is set when there is something to do, and cleared by the statement that appends the last event of the
reply. Whoever works on it holds a lease (`lease_owner` until `lease_until`) under the number `lease_token`, and every
event of a reply is appended on the condition that the token is still the holder's. So taking the token away - a newer
message, a human who takes over, another agent - ends a reply at that very moment, whatever its writer is doing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from django.db import models
from django.db.models import F

from parlant_site.common.errors import Refusal
from parlant_site.common.models import ID_LENGTH

# An SQL fragment `column = expression` of our own making, and its parameters. NOW stands for the event's instant.
Assignment: TypeAlias = tuple[str, list[Any]]
NOW = object()


class LeaseLost(Refusal):
    """The reply has lost its ground: something newer came, or somebody else answers."""


class Replying(models.Model):
    """The columns. Written by the statements that append events and by sessions_app/engine alone."""

    # Since when there is something to do for the agent; null: nothing.
    reply_due = models.DateTimeField(null=True, editable=False)
    # The offset of the newest event that asks for a reply, and of the newest that was answered or withdrawn.
    reply_wanted = models.BigIntegerField(default=-1, db_default=-1, editable=False)
    reply_done = models.BigIntegerField(default=-1, db_default=-1, editable=False)
    # How often the reply to the newest was begun.
    reply_attempts = models.PositiveSmallIntegerField(default=0, db_default=0, editable=False)
    # The trace on which the agent said that it is at work, and not yet that it is ready.
    open_trace = models.CharField(max_length=ID_LENGTH, default="", db_default="", editable=False)
    lease_owner = models.CharField(max_length=ID_LENGTH, default="", db_default="", editable=False)
    lease_until = models.DateTimeField(null=True, editable=False)
    lease_token = models.BigIntegerField(default=0, db_default=0, editable=False)

    class Meta:
        abstract = True


@dataclass(frozen=True)
class Effect:
    """What appending an event does beside, in the same statement.

    `token`: only if the session's lease bears this number; LeaseLost otherwise.
    """

    session: tuple[Assignment, ...] = ()
    customer: tuple[Assignment, ...] = ()
    token: int | None = None
    # Whether the agents' runner has to be told after the commit.
    rings: bool = False

    def with_token(self, token: int) -> Effect:
        """Answer the same, done only while the lease bears this number."""
        return Effect(self.session, self.customer, token, self.rings)


# Who held the lease holds it no longer, and anybody may claim the session at once: no owner, another token.
_ASKING: list[tuple[str, str, list[Any]]] = [
    ("reply_wanted", "next_offset", []),
    ("reply_attempts", "0", []),
    ("reply_due", "COALESCE(reply_due, %s)", [NOW]),
    ("lease_token", "lease_token + 1", []),
    ("lease_owner", "''", []),
    ("lease_until", "NULL", []),
]

NO_EFFECT = Effect()
# The event asks for a reply; who was writing one loses the lease. In manual mode a customer's message asks for none.
ASKS = Effect(tuple((f"{column} = {value}", given) for column, value, given in _ASKING), rings=True)
ASKS_IN_AUTO = Effect(
    tuple(
        (f"{column} = CASE WHEN mode = 'auto' THEN {value} ELSE {column} END", given)
        for column, value, given in _ASKING
    ),
    rings=True,
)
# The message answers what was wanted: whoever comes next does not answer it again.
ANSWERS = Effect((("reply_done = reply_wanted", []),))
# The agent hands the conversation over to a human, who is waited for from now on.
HANDS_OVER = Effect(
    session=(("mode = 'manual'", []), ("waiting_since = %s", [NOW]), *ANSWERS.session),
    customer=(("manual_session_count = manual_session_count + 1", []),),
)
CLOSES = Effect((("open_trace = ''", []),))
# The last event of a reply: nothing is left to do.
ENDS = Effect(
    (
        ("open_trace = ''", []),
        ("reply_done = reply_wanted", []),
        ("reply_due = NULL", []),
        ("lease_owner = ''", []),
        ("lease_until = NULL", []),
    )
)


def resumes(offset: int) -> Effect:
    """Answer the effect of the last event of a reply that overtook the one to an offset: that one is due again."""
    columns: tuple[Assignment, ...] = (
        ("reply_wanted = %s", [offset]),
        ("reply_done = %s", [offset - 1]),
        ("reply_attempts = 0", []),
        ("open_trace = ''", []),
        ("lease_token = lease_token + 1", []),
        ("lease_owner = ''", []),
        ("lease_until = NULL", []),
    )
    return Effect(columns, rings=True)


def opens(trace_id: str) -> Effect:
    """Answer the effect of the event with which the agent begins to work on a trace."""
    return Effect((("open_trace = %s", [trace_id]),))


def revoked() -> dict[str, Any]:
    """Answer the fields of an update that ends the reply in progress; another one begins in its place."""
    return {"lease_token": F("lease_token") + 1, "lease_owner": "", "lease_until": None}


def withdrawn() -> dict[str, Any]:
    """Answer the fields of an update that ends the reply in progress and all that was asked for.

    A session with an open trace stays due: the runner says on it that the reply was cancelled.
    """
    still_open = ~models.Q(open_trace="")
    return {
        **revoked(),
        "reply_done": F("reply_wanted"),
        "reply_due": models.Case(models.When(still_open, then=F("reply_due")), default=None),
    }
