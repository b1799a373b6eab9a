"""What a tool may ask of the site, and have it do."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from customers.models import Customer
from sessions_app import actions
from sessions_app.engine.lanes import on_lane
from sessions_app.events import Rationale
from sessions_app.models import Agent, FollowUp, Session


class Server:
    """The site, to those who write tools and applications: its methods are awaited, from any event loop."""

    async def find_customer(self, *, id: str | None = None, name: str | None = None) -> Customer | None:
        """Answer the customer with an id, or the first with a name; None when there is none."""
        return await on_lane(_first(Customer, id, name))

    async def find_agent(self, *, id: str | None = None, name: str | None = None) -> Agent | None:
        """Answer the agent with an id, or the first with a name; None when there is none."""
        return await on_lane(_first(Agent, id, name))

    async def find_session(self, *, id: str) -> Session | None:
        """Answer the session with an id; None when there is none."""
        return await on_lane(_first(Session, id, None))

    async def schedule_follow_up(
        self,
        session_id: str,
        *guidelines: str,
        delay: timedelta | float | None = None,
        due: datetime | None = None,
        rationale: Rationale | str = Rationale.FOLLOW_UP,
        only_if_silent: bool = False,
    ) -> FollowUp:
        """Have the agent of a session say something later: after a delay (or seconds), or at an instant with a zone.

        `guidelines` tell what to say; without any, it says what it finds fitting. It is said once, and not at all when
        a human answers by then; with `only_if_silent` not when the customer writes before. NotFound for an unknown
        session.
        """
        if (delay is None) == (due is None):
            raise ValueError("Say when it is due: by `delay` or by `due`, one of both")
        if due is not None and due.tzinfo is None:
            raise ValueError("`due` needs a time zone")
        if delay is not None:
            due = timezone.now() + (delay if isinstance(delay, timedelta) else timedelta(seconds=delay))
        told = [{"action": action, "rationale": Rationale(rationale).value} for action in guidelines]
        return await on_lane(_schedule, session_id, due, told, only_if_silent)

    async def cancel_follow_up(self, id: str) -> None:
        """Have it never said; NotFound for an unknown one, FollowUpWasSaid when the agent was told already."""
        await on_lane(_cancel, id)


def _first(model: Any, id: str | None, name: str | None) -> Callable[[], Any]:
    wanted = {key: value for key, value in {"pk": id, "name": name}.items() if value is not None}
    if not wanted:
        raise ValueError("Say which: id or name")
    return lambda: model.objects.filter(**wanted).first()


def _schedule(session_id: str, due: Any, guidelines: Sequence[dict[str, str]], only_if_silent: bool) -> FollowUp:
    session = Session.found_in(Session.objects.all(), session_id)
    return actions.schedule_follow_up(session, due=due, guidelines=guidelines, only_if_silent=only_if_silent)


def _cancel(id: str) -> None:
    FollowUp.found_in(FollowUp.objects.all(), id).cancel()
