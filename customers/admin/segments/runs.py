"""The runs of a segment: each a look at all customers, with how far it is and what it changed."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _

from customers.admin.segments.figures import cause_label
from customers.models import Segment
from customers.segments.editing import refresh
from customers.segments.history import Cause, RunState, SegmentRun

SHOWN = 30
BADGES = {RunState.QUEUED: "waiting", RunState.RUNNING: "auto", RunState.OK: "manual", RunState.FAILED: "off"}


def runs_page(request: HttpRequest, context: dict[str, Any], segment: Segment) -> HttpResponse:
    """Show the runs, or only the table of them (`part`); queue one."""
    if request.method == "POST":
        cause = Cause.RECONCILE if request.POST.get("do") == "reconcile" else Cause.REFRESH
        refresh(segment, cause)
        messages.success(request, _("Queued. You may leave this page: the work goes on."))
        return HttpResponseRedirect(request.path)
    runs = list(segment.runs.order_by("-creation_utc", "-id")[:SHOWN])
    context |= {
        "tab": "runs",
        "rows": [_shown(run) for run in runs],
        "is_final": not any(run.state in (RunState.QUEUED, RunState.RUNNING) for run in runs),
    }
    part = "runs_table" if "part" in request.GET else "runs"
    return TemplateResponse(request, f"admin/customers/segment/{part}.html", context)


def _shown(run: SegmentRun) -> dict[str, Any]:
    return {
        "run": run,
        "why": cause_label(run.cause),
        "badge": BADGES[RunState(run.state)],
        "state": {
            RunState.QUEUED: _("Queued"),
            RunState.RUNNING: _("Running"),
            RunState.OK: _("Done"),
            RunState.FAILED: _("Failed"),
        }[RunState(run.state)],
        "took": _took(run),
        "is_check": run.cause == Cause.RECONCILE,
    }


def _took(run: SegmentRun) -> str:
    if run.started_utc is None or run.finished_utc is None:
        return ""
    return _("%.1f s") % (run.finished_utc - run.started_utc).total_seconds()
