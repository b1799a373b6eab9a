"""What a check or an import came to, row by row, as the page of its job shows it."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _

from customers.jobs.models import DataJob
from parlant_site.common.console.changes import changes_between
from parlant_site.common.console.markup import change_lines
from tags.models import Tag


def report_of(job: DataJob) -> dict[str, Any] | None:
    """Answer the counts and some rows; None for jobs that are no imports."""
    if job.kind != "import" or not job.report:
        return None
    samples: dict[str, list[dict[str, Any]]] = job.report.get("samples", {})
    keys = {
        str(key)
        for rows in samples.values()
        for row in rows
        for side in (row["before"], row["after"])
        for key in side.get("tags") or []
    }
    names = dict(Tag.objects.filter(pk__in=keys).values_list("pk", "name"))
    dry_run = bool(job.parameters.get("dry_run"))
    return {
        "dry_run": dry_run,
        "counts": [
            (_("Would be new") if dry_run else _("New"), job.report.get("new", 0), ""),
            (_("Would change") if dry_run else _("Changed"), job.report.get("changed", 0), ""),
            (_("The same"), job.report.get("same", 0), ""),
            (_("Rejected"), job.report.get("error", 0), "bad" if job.report.get("error") else ""),
        ],
        "new_tags": job.report.get("new_tags", []),
        "groups": [
            (label, [{**row, "lines": _lines(row, names)} for row in samples.get(what, [])])
            for what, label in (
                ("changed", _("Some who would change") if dry_run else _("Some who changed")),
                ("new", _("Some who would be new") if dry_run else _("Some who are new")),
            )
            if samples.get(what)
        ],
    }


def _lines(row: dict[str, Any], names: dict[str, str]) -> Any:
    return change_lines(changes_between(row["before"], row["after"], names))
