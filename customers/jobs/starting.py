"""Starting jobs: what the admin's buttons and the commands call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.core.exceptions import PermissionDenied
from django.core.files.base import File
from django.db import transaction

from customers.jobs.models import CannotBeUndone, DataJob
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
    source: File[bytes] | None = None,
    undo_of: DataJob | None = None,
) -> DataJob:
    """Queue a job of a kind, and answer it; the runner begins within a second.

    `by` is the user who asks, or None for the system and for whoever runs a command. PermissionDenied when the user may
    not; BadInput or another Refusal for wrong parameters.
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
    if source is not None:
        job.source.save(source.name or "source", source, save=False)
    elif selection is not None:
        job.total = selection.customers().count()
    job.save(force_insert=True)
    record(Act.STARTED, job, after={"kind": kind, "parameters": kept, "selection": job.selection})
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
        return start("undo", by=None if by is None else by, parameters={"job": job.pk, "title": str(job)}, undo_of=job)
