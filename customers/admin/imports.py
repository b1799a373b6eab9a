"""The pages of an import: upload, say what the columns are, check; the check's page shows what would be and imports."""

from __future__ import annotations

from itertools import islice
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.core.files.storage import default_storage
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse

from customers.admin.import_forms import EDITED, MappingForm, UploadForm
from customers.jobs.models import DataJob, State
from customers.jobs.starting import draft, may_start, start, submit
from customers.transfer.keeping import keep
from customers.transfer.tables import open_table
from parlant_site.common.console.markup import page_of
from parlant_site.common.errors import BadInput, Refusal
from parlant_site.common.personal import sight

SAMPLED = 20
MAKES_TAGS = "tags.add_tag"


def upload_page(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """Take a file, keep it as a draft, and go on to its columns."""
    if not may_start(request.user, "import"):
        raise PermissionDenied
    sent = (request.POST, request.FILES) if request.method == "POST" else ()
    form = UploadForm(*sent, largest=settings.PARLANT_MAX_UPLOAD_BYTES)
    if form.is_bound and form.is_valid():
        file, data = form.cleaned_data["file"], form.cleaned_data
        try:
            kept = keep(file, file.name, encoding=data["encoding"], delimiter=data["delimiter"])
        except Refusal as refusal:
            form.add_error("file", refusal.detail)
        else:
            name = kept.parameters["name"]
            job = draft("import", by=request.user, title=name, parameters=kept.parameters, source=kept.source)
            return HttpResponseRedirect(reverse("admin:customers_datajob_columns", args=[job.pk]))
    return TemplateResponse(request, "admin/customers/datajob/upload.html", {**context, "form": form})


def columns_page(request: HttpRequest, job: DataJob, context: dict[str, Any]) -> HttpResponse:
    """Say what the columns of a file are, and check what an import would come to: nothing is written yet."""
    if not may_start(request.user, "import"):
        raise PermissionDenied
    if job.kind != "import":
        raise Http404
    if job.state != State.DRAFT and not (job.is_final and job.parameters.get("dry_run")):
        return HttpResponseRedirect(page_of(job))
    told = {name: job.parameters[name] for name in ("empty", "tags", "new_tags") if name in job.parameters}
    form = MappingForm(
        request.POST if request.method == "POST" else None,
        initial=told,
        auto_id="import-%s",
        columns=job.parameters["columns"],
        mapping=job.parameters["mapping"],
        may_make_tags=request.user.has_perm(MAKES_TAGS),
    )
    problem = ""
    samples: list[dict[str, Any]] = []
    try:
        samples = _samples(job)
        if form.is_bound and form.is_valid():
            parameters = {**job.parameters, **form.parameters(), "dry_run": True}
            if job.state == State.DRAFT:
                checking = submit(job, by=request.user, parameters=parameters)
            else:
                checking = start("import", by=request.user, source=str(job.source.name), parameters=parameters)
            return HttpResponseRedirect(page_of(checking))
    except BadInput as refusal:
        problem = " ".join(str(each["msg"]) for each in refusal.problems)  # the columns' names are on the page
    except Refusal as refusal:
        problem = refusal.detail
    context |= {
        "job": job,
        "form": form,
        "problem": problem,
        "rows": form.rows(samples),
        "more": max(0, len(form.columns) - EDITED),
    }
    return TemplateResponse(request, "admin/customers/datajob/columns.html", context)


def import_checked(request: HttpRequest, job: DataJob) -> DataJob:
    """Start the import that a check was of. Refuses what the check's own start would."""
    if not may_start(request.user, "import"):
        raise PermissionDenied
    if job.kind != "import" or not job.parameters.get("dry_run") or job.state != State.OK:
        raise Refusal("This is no check that came to its end")
    parameters = {**job.parameters, "dry_run": False}
    return start("import", by=request.user, source=str(job.source.name), parameters=parameters)


def _samples(job: DataJob) -> list[dict[str, Any]]:
    try:
        with default_storage.open(str(job.source.name or "none")) as file:
            table = open_table(file, job.parameters["form"], job.parameters["delimiter"])
            rows = list(islice(table.rows(file, table.start, 0), SAMPLED))
    except FileNotFoundError:
        raise Refusal("The file is no longer kept: upload it again.") from None
    mapping = job.parameters["mapping"]
    hidden = {column for column, target in mapping.items() if sight().hides(target.removeprefix("metadata."))}
    return [{name: cell for name, cell in row.cells.items() if name not in hidden} for row in rows]
