"""What the commands that import and export share: for whom they act, and following a job on the terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.core.management.base import CommandError, CommandParser
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from customers.jobs.models import DataJob, State
from customers.jobs.running import claim, run
from parlant_site.common.acting import Channel, acting
from parlant_site.common.errors import Refusal

LOOK_EVERY = 0.5  # seconds, at a job that another process runs


def add_user_argument(parser: CommandParser) -> None:
    """Declare --user."""
    parser.add_argument("--user", help="act as this user of the site, with her permissions only")


@contextmanager
def acting_as(username: str | None, permission: str = "") -> Iterator[Any]:
    """Answer the user for whom to act, or None for whoever has the machine; refusals end the command.

    So does a user who lacks the permission, where one is named.
    """
    user = None
    if username is not None:
        user = get_user_model()._default_manager.filter(username=username, is_active=True).first()
        if user is None:
            raise CommandError(f"There is no active user {username!r}.")
    try:
        if user is None:
            yield None
        else:
            if permission and not user.has_perm(permission):
                raise PermissionDenied
            with acting(channel=Channel.COMMAND, user=user):
                yield user
    except PermissionDenied:
        raise CommandError(f"The user {username!r} may not do this.") from None
    except Refusal as refusal:
        raise CommandError(refusal.detail) from None


def follow(job: DataJob, *, quiet: bool) -> DataJob:
    """Run a job here, or watch it while another process does, with a progress bar on standard error, to its end.

    Ctrl+C leaves the job to other processes, or to the next time that the command is run.
    """
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), disable=quiet) as bar:
        task = bar.add_task(job.title, total=job.total, completed=job.done)

        def show(running: DataJob) -> None:
            bar.update(task, total=running.total, completed=running.done)

        while not State(job.state).is_final:
            claimed = claim(job.pk)
            if claimed:
                job = run(claimed, progress=show)
            else:
                time.sleep(LOOK_EVERY)
                job.refresh_from_db()
                show(job)
    if job.state != State.OK:
        raise CommandError(job.error or f"The job {job.pk} was {job.get_state_display().lower()}.")
    return job


def going_on(job: DataJob) -> None:
    """Say that a job that was begun before goes on."""
    print(f"Going on with {job.title}, which was begun before: {job.done:,} rows are done.", file=sys.stderr)
