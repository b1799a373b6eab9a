"""Exports, and the commands that export and import: what goes out comes back, also after kill -9."""

from __future__ import annotations

import csv
import io
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from customers.jobs.expiring import forget_old_files
from customers.jobs.models import DataJob
from customers.jobs.running import claim, run
from customers.jobs.starting import start
from customers.models import Customer, CustomerTag
from customers.selection import Selection
from customers.transfer import exporting
from customers.transfer.spreadsheets import meant, shown
from parlant_site.common.audit import AuditEntry
from parlant_site.common.errors import BadInput
from parlant_site.common.personal import MASK
from tags.models import Tag
from tests.data.test_roles import user_in
from tests.processes import ROOT, clean_environment, database_url

NASTY = {
    "formula": "=1+1",
    "quoted": "'=1",
    "tab": "\tx",
    "at": "@SUM(A1)",
    "minus": "-5",
    "phone": "+49 170",
    "wide": "＝cmd",
    "lines": "a\r\nb\nc",
    "quotes": 'say "hi", she; said',
    "empty": "",
    "ünï": "カ",
    "=key": "x",
    " blank ": "x",
    "": "no key",
    "k" * 600: "long",
}


@pytest.fixture(autouse=True)
def files(tmp_path: Path, settings: Any) -> Path:
    """Keep the files of jobs in a folder of the test's own."""
    settings.MEDIA_ROOT = tmp_path / "files"
    return tmp_path


@pytest.fixture
def customers(database: None) -> Iterator[None]:
    """A few customers with whatever metadata can hold."""
    tags = [Tag.add(name=name) for name in ("VIP", "semi;colon", 'quo"te', "comma, here")]
    Customer.register(id="a", name="Ann", metadata=NASTY, tags=tags)
    Customer.register(id="b", name="=cmd|' /C calc'!A0", metadata={"plan": "pro"})
    Customer.register(id="c", name="Cleo")
    yield
    Customer.objects.filter(pk="guest").update(metadata={})


def state() -> list[Any]:
    """Answer what there is of customers."""
    rows = Customer.objects.exclude(pk="guest").order_by("pk")
    return [(one.pk, one.name, one.metadata, sorted(tag.name for tag in one.tags.all())) for one in rows]


def command(name: str, *arguments: str, **options: Any) -> str:
    """Run a command and answer what it printed."""
    out = io.StringIO()
    call_command(name, *arguments, stdout=out, stderr=out, verbosity=0, **options)
    return out.getvalue()


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_what_is_exported_comes_back_as_it_was(form: str, customers: None, files: Path) -> None:
    before = state()
    output = files / f"out.{form}"
    command("export_customers", "--format", form, "--output", str(output))
    assert "same, 0 rejected" in (said := command("import_customers", str(output)))
    assert "0 new, 0 changed, 4 the same" in said
    for one in Customer.objects.exclude(pk="guest"):
        one.remove()
    said = command("import_customers", str(output), new_tags="create")
    assert "3 new, 0 changed, 1 the same, 0 rejected" in said
    # An empty cell says nothing: a key whose value is empty is the one thing that CSV cannot tell.
    if form == "csv":
        before[0][2].pop("empty")
    assert state() == before


def test_no_cell_of_an_export_begins_like_a_formula(customers: None, files: Path) -> None:
    output = files / "out.csv"
    command("export_customers", "--output", str(output), "--mark")
    text = output.read_bytes().decode("utf-8-sig")
    cells = [cell for row in csv.reader(io.StringIO(text, newline="")) for cell in row]
    assert "'=1+1" in cells
    assert "-5" in cells
    assert [cell for cell in cells if cell[:1] in set("=+-@\t\r＝") and cell != "-5"] == []


@pytest.mark.parametrize(
    "text", ["", "'", "a", "=", "'=", "''=", "-5", "'-5", " =x", "' =x", "+1,000.5", "-", "=-", "\n"]
)
def test_a_cell_means_what_was_written(text: str) -> None:
    assert meant(shown(text)) == text


def test_an_export_is_of_a_selection_and_masks_what_its_user_may_not_see(
    customers: None, files: Path, settings: Any
) -> None:
    settings.PARLANT_PII_KEYS = ["plan"]
    officer = user_in("Privacy officer")
    output = files / "out.jsonl"
    command("export_customers", "--format", "jsonl", "--output", str(output), "--user", officer.username)
    assert '"plan":"pro"' in output.read_text()
    officer.groups.clear()
    with pytest.raises(CommandError, match="may not"):
        command("export_customers", "--user", officer.username)
    from django.contrib.auth.models import Permission

    officer.user_permissions.add(Permission.objects.get(codename="export"))
    command(
        "export_customers", "--format", "jsonl", "--search", "calc", "--output", str(output), "--user", officer.username
    )
    assert output.read_text().count("\n") == 1
    assert f'"plan":"{MASK}"' in output.read_text()
    command("import_customers", str(output))
    assert Customer.objects.get(pk="b").metadata == {"plan": "pro"}, "a mask says nothing"
    entry = AuditEntry.objects.filter(act="exported").first()
    assert entry is not None
    assert (entry.actor_name, entry.channel, entry.after) == (
        officer.username, "command", {"customers": 1, "form": "jsonl"},
    )  # fmt: skip


def test_keys_beyond_what_a_sheet_holds_stand_in_one_column(
    customers: None, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "MOST_COLUMNS", 5)
    output = files / "out.csv"
    command("export_customers", "--output", str(output), "--tag", "VIP")
    [row] = csv.DictReader(io.StringIO(output.read_text(), newline=""))
    assert '"formula":"=1+1"' in row["metadata"]
    before = state()
    assert "0 new, 0 changed, 1 the same, 0 rejected" in command("import_customers", str(output))
    Customer.objects.get(pk="a").remove()
    assert "1 new" in command("import_customers", str(output))
    assert state() == before
    output.write_text('id,name,metadata\na,,no object\nb,,"{""plan"": null, ""n"": 5}"\nc,,[]\n')
    assert "0 new, 1 changed, 0 the same, 2 rejected" in command("import_customers", str(output))
    assert Customer.objects.get(pk="b").metadata == {"n": "5"}


def test_a_key_that_appears_while_an_export_runs_is_reported(customers: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exporting.ExportCustomers, "chunk", 1)
    job = start("export", by=None, selection=Selection.matching({"search": "cleo"}), parameters={"form": "csv"})
    monkeypatch.setattr(exporting, "_keys_of", lambda customers: [])
    Customer.objects.get(pk="c").amend(set_metadata={"new": "x"})
    claimed = claim(job.pk)
    assert claimed
    run(claimed)
    assert "new" in job.problems.get().reason


def test_commands_refuse_with_a_sentence(customers: None, files: Path) -> None:
    (files / "odd.csv").write_text("foo,bar\n1,2\n")
    with pytest.raises(CommandError, match=r"^mapping: Say which column is the id"):
        command("import_customers", str(files / "odd.csv"))
    good = files / "good.csv"
    good.write_text("id,name\nx,Xaver\n")
    viewer = user_in("Viewer")
    for arguments, said in (
        (["import_customers", str(files / "none.csv")], "cannot be read: No such file"),
        (["import_customers", str(files)], "cannot be read"),
        (["import_customers", str(good), "--map", "id"], "COLUMN=FIELD"),
        (["import_customers", str(good), "--map", "who=id"], "no column 'who'"),
        (["import_customers", str(good), "--encoding", "klingon"], "no encoding 'klingon'"),
        (["import_customers", str(good), "--delimiter", "::"], "one character"),
        (["import_customers", str(good), "--rejects", "/no/such/folder/x"], "no folder"),
        (["import_customers", str(good), "--user", "nobody"], "no active user"),
        (["import_customers", str(good), "--user", viewer.username], "may not"),
        (["export_customers", "--output", "/no/such/folder/x"], "no folder"),
        (["export_customers", "--tag", "none"], "no tag 'none'"),
        (["export_customers", "--segment", "none"], "no segment 'none'"),
        (["export_customers", "--user", viewer.username], "may not"),
    ):
        with pytest.raises(CommandError, match=said):
            command(*arguments)
    assert not DataJob.objects.exists()
    assert [path for path in (files / "files").rglob("*") if path.is_file()] == []
    with pytest.raises(BadInput):
        start("export", by=None, selection=Selection.matching({}), parameters={"form": "pdf"})


def test_a_file_without_ids_is_not_imported_twice_by_mistake(customers: None, files: Path) -> None:
    good = files / "good.csv"
    good.write_text("name\nXaver\n")
    command("import_customers", str(good))
    with pytest.raises(CommandError, match="--again"):
        command("import_customers", str(good))
    command("import_customers", str(good), "--again")
    assert Customer.objects.filter(name="Xaver").count() == 2


def test_rejects_are_written_where_one_wants_them(customers: None, files: Path) -> None:
    bad, rejects = files / "bad.csv", files / "rejects.csv"
    bad.write_text("id,name\nx/y,Xaver\n")
    said = command("import_customers", str(bad), "--rejects", str(rejects), "--map", "name=metadata.nick")
    assert "Row 1: id: an id has no slash" in said
    assert "x/y,Xaver,id: an id has no slash" in rejects.read_text()


def test_files_of_jobs_are_forgotten_in_time(customers: None, files: Path) -> None:
    command("export_customers", "--output", str(files / "out.csv"))
    command("import_customers", str(files / "out.csv"), "--dry-run")
    assert forget_old_files(timezone.now() + timedelta(days=6)) == 0
    assert forget_old_files(timezone.now() + timedelta(days=8)) == 1
    assert forget_old_files(timezone.now() + timedelta(days=31)) == 1
    assert [path for path in (files / "files").rglob("*") if path.is_file()] == []
    assert DataJob.objects.count() == 2


def test_after_kill_9_an_import_and_an_export_go_on_and_do_every_row_once(
    database: None, files: Path, settings: Any
) -> None:
    settings.MEDIA_ROOT = Path(os.environ["PARLANT_HOME"]) / "files"
    total = 7000
    source = files / "many.csv"
    rows = (f"c{n:05},Person {n},{n},{'x/y' if n % 1000 == 7 else 'T'}\n" for n in range(total))
    source.write_text("id,name,n,tags\n" + "".join(rows))
    environment = clean_environment(
        DJANGO_SETTINGS_MODULE="parlant_site.settings",
        PARLANT_HOME=os.environ["PARLANT_HOME"],
        PARLANT_DATABASE_URL=database_url(),
    )

    def killed_once_it_got_somewhere(*arguments: str) -> DataJob:
        process = subprocess.Popen([sys.executable, "manage.py", *arguments], cwd=ROOT, env=environment, stderr=-3)
        try:
            while process.poll() is None:
                job = DataJob.objects.order_by("-creation_utc").first()
                if job is not None and job.kind == arguments[0].split("_")[0] and job.done:
                    break
        finally:
            process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL, "it was done before it could be killed"
        job = DataJob.objects.latest("creation_utc")
        assert job.state == "running"
        assert 0 < job.done < total
        DataJob.objects.update(lease_until=timezone.now() - timedelta(seconds=1))  # half a minute passes
        connection.close()
        return job

    Tag.add(name="T")
    begun = killed_once_it_got_somewhere("import_customers", str(source))
    assert Customer.objects.exclude(pk="guest").count() == begun.report["new"]
    said = command("import_customers", str(source), rejects=files / "rejects.csv")
    assert f"{total - 7:,} new, 0 changed, 0 the same, 7 rejected. Job {begun.pk}" in said
    assert Customer.objects.exclude(pk="guest").count() == CustomerTag.objects.count() == total - 7
    assert AuditEntry.objects.of_job(begun.pk).filter(act="created").count() == total - 7
    assert (files / "rejects.csv").read_text().count("tags: there") == 7

    job = start("export", by=None, selection=Selection.matching({}), parameters={"form": "csv"})
    claimed = claim(job.pk)
    assert claimed
    run(claimed, stop=iter([False, False, True]).__next__)
    claimed.refresh_from_db()
    assert 0 < claimed.done < total
    with open(default_storage.path(claimed.result.name), "ab") as file:
        file.write(b"what a killed process wrote before its transaction was over")
    claimed = claim(job.pk)
    assert claimed
    run(claimed)
    with default_storage.open(claimed.result.name, "r") as file:
        exported = list(csv.DictReader(file))
    assert len(exported) == len({row["id"] for row in exported}) == total - 7 + 1
    for used in DataJob.objects.all():
        for name in (used.source.name, used.result.name):
            if name:
                default_storage.delete(name)
