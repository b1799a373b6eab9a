"""Starting jobs: what the admin's buttons and the commands call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.core.exceptions import PermissionDenied
from django.db import transaction

from customers.jobs.models import CannotBeUndone, DataJob, State
from customers.jobs.work import work_class
from customers.selection import Selection
from parlant_site.common.acting import current
from parlant_site.common.audit import Act, record

_wakers: list[Callable[[], None]] = []


def on_queued(waker: Callable[[], None]) -> None:
    """Have a function called after a commit that queued a job."""
    _wakers.append(waker)


def may_start(user: Any, kind: str) -> bool:
    """Answer whether a user may start, cancel and undo jobs of a kind."""
    return bool(user.has_perm(work_class(kind).permission))


@transaction.atomic
def start(
    kind: str,
    *,
    by: Any,
    selection: Selection | None = None,
    parameters: Mapping[str, Any] | None = None,
    source: str = "",
    undo_of: DataJob | None = None,
) -> DataJob:
    """Queue a job of a kind, and answer it; the runner begins within a second.

    `by` is the user who asks, or None for the system and for whoever runs a command; `source` the name of a file in the
    file storage. PermissionDenied when the user may not; BadInput or another Refusal for wrong parameters.
    """
    work = work_class(kind)
    if by is not None and not may_start(by, kind):
        raise PermissionDenied
    kept = work.checked(parameters or {})
    who = current()
    job = DataJob(
        kind=kind,
        title=work.describe(kept)[:200],
        parameters=kept,
        selection=selection.to_json() if selection else None,
        actor=by or who.user,
        actor_name=by.get_username() if by is not None else who.name,
        channel=who.channel,
        undo_of=undo_of,
    )
    if source:
        job.source.name = source
    elif selection is not None:
        job.total = work(job).count()
    job.save(force_insert=True)
    return _queued(job)


def draft(kind: str, *, by: Any, title: str, parameters: Mapping[str, Any], source: str) -> DataJob:
    """Keep a job that lacks some of its parameters yet; nobody runs it. PermissionDenied when the user may not."""
    if not may_start(by, kind):
        raise PermissionDenied
    job = DataJob(
        kind=kind, title=title[:200], parameters=dict(parameters), state=State.DRAFT, channel=current().channel
    )
    job.actor, job.actor_name, job.source.name = by, by.get_username(), source
    job.save(force_insert=True)
    return job


@transaction.atomic
def submit(job: DataJob, *, by: Any, parameters: Mapping[str, Any]) -> DataJob:
    """Queue a draft with all of its parameters; refuses as `start` does. A job that is no draft is not touched."""
    if not may_start(by, job.kind):
        raise PermissionDenied
    work = work_class(job.kind)
    job = DataJob.objects.select_for_update().get(pk=job.pk)
    if job.state != State.DRAFT:
        return job
    job.parameters = work.checked(parameters)
    job.title, job.state = work.describe(job.parameters)[:200], State.QUEUED
    job.save(update_fields=["parameters", "title", "state"])
    return _queued(job)


def _queued(job: DataJob) -> DataJob:
    record(Act.STARTED, job, after={"kind": job.kind, "parameters": job.parameters, "selection": job.selection})
    for waker in _wakers:
        transaction.on_commit(waker)
    return job


def cancel(job: DataJob, *, by: Any) -> DataJob:
    """Ask a job to stop. PermissionDenied when the user may not."""
    if by is not None and not may_start(by, job.kind):
        raise PermissionDenied
    if not job.is_final:
        with transaction.atomic():
            job.cancel()
            record(Act.CANCELLED, job)
    return job


def undo(job: DataJob, *, by: Any) -> DataJob:
    """Queue the undoing of a job, and answer the job that undoes; rows that changed since are left, and reported.

    CannotBeUndone says why not. PermissionDenied when the user may not.
    """
    if by is not None and not may_start(by, job.kind):
        raise PermissionDenied
    with transaction.atomic():
        # Two who press the button at once: the second sees the first one's job.
        locked = DataJob.objects.select_for_update().get(pk=job.pk)
        if reason := locked.why_not_undo():
            raise CannotBeUndone(reason)
        kind = work_class(job.kind).undo_kind
        return start(kind, by=by, parameters={"job": job.pk, "title": str(job)}, undo_of=job)
