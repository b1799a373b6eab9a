"""Subcommands that count members again."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from customers.segments import running
from customers.segments.commands.asking import named
from customers.segments.commands.output import Output, WrongCommandLine
from customers.segments.editing import refresh
from customers.segments.history import Cause, RunState, SegmentRun
from customers.segments.models import Segment
from customers.segments.serializers import RunBody

WAIT = 0.2
DRIFT = 3
FAILED = 1


def refresh_(out: Output, **options: Any) -> int:
    """Count segments again, from the first customer to the last."""
    return _count(out, Cause.REFRESH, **options)


def reconcile(out: Output, **options: Any) -> int:
    """Count segments again as every night, and print what was wrong (the drift, which should be 0) and is repaired.

    Exit code 3 when anything was.
    """
    return _count(out, Cause.RECONCILE, **options)


def _count(out: Output, cause: Cause, *, segments: Sequence[str], all: bool, verbosity: int, **_: Any) -> int:
    if bool(segments) is all:
        raise WrongCommandLine("Name segments, or say --all")
    chosen = list(Segment.objects.order_by("name")) if all else [named(text) for text in segments]
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    runs = []
    with Progress(*columns, console=Console(stderr=True), disable=verbosity == 0) as progress:
        for segment in chosen:
            run = refresh(segment, cause)
            task = progress.add_task(segment.name, total=100)
            run = _finish(run, lambda percent, task=task: progress.update(task, completed=percent))
            runs.append((segment, run))
    data = [{"segment": segment.pk, "name": segment.name, **RunBody(run).data} for segment, run in runs]
    rows = []
    for segment, run in runs:
        segment.refresh_from_db(fields=["size"])
        rows.append([segment.name, segment.size, run.entered, run.left, run.drift, run.error or run.state])
    out.table(["Segment", "Size", "Entered", "Left", "Drift", "State"], rows, data, empty="There are no segments.")
    if any(run.state == RunState.FAILED for _, run in runs):
        return FAILED
    return DRIFT if cause is Cause.RECONCILE and any(run.drift for _, run in runs) else 0


def _finish(run: SegmentRun, tell: Any) -> SegmentRun:
    """Do a run to its end in this process, or wait while another process does."""
    key = run.pk
    try:
        while run.state in (RunState.QUEUED, RunState.RUNNING):
            mine = running.claim(key)
            while mine is not None and _step(mine):
                tell(mine.percent or 0)
            if mine is None:
                time.sleep(WAIT)
            run = SegmentRun.objects.get(pk=key)
            tell(run.percent or 0)
    except KeyboardInterrupt:
        if mine is not None:
            running.let_go(mine)
        raise
    return run


def _step(run: SegmentRun) -> bool:
    try:
        return running.step(run)
    except running.LeaseLost:
        return False
