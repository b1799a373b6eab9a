"""The pages of an import: upload, columns, check, import, rejects, undo; and the download of an export."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from customers.jobs.models import DataJob, State
from customers.jobs.running import claim, run
from customers.models import Customer
from parlant_site.common.errors import Refusal
from tags.models import Tag
from tests.admin.pages import text_of

JOBS = "/admin/customers/datajob/"
UPLOAD = f"{JOBS}upload/"
TEXT = "No;name;plan;tags\na;Anna;pro;\nb;Bo;;VIP\nx/y;Cleo;;\nc;Dora;;New\n"
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def files(tmp_path: Path, settings: Any) -> Path:
    """Keep the files of jobs in a folder of the test's own."""
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


def run_all() -> None:
    while job := claim():
        run(job)


def upload(browser: Client, text: str | bytes = TEXT, name: str = "people.csv", **more: str) -> Any:
    data = text.encode() if isinstance(text, str) else text
    return browser.post(UPLOAD, {"file": SimpleUploadedFile(name, data), **more})


def checked(browser: Client, **changes: str) -> DataJob:
    """Upload, say what the columns are, check, and answer the check."""
    address = upload(browser)["Location"]
    fields = browser.get(address).context["form"]
    sent = {name: fields[name].value() for name in fields.fields}
    answer = browser.post(address, {**sent, "target-0": "id", **changes})
    assert answer.status_code == 302, text_of(answer.content)
    run_all()
    return DataJob.objects.latest("creation_utc")


def body_of(answer: Any) -> str:
    return b"".join(answer).decode("utf-8-sig")


@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume")
def test_a_file_is_uploaded_mapped_checked_imported_and_undone(browser: Client) -> None:
    Tag.add(name="VIP")
    Customer.register(id="a", name="Ann", metadata={"plan": "free"})
    check = checked(browser)
    page = text_of(browser.get(f"{JOBS}{check.pk}/change/").content)
    assert "Would be new 1 Would change 1 The same 0 Rejected 2" in page
    assert "name Ann Anna" in page
    assert "metadata.plan free pro" in page
    assert "3 x/y id: an id has no slash" in page
    assert "there is no tag 'New'" in page
    assert Customer.objects.get(pk="a").name == "Ann"
    answer = browser.post(f"{JOBS}{check.pk}/import/")
    run_all()
    page = text_of(browser.get(answer["Location"]).content)
    assert "New 1 Changed 1 The same 0 Rejected 2" in page
    assert Customer.objects.get(pk="a").metadata == {"plan": "pro"}
    job = DataJob.objects.latest("creation_utc")
    rejects = browser.get(f"{JOBS}{job.pk}/file/")
    assert "attachment" in rejects["Content-Disposition"]
    assert body_of(rejects).count("\r\n") == 3
    browser.post(f"{JOBS}{job.pk}/undo/")
    run_all()
    assert Customer.objects.get(pk="a").name == "Ann"
    assert not Customer.objects.filter(pk="b").exists()


def test_a_check_leads_back_to_its_columns(browser: Client) -> None:
    check = checked(browser, **{"target-2": "", "key-2": ""})
    assert check.parameters["mapping"] == {"No": "id", "name": "name", "plan": "", "tags": "tags"}
    again = browser.get(f"{JOBS}{check.pk}/columns/").context["form"]
    sent = {name: again[name].value() for name in again.fields}
    assert sent["target-0"] == "id"
    browser.post(f"{JOBS}{check.pk}/columns/", {**sent, "target-2": "metadata", "key-2": "tier", "new_tags": "create"})
    run_all()
    second = DataJob.objects.latest("creation_utc")
    assert second.pk != check.pk
    assert second.parameters["mapping"]["plan"] == "metadata.tier"
    page = text_of(browser.get(f"{JOBS}{second.pk}/change/").content)
    assert "Tags that would be made: VIP New" in page


def test_what_cannot_be_is_said_on_the_page(browser: Client) -> None:
    for data, name, said in (
        (b"PK\x03\x04", "people.xlsx", "Save the sheet as CSV"),
        (b"id,id\n", "people.csv", "there twice"),
        (b"", "people.csv", "empty"),
    ):
        answer = upload(browser, data, name)
        assert answer.status_code == 200
        assert said in text_of(answer.content)
    assert "required" in text_of(browser.post(UPLOAD, {}).content)
    assert "not one of the available choices" in text_of(upload(browser, encoding="klingon").content)
    assert not DataJob.objects.exists()
    address = upload(browser)["Location"]
    fields = browser.get(address).context["form"]
    sent = {name: fields[name].value() for name in fields.fields}
    page = text_of(browser.post(address, {**sent, "target-0": "name"}).content)
    assert "'No' and 'name' both say name" in page
    assert "mapping" not in page
    assert "Cleo" in page, "the examples stay"
    job = DataJob.objects.get()
    assert job.state == State.DRAFT
    assert claim() is None, "nobody runs a draft"
    page = browser.get(f"{JOBS}{job.pk}/change/")
    assert "What the columns hold" in text_of(page.content)
    assert b"<progress" not in page.content, "nothing runs"
    job.source.delete(save=False)
    assert "no longer kept" in text_of(browser.get(address).content)


def test_a_draft_can_be_cancelled(browser: Client) -> None:
    upload(browser)
    job = DataJob.objects.get()
    browser.post(f"{JOBS}{job.pk}/cancel/")
    assert DataJob.objects.get().state == State.CANCELLED
    assert browser.get(f"{JOBS}{job.pk}/columns/").status_code == 302


def test_only_who_may_imports_exports_and_downloads(browser_of: Callable[..., Client], browser: Client) -> None:
    check = checked(browser)
    watcher = browser_of("customers.view_customer", "customers.view_datajob", "customers.bulk_change")
    for url in (UPLOAD, f"{JOBS}{check.pk}/columns/", f"{JOBS}{check.pk}/file/"):
        assert watcher.get(url).status_code == 403
    assert watcher.post(f"{JOBS}{check.pk}/import/").status_code == 403
    assert upload(watcher).status_code == 403
    assert "Import customers" not in text_of(watcher.get(JOBS).content)
    assert watcher.post("/admin/customers/customer/bulk/", {"action": "export"}).status_code == 403
    steward = browser_of("customers.view_customer", "customers.view_datajob", "customers.import_customers")
    assert "new_tags" not in steward.get(f"{JOBS}{check.pk}/columns/").context["form"].fields
    made = checked(steward, new_tags="create")
    assert made.parameters["new_tags"] == "refuse"
    DataJob.objects.filter(pk=made.pk).update(parameters={**made.parameters, "new_tags": "create"})
    assert "You may not make tags" in text_of(steward.post(f"{JOBS}{made.pk}/import/", follow=True).content)
    assert DataJob.objects.filter(parameters__dry_run=False).count() == 0


@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume")
def test_an_export_of_ticked_customers_is_downloaded(browser: Client) -> None:
    Customer.register(id="a", name="Ann")
    Customer.register(id="b", name="Bo")
    sent = {"action": "export", "form": "1", "do-form": "spreadsheet", "ids": ["b"], "start": "1"}
    address = browser.post("/admin/customers/customer/bulk/", sent)["Location"]
    job = DataJob.objects.get()
    assert "no longer kept" in text_of(browser.get(f"{JOBS}{job.pk}/file/", follow=True).content)
    run_all()
    assert "Download" in text_of(browser.get(address).content)
    answer = browser.get(f"{JOBS}{job.pk}/file/")
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    lines = b"".join(answer)
    assert lines.startswith(b"\xef\xbb\xbfid,name,")
    assert lines.count(b"\r\n") == 2
    assert b"\r\nb,Bo," in lines


def test_only_a_check_that_ended_well_is_imported(browser: Client) -> None:
    from customers.admin.imports import import_checked

    check = checked(browser)
    DataJob.objects.update(state=State.FAILED)
    check.refresh_from_db()
    request = browser.get(JOBS).wsgi_request
    with pytest.raises(Refusal, match="no check"):
        import_checked(request, check)
