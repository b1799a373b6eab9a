"""What the page of a data job shows."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.http import urlencode
from django.utils.timesince import timesince
from django.utils.translation import gettext as _

from customers.admin.import_report import report_of
from customers.admin.selecting import FILTERS, in_words
from customers.jobs.expiring import EXPORTS_KEPT, OTHERS_KEPT
from customers.jobs.models import DataJob, State
from customers.jobs.starting import may_start
from customers.jobs.work import work_class
from customers.models import Customer
from parlant_site.common.console.markup import list_of
from parlant_site.common.personal import sight

PROBLEMS_SHOWN = 100


def may_see(user: Any, job: DataJob) -> bool:
    """Answer whether a user may see a job: hers, or any with the permission."""
    return job.actor_id == user.pk or user.has_perm("customers.view_datajob")


def may_download(user: Any, job: DataJob) -> bool:
    """Answer whether a user may have the job's file: its kind is hers to start, and it holds nothing masked for her.

    Files are written as whoever started the job may see things: who sees less than others has those of her own jobs.
    """
    return may_start(user, job.kind) and (job.actor_id == user.pk or not sight().hidden)


def facts_of(job: DataJob, user: Any) -> dict[str, Any]:
    """Answer what a job is: who, when, for whom, and what it undoes."""
    selection = job.selection or {}
    shown = selection if job.actor_id == user.pk else sight().anywhere(selection)
    return {"job": job, "said": in_words(shown), "list_link": _list_link(selection) if shown == selection else ""}


def progress_of(job: DataJob, user: Any) -> dict[str, Any]:
    """Answer what changes while a job runs."""
    problems = list(job.problems.all()[:PROBLEMS_SHOWN])
    known = set(Customer.objects.filter(pk__in=[each.ref for each in problems]).values_list("pk", flat=True))
    work, may = work_class(job.kind), may_start(user, job.kind)
    reason = job.why_not_undo()
    checked = job.kind == "import" and bool(job.parameters.get("dry_run")) and job.state == State.OK
    return {
        "job": job,
        "report": report_of(job),
        "writes": job.kind != "export" and not job.parameters.get("dry_run"),
        "may_download": may_download(user, job) and job.is_final and bool(job.result),
        "kept_until": job.finished_utc and job.finished_utc + (EXPORTS_KEPT if job.kind == "export" else OTHERS_KEPT),
        "may_import": may and checked and bool(job.report.get("new") or job.report.get("changed")),
        "may_map": may and (checked or (job.kind == "import" and job.state == State.DRAFT)),
        "problems": problems,
        "known": known,
        "more_problems": max(0, job.failed + job.skipped - len(problems)),
        "unchanged": max(0, job.done - job.changed - job.failed - job.skipped),
        "took": _lasting(job.started_utc, job.finished_utc or timezone.now()) if job.started_utc else "",
        "may_cancel": may and not job.is_final and not job.cancel_requested,
        "may_undo": may and reason is None,
        "why_not_undo": reason if job.is_final and may and job.changed and work.can_be_undone else None,
        "undone_by": job.undone_by.order_by("-creation_utc").first(),
        "changes_link": list_of("parlant_site_auditentry", job=job.pk)
        if job.changed and user.has_perm("parlant_site.view_auditentry")
        else "",
    }


def _lasting(start: datetime, end: datetime) -> str:
    seconds = (end - start).total_seconds()
    return _("%.1f s") % seconds if seconds < 60 else timesince(start, end)


def _list_link(selection: dict[str, Any]) -> str:
    """Answer the list of those who match a job's query now; "" when the list cannot say the query."""
    query = dict(selection.get("query") or {})
    parameters: list[tuple[str, str]] = []
    for name in ("search", "q"):
        if words := query.pop(name, None):
            parameters.append(("q", str(words)))
    for each in FILTERS:
        if each.term in query:
            said = each().parameters(query.pop(each.term))
            if said is None:
                return ""
            parameters += [(each.name, value) for value in said]
    if query or not parameters:
        return ""
    return f"{list_of('customers_customer')}?{urlencode(parameters)}"
