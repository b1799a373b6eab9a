"""Data jobs in the console: the list, and the page of one with its progress, what went wrong, cancel and undo."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.core.files.storage import default_storage
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from customers.admin.imports import columns_page, import_checked, upload_page
from customers.admin.job_page import facts_of, may_download, may_see, progress_of
from customers.jobs.models import DataJob, State
from customers.jobs.starting import cancel, may_start, undo
from customers.jobs.work import kinds, label_of
from parlant_site.common.console.downloads import download_file
from parlant_site.common.console.filters import ActorFilter, RecentFilter
from parlant_site.common.console.keyset import Order
from parlant_site.common.console.listing import Column, Filter
from parlant_site.common.console.markup import ago, badge, named, number, page_of
from parlant_site.common.console.pages import NEWEST, OLDEST, ConsoleAdmin
from parlant_site.common.errors import Refusal

BADGES = {
    State.DRAFT: "plain",
    State.QUEUED: "plain",
    State.RUNNING: "auto",
    State.OK: "manual",
    State.FAILED: "off",
    State.CANCELLED: "waiting",
}


class KindFilter(Filter):
    """Jobs by what they do."""

    name, label = "kind", _("Kind")

    def choices(self) -> Sequence[tuple[str, Any]]:
        """Answer the kinds."""
        return kinds()

    def apply(self, rows: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Answer the jobs of the kind."""
        return rows.filter(kind=value)


class StateFilter(Filter):
    """Jobs by how far they are."""

    name, label = "state", _("State")

    def choices(self) -> Sequence[tuple[str, Any]]:
        """Answer the states."""
        return (*State.choices, ("problems", _("With problems")))

    def apply(self, rows: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Answer the jobs in the state."""
        if value == "problems":
            return rows.filter(failed__gt=0)
        return rows.filter(state=value) if value in State.values else rows


class WhenFilter(RecentFilter):
    """Jobs by when they were started."""

    column = "creation_utc"


@admin.register(DataJob)
class DataJobAdmin(ConsoleAdmin):
    """Data jobs; they are made by actions, never by a form."""

    orders: Sequence[Order] = (NEWEST, OLDEST)
    filters = (KindFilter, StateFilter, ActorFilter, WhenFilter)
    list_title = _("Data jobs")
    search_hint = _("Search by title or who started it")
    empty_text = _("No jobs yet. Tick customers in their list, or act on all who match, and the work is shown here.")

    def search(self, rows: QuerySet[Any], words: str) -> QuerySet[Any]:
        """Answer the jobs with the words in their title, or of that name."""
        return rows.filter(title__icontains=words) | rows.filter(actor_name__icontains=words)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show the list, with the way to an import for those who may."""
        more = {"may_import": may_start(request.user, "import"), **(extra_context or {})}
        return super().changelist_view(request, more)

    def columns(self, request: HttpRequest) -> Sequence[Column]:
        """Answer the columns of the list."""
        return (
            Column("name", _("Job"), lambda job: named(job, str(label_of(job.kind)), page_of(job))),
            Column("state", _("State"), _state),
            Column("done", _("Done"), _done),
            Column("changed", _("Changed"), lambda job: number(job.changed)),
            Column("failed", _("Problems"), lambda job: number(job.failed + job.skipped)),
            Column("who", _("Who"), _who),
            Column("created", _("Started"), lambda job: ago(job.creation_utc), order="created"),
        )

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Never."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Never."""
        return False

    def get_urls(self) -> list[Any]:
        """Answer the pages of a job."""

        def page(name: str, view: Callable[..., Any]) -> Any:
            return path(f"<path:object_id>/{name}/", self.admin_site.admin_view(view), name=f"customers_datajob_{name}")

        upload = path("upload/", self.admin_site.admin_view(self.upload_view), name="customers_datajob_upload")
        return [
            upload,
            page("progress", self.progress_view),
            page("cancel", self.cancel_view),
            page("undo", self.undo_view),
            page("columns", self.columns_view),
            page("import", self.import_view),
            page("file", self.file_view),
            *super().get_urls(),
        ]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show a job."""
        job = self._job(request, object_id)
        if job is None:
            return self.missing(request, object_id)
        context = {**self._context(request, str(job)), **facts_of(job, request.user), **progress_of(job, request.user)}
        return TemplateResponse(request, "admin/customers/datajob/page.html", context)

    def progress_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Show the part of a job's page that changes while it runs."""
        job = self._job(request, object_id)
        if job is None:
            return self.missing(request, object_id)
        return TemplateResponse(request, "admin/customers/datajob/progress.html", progress_of(job, request.user))

    def cancel_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Ask a job to stop."""
        return self._act(request, object_id, lambda job: cancel(job, by=request.user))

    def undo_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Start the undoing of a job and show it."""
        return self._act(request, object_id, lambda job: undo(job, by=request.user))

    def upload_view(self, request: HttpRequest) -> HttpResponse:
        """Take a file to import."""
        return upload_page(request, self._context(request, _("Import customers")))

    def columns_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Say what the columns of a file are."""
        job = self._job(request, object_id)
        if job is None:
            return self.missing(request, object_id)
        return columns_page(request, job, self._context(request, job.parameters.get("name", str(job))))

    def import_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Import what was checked."""
        return self._act(request, object_id, lambda job: import_checked(request, job))

    def file_view(self, request: HttpRequest, object_id: str) -> HttpResponseBase:
        """Send the file that a job made, to those who may start such a job and see what is in it."""
        job = self._job(request, object_id)
        if job is None:
            return self.missing(request, object_id)
        if not may_download(request.user, job):
            raise PermissionDenied
        try:
            file = default_storage.open(str(job.result.name)) if job.result and job.is_final else None
        except FileNotFoundError:
            file = None
        if file is None:
            messages.error(request, _("The file is no longer kept."))
            return HttpResponseRedirect(page_of(job))
        form = "csv" if str(job.result.name).endswith(".csv") else "jsonl"
        what = "customers" if job.kind == "export" else "rejects"
        name = f"{what}-{job.creation_utc:%Y-%m-%d}.{form}"
        kind = "text/csv; charset=utf-8" if form == "csv" else "application/jsonl"
        return download_file(file, name=name, content_type=kind)

    def _context(self, request: HttpRequest, title: Any) -> dict[str, Any]:
        return {**self.admin_site.each_context(request), "title": title, "opts": self.opts}

    def _act(self, request: HttpRequest, object_id: str, act: Callable[[DataJob], DataJob]) -> HttpResponse:
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        job = self._job(request, object_id)
        if job is None:
            return self.missing(request, object_id)
        try:
            return HttpResponseRedirect(page_of(act(job)))
        except Refusal as refusal:
            messages.error(request, refusal.detail)
            return HttpResponseRedirect(page_of(job))

    def _job(self, request: HttpRequest, object_id: str) -> DataJob | None:
        """Answer the job, to those who may see it: all who may see jobs, and who started it."""
        job = self.get_object(request, unquote(object_id))
        if job is None and not self.has_view_permission(request):
            raise PermissionDenied
        if job is not None and not may_see(request.user, job):
            raise PermissionDenied
        return job


def _state(job: DataJob) -> SafeString:
    return badge(job.get_state_display(), BADGES[State(job.state)])


def _done(job: DataJob) -> Any:
    if job.percent is None or job.is_final:
        return number(job.done)
    return format_html('<progress max="100" value="{0}">{0}%</progress> <span class="number">{0}%</span>', job.percent)


def _who(job: DataJob) -> Any:
    name = job.actor_name or _("The system")
    shown = format_html('<a href="?actor={}">{}</a>', job.actor_id, name) if job.actor_id else name
    return format_html("{} {}", shown, badge(job.get_channel_display(), "plain"))
