"""What the customers' app itself keeps about a customer beside her row: the audit, jobs with their files, merges."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Any, ClassVar

from django.contrib.admin.models import LogEntry
from django.db.models import Q, QuerySet
from django.utils import timezone

from customers.jobs.models import DataJob, JobProblem, State
from customers.merging.models import CustomerMerge
from customers.parts import Conversations, Part, Subject, part
from customers.privacy.scrubbing import Scrubber
from parlant_site.common.audit import Act, AuditEntry
from parlant_site.common.personal import sight


@part
class Audit(Part):
    """Entries on her: their values go; that something was done, by whom and when, stays, under the pseudonym.

    Entries on others with whom she was merged hold her id, and values that were hers: they lose what they hold, too.
    """

    name: ClassVar[str] = "audit"

    def bundle(self, subject: Subject) -> dict[str, Any]:
        """Answer the entries on her, the oldest first."""
        entries = _audit(subject).order_by("id").iterator(chunk_size=500)
        return {"audit": (_entry(entry) for entry in entries)}

    def count(self, subject: Subject) -> Counter[str]:
        """Count the entries, and those that Django's own admin keeps."""
        entries = _audit(subject).count() + _of_merges(subject).count()
        return Counter(audit_entries=entries, admin_log=_admin_log(subject).count())

    def erase(self, subject: Subject, conversations: Conversations) -> Counter[str]:
        """Take her out of the entries."""
        logged, _ = _admin_log(subject).delete()
        entries = _of_merges(subject).redact() + _audit(subject).redact(object_id=subject.pseudonym)
        return Counter(audit_entries=entries, admin_log=logged)


@part
class Merges(Part):
    """Merges of which she was a part keep what the two were before."""

    name: ClassVar[str] = "merges"

    def bundle(self, subject: Subject) -> dict[str, Any]:
        """Answer who was merged into her."""
        merges = _merges(subject).order_by("creation_utc", "id").iterator(chunk_size=100)
        return {
            "merges": (
                {
                    "at": merge.creation_utc,
                    "gone": merge.gone_id,
                    "survivor": merge.survivor_id,
                    "was": sight().anywhere(merge.gone),
                    "undone_utc": merge.undone_utc,
                }
                for merge in merges
            )
        }

    def count(self, subject: Subject) -> Counter[str]:
        """Count the merges."""
        return Counter(merges=_merges(subject).count())

    def erase(self, subject: Subject, conversations: Conversations) -> Counter[str]:
        """Delete the merges: they can no longer be undone."""
        found = _merges(subject)
        number = found.count()
        found.delete()
        return Counter(merges=number)


@part
class Jobs(Part):
    """Data jobs name customers in selections, parameters, problems and files."""

    name: ClassVar[str] = "data_jobs"

    def bundle(self, subject: Subject) -> dict[str, Any]:
        """Answer what jobs could not do for her."""
        problems = _problems(subject).select_related("job").order_by("id").iterator(chunk_size=500)
        return {
            "data_job_problems": (
                {
                    "job": problem.job_id,
                    "title": str(problem.job),
                    "reason": problem.reason,
                    "given": sight().anywhere(problem.given),
                }
                for problem in problems
            )
        }

    def count(self, subject: Subject) -> Counter[str]:
        """Count the problems; what else names her is found by looking through all jobs, when she is erased."""
        return Counter(data_job_problems=_problems(subject).count())

    def sweep(self, subjects: Collection[Subject]) -> dict[str, Counter[str]]:
        """Take these persons out of all jobs, their problems, audit entries and files.

        A job that is not over and names one of them is cancelled: it could bring back, or write out, who is gone.
        """
        scrubber = Scrubber(subjects)
        for job in DataJob.objects.order_by("pk").iterator(chunk_size=200):
            _sweep_job(job, scrubber)
        held = Q(ref__in=scrubber.ids) | Q(given__isnull=False)
        for problem in JobProblem.objects.filter(held).iterator(chunk_size=1000):
            if scrubber.finds(problem.ref, problem.given, problem.reason, sort="data_job_problems"):
                JobProblem.objects.filter(pk=problem.pk).update(ref="", given=None, reason="Erased")
        started = AuditEntry.objects.filter(kind__in=["datajob", "segment"])
        for entry in started.iterator(chunk_size=500):
            if scrubber.finds(entry.object_name, entry.before, entry.after, sort="audit_entries"):
                AuditEntry.objects.filter(pk=entry.pk).redact()
        return scrubber.counts


def _sweep_job(job: DataJob, scrubber: Scrubber) -> None:
    """Rewrite a job. One that is not over yet goes on if it names them as customers to work on alone."""
    chosen = (job.selection or {}).get("ids") or []
    alone = bool(chosen) and scrubber.ids.issuperset(chosen)
    changed = []
    is_over = job.is_final or job.state == State.DRAFT
    if job.kind == "erase" and not is_over:
        # Perhaps another process erases by it now, and waits for what is locked here: it takes out itself whom it did.
        free = DataJob.objects.select_for_update(skip_locked=True).filter(pk=job.pk).values_list("pk", flat=True)
        if not chosen or not list(free):
            return
    elif not is_over and (alone or _names(job, scrubber)):
        job.state, job.finished_utc, job.lease_until, job.cursor = State.CANCELLED, timezone.now(), None, None
        job.error = "Somebody whom the job named was erased"
        changed += ["state", "finished_utc", "lease_until", "error"]
        is_over = True
    fields = ["selection", "title", "parameters", "report", "cursor", "error"] if is_over else ["selection"]
    for field in fields:
        value = getattr(job, field)
        if alone and field in ("title", "parameters") and value:
            wanted = {} if field == "parameters" else job.kind
        else:
            wanted = scrubber.clean(value, sort="data_jobs")
        if wanted != value:
            setattr(job, field, wanted)
            changed.append(field)
    for field in ("source", "result"):
        file = getattr(job, field)
        if is_over and file and scrubber.finds_in_file(file, sort="data_job_files"):
            file.delete(save=False)
            changed.append(field)
    if changed:
        job.save(update_fields=changed)


def _names(job: DataJob, scrubber: Scrubber) -> bool:
    """Answer whether what a job works by, or has written by now, names one of these persons.

    An export writes an id into each line, so that a line with her name alone is about a namesake. Lines that are read
    may have no id, and would make her anew: there a name is enough.
    """
    said = (job.title, job.parameters, job.report, job.error)
    files = [file for file in (job.source, job.result) if file]
    return scrubber.finds(*said, sort="data_jobs") or any(
        scrubber.finds_in_file(file, sort="data_jobs", by_id=job.kind == "export") for file in files
    )


def _audit(subject: Subject) -> Any:
    return AuditEntry.objects.filter(kind="customer", object_id__in=subject.ids)


def _of_merges(subject: Subject) -> Any:
    """Answer the entries on others that say of a merge with her, undone or not; merges say who those are."""
    others = {key for pair in _merges(subject).values_list("survivor_id", "gone_id") for key in pair}
    named = Q(after__merged__in=subject.ids) | Q(after__unmerged__in=subject.ids) | Q(after__into__in=subject.ids)
    entries = AuditEntry.objects.filter(kind="customer", object_id__in=others.difference(subject.ids))
    return entries.filter(named, act__in=(Act.MERGED, Act.UNMERGED))


def _admin_log(subject: Subject) -> QuerySet[LogEntry]:
    mine = LogEntry.objects.filter(content_type__app_label="customers", content_type__model="customer")
    return mine.filter(object_id__in=subject.ids)


def _merges(subject: Subject) -> QuerySet[CustomerMerge]:
    return CustomerMerge.objects.filter(Q(survivor_id__in=subject.ids) | Q(gone_id__in=subject.ids))


def _problems(subject: Subject) -> QuerySet[JobProblem]:
    return JobProblem.objects.filter(ref__in=subject.ids)


def _entry(entry: AuditEntry) -> dict[str, Any]:
    return {
        "at": entry.at,
        "act": entry.act,
        "actor": entry.actor_name,
        "channel": entry.channel,
        "id": entry.object_id,
        "name": entry.object_name,
        "before": sight().anywhere(entry.before),
        "after": sight().anywhere(entry.after),
    }
