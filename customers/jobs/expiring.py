"""How long files of jobs are kept: exports for a week, drafts of imports for a day, all others as long as undo."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.core.files.storage import default_storage
from django.db.models import Q

from customers.jobs.models import UNDO_DAYS, DataJob, State

DRAFTS_KEPT = timedelta(days=1)
EXPORTS_KEPT = timedelta(days=7)
OTHERS_KEPT = timedelta(days=UNDO_DAYS)


def forget_old_files(now: datetime) -> int:
    """Delete files that are no longer kept, and drafts that nobody went on with; answer how many files."""
    deleted = 0
    finished = Q(finished_utc__lt=now - OTHERS_KEPT) | Q(kind="export", finished_utc__lt=now - EXPORTS_KEPT)
    old = DataJob.objects.filter(finished | Q(state=State.DRAFT, creation_utc__lt=now - DRAFTS_KEPT))
    for job in old.exclude(source="", result="").iterator(chunk_size=100):
        for field in ("source", "result"):
            name = getattr(job, field).name
            if not name:
                continue
            DataJob.objects.filter(pk=job.pk).update(**{field: ""})
            # A check and the import that followed it share their file.
            if not DataJob.objects.filter(Q(source=name) | Q(result=name)).exists():
                default_storage.delete(name)
                deleted += 1
        if job.state == State.DRAFT:
            DataJob.objects.filter(pk=job.pk, state=State.DRAFT).delete()
    return deleted
