"""What it means for the reply of an agent that somebody else answers from now on: a human, the agent again, another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from django.db.models import Value
from django.db.models.functions import Coalesce, Now

from sessions_app.events import Kind, Mode, Source
from sessions_app.replying import revoked, withdrawn

if TYPE_CHECKING:
    from sessions_app.models import Session


def reply_after(session: Session, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Answer what else to update on a locked session when these of its fields change; nothing: no reply is touched.

    A human who takes over ends the reply. Who hands back has a customer answered who has been waiting since her last
    message. Another agent or customer: a reply in progress is begun again.
    """
    mode = changes.get("mode", session.mode)
    if mode != session.mode:
        return withdrawn() if mode == Mode.MANUAL else _resumed(session)
    for part in ("agent", "customer"):
        if part in changes and changes[part].pk != getattr(session, f"{part}_id"):
            return revoked()
    return {}


def _resumed(session: Session) -> dict[str, Any]:
    is_waiting = session.waiting_since and session.last_message_source == Source.CUSTOMER
    if not is_waiting or session.reply_done < session.reply_wanted:
        return {}
    messages = session.events.filter(kind=Kind.MESSAGE, source=Source.CUSTOMER, deleted=False)
    offset = messages.order_by("-offset").values_list("offset", flat=True).first()
    if offset is None:
        return {}
    return {
        **revoked(),
        "reply_wanted": Value(offset),
        "reply_done": Value(offset - 1),
        "reply_attempts": Value(0),
        "reply_due": Coalesce("reply_due", Now()),
    }
