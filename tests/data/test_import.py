"""Importing customers from files: what is read, what is refused, what becomes of each row."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core.files.storage import default_storage

from customers.jobs.models import DataJob
from customers.jobs.running import claim, run
from customers.jobs.starting import start, undo
from customers.merging.choices import Choices
from customers.merging.merge import merge
from customers.models import Customer, CustomerTag
from customers.segments.editing import make
from customers.segments.models import Segment
from customers.segments.publishing import publish
from customers.segments.worker import settle_all
from customers.transfer import importing
from customers.transfer.keeping import keep
from customers.transfer.sources import CannotBeRead
from parlant_site.common.acting import Channel, acting
from parlant_site.common.audit import AuditEntry
from parlant_site.common.errors import BadInput
from sessions_app.models import Agent, Session
from tags.models import Tag
from tests.data.test_roles import user_in

PRO = {"field": "metadata.plan", "operator": "=", "value": "pro"}
pytestmark = pytest.mark.django_db(transaction=False)


@pytest.fixture(autouse=True)
def files(tmp_path: Path, settings: Any) -> Path:
    """Keep the files of jobs in a folder of the test's own."""
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


def begin(
    content: str | bytes, name: str = "customers.csv", *, map: dict[str, str] | None = None, **wanted: Any
) -> DataJob:
    """Start an import of a file, guessing what its columns say."""
    data = content.encode() if isinstance(content, str) else content
    kept = keep(io.BytesIO(data), name)
    parameters = {**kept.parameters, **wanted}
    parameters["mapping"] = {**parameters["mapping"], **(map or {})}
    return start("import", by=None, source=kept.source, parameters=parameters)


def imported(content: str | bytes, name: str = "customers.csv", **wanted: Any) -> DataJob:
    """Import a file, and answer the job."""
    job = begin(content, name, **wanted)
    finish()
    job.refresh_from_db()
    return job


def finish() -> None:
    while job := claim():
        run(job)


def counts(job: DataJob) -> tuple[int, int, int, int]:
    """Answer how many were new, changed, the same and wrong."""
    assert job.error == ""
    return tuple(job.report.get(name, 0) for name in ("new", "changed", "same", "error"))  # type: ignore[return-value]


def rejects(job: DataJob) -> str:
    """Answer the file of rejects."""
    with default_storage.open(job.result.name) as file:
        return str(file.read().decode("utf-8-sig")).replace("\r\n", "\n")


def person(key: str) -> tuple[str, dict[str, str], set[str]]:
    """Answer name, metadata and names of tags."""
    customer = Customer.objects.get(pk=key)
    return customer.name, customer.metadata, set(customer.tags.values_list("name", flat=True))


def test_rows_are_new_changed_the_same_or_wrong() -> None:
    vip = Tag.add(name="VIP")
    Customer.register(id="a", name="Ann", metadata={"plan": "free", "city": "Ulm"}, tags=[vip])
    Customer.register(id="b", name="Bo", metadata={"plan": "pro"})
    job = imported(
        "id,name,plan,tags\na,Ann,pro,\nb,Bo,pro,\nc,Cleo,max,VIP\n,Dora,,\nx/y,Eve,,\nf,,,\ng,Gil,,Nobody's\n"
    )
    assert counts(job) == (2, 1, 1, 3)
    assert (job.state, job.done, job.total, job.changed, job.failed) == ("ok", 7, 7, 3, 3)
    assert person("a") == ("Ann", {"plan": "pro", "city": "Ulm"}, {"VIP"})
    assert person("c") == ("Cleo", {"plan": "max"}, {"VIP"})
    dora = Customer.objects.get(name="Dora")
    assert len(dora.pk) == 18
    assert list(job.problems.values_list("position", "ref", "reason")) == [
        (5, "x/y", "id: an id has no slash and is more than dots"),
        (6, "f", "name: a new customer needs a name"),
        (7, "g", 'tags: there is no tag "Nobody\'s"'),
    ]
    assert rejects(job).splitlines() == [
        "id,name,plan,tags,problem",
        "x/y,Eve,,,id: an id has no slash and is more than dots",
        "f,,,,name: a new customer needs a name",
        'g,Gil,,Nobody\'s,"tags: there is no tag ""Nobody\'s"""',
    ]
    entry = AuditEntry.objects.about("customer", "a").of_job(job.pk).get()
    assert (entry.before, entry.after) == ({"metadata": {"plan": "free"}}, {"metadata": {"plan": "pro"}})


def test_mended_rejects_are_imported_again() -> None:
    job = imported('name,plan,id\n,pro,a\n"A, ""B"" ; é\n=1+1",pro,\n,=x,c\n')
    mended = rejects(job).replace(",pro,a,", "Ann,pro,a,").replace(",'=x,c", "Cleo,'=x,c")
    assert counts(imported(mended)) == (2, 0, 0, 0)
    assert person("c") == ("Cleo", {"plan": "=x"}, set())


def test_a_check_says_what_would_be_and_writes_nothing() -> None:
    Customer.register(id="a", name="Ann", metadata={"plan": "free"})
    text = "id,name,plan,tags\na,Anna,pro,New one\nb,Bo,,\nc,,,\n"
    check = imported(text, dry_run=True, new_tags="create")
    assert counts(check) == (1, 1, 0, 1)
    assert check.report["new_tags"] == ["New one"]
    [changed] = check.report["samples"]["changed"]
    assert (changed["row"], changed["id"]) == (1, "a")
    assert changed["before"] == {"name": "Ann", "metadata": {"plan": "free"}, "tags": []}
    assert changed["after"] == {"name": "Anna", "metadata": {"plan": "pro"}, "tags": ["New one"]}
    assert not Customer.objects.filter(pk="b").exists()
    assert not Tag.objects.exists()
    assert not AuditEntry.objects.of_job(check.pk).exists()
    assert check.changed == 0
    assert check.why_not_undo() is not None


def test_undo_deletes_who_was_new_though_a_segment_tagged_her_since() -> None:
    tag = Tag.add(name="Pro")
    segment = make(name="Pro", rule={"combinator": "and", "rules": [PRO]})
    publish(segment, tag)
    job = imported("id,name,plan\na,Ann,pro\nb,Ben,free\n")
    settle_all()
    assert person("a")[2] == {"Pro"}
    back = undo(job, by=None)
    finish()
    back.refresh_from_db()
    assert (back.changed, back.problems.count()) == (2, 0)
    assert not Customer.objects.exclude(pk="guest").exists()


def test_undo_deletes_who_was_new_and_puts_back_who_changed() -> None:
    Customer.register(id="a", name="Ann", metadata={"plan": "free"})
    job = imported(
        "id,name,plan,tags\na,Anna,pro,T\nb,Bo,,\nc,Cleo,,\nd,Dora,,\ne,Ell,,\na,Annabel,,\n", new_tags="create"
    )
    assert counts(job) == (4, 2, 0, 0)
    assert person("a") == ("Annabel", {"plan": "pro"}, {"T"})
    Session.open(agent=Agent.create(name="Iris"), customer=Customer.objects.get(pk="c"))
    Customer.objects.get(pk="d").amend(name="Doris")
    merge("e", Customer.register(name="Ella", id="f").pk, Choices())
    back = undo(job, by=None)
    finish()
    back.refresh_from_db()
    assert person("a") == ("Ann", {"plan": "free"}, set())
    assert sorted(Customer.objects.values_list("pk", flat=True)) == ["a", "c", "d", "e", "guest"]
    assert {each.ref: each.reason for each in back.problems.all()} == {
        "c": "She has conversations since",
        "d": "Changed since",
        "e": "Another customer was merged into her since",
    }


def test_empty_cells_say_nothing_unless_they_clear_and_tags_are_added_or_replaced() -> None:
    old, new = Tag.add(name="old"), Tag.add(name="new; or not")
    Customer.register(id="a", name="Ann", metadata={"plan": "free", "city": "Ulm"}, tags=[old])
    imported('id,name,plan,tags\na,,,"""new; or not"""\n')
    assert person("a") == ("Ann", {"plan": "free", "city": "Ulm"}, {"old", "new; or not"})
    imported(f"id,name,plan,tags\na,,,{new.pk}\n", empty="clear", tags="replace")
    assert person("a") == ("Ann", {"city": "Ulm"}, {"new; or not"})
    imported("id,tags\na,\n", empty="clear", tags="replace")
    assert person("a")[2] == set()


def test_json_lines_say_what_the_api_says() -> None:
    Tag.add(name="VIP")
    Customer.register(id="a", name="Ann", metadata={"plan": "free", "gone": "1"})
    lines = [
        {"id": "a", "metadata": {"plan": "pro", "gone": None, "seats": 5, "beta": True}},
        {"id": "b", "name": "Bo", "tags": ["VIP"], "company": "Acme", "creation_utc": "2026-01-01T00:00:00Z"},
        {"id": "c", "name": "Cleo", "metadata": {"a": [1]}},
        {"id": "d", "name": "D" * 101},
        {"id": "e", "name": "Eve", "later": "x"},
        [1],
    ]
    text = "\n".join(json.dumps(line) for line in lines) + '\n\n{"id": "f",\n{"name": "a\\u0000b"}'
    job = imported(text, "c.jsonl")
    assert counts(job) == (2, 1, 0, 5)
    assert person("a") == ("Ann", {"plan": "pro", "seats": "5", "beta": "true"}, set())
    assert person("b") == ("Bo", {"company": "Acme"}, {"VIP"})
    assert person("e") == ("Eve", {"later": "x"}, set())
    again = [json.loads(line) for line in rejects(job).splitlines()]
    assert again[0] == {**lines[2], "problem": "metadata.a: should be a text"}  # type: ignore[dict-item]
    assert again[3] == {"line": '{"id": "f",', "problem": again[3]["problem"]}


@pytest.mark.parametrize(
    "content",
    [
        "\ufeffid,name,city\na,Ünal,Köln\n".encode(),
        "id;name;city\na;Ünal;Köln\n".encode(),
        "sep=;\nid;name;city\r\na;Ünal;Köln\r\n".encode(),
        "id\tname\tcity\na\tÜnal\tKöln".encode(),
        "id|name|city\na|Ünal|Köln".encode(),
        "id,name,city\na,Ünal,Köln\n".encode("windows-1252"),
        "id,name,city\na,Ünal,Köln\n".encode("utf-16"),
        b"\xfe\xff" + "id,name,city\na,Ünal,Köln\n".encode("utf-16-be"),
        "id,name,city\na,Ünal,Köln\n".encode("utf-16-le"),
        "id,name,city\ra,Ünal,Köln\r".encode(),
        'id,name,city,,\n\n"a","Ünal","Köln",,\n,,,,\n'.encode(),
    ],
    ids=["BOM", "semicolons", "sep", "tabs", "bars", "windows", "utf-16", "big-endian", "no-mark", "mac", "blank"],
)
def test_files_are_read_whatever_wrote_them(content: bytes) -> None:
    job = imported(content)
    assert counts(job) == (1, 0, 0, 0)
    assert person("a") == ("Ünal", {"city": "Köln"}, set())


@pytest.mark.parametrize(
    ("content", "name", "said"),
    [
        (b"", "c.csv", "empty"),
        (b"\n \n", "c.csv", "empty"),
        (b"PK\x03\x04...", "c.xlsx", "Save the sheet as CSV"),
        (b"\x1f\x8b\x08", "c.csv.gz", "compressed"),
        (b"id,name\n\x81\x8d\xff", "c.csv", "neither UTF-8 nor Windows-1252"),
        (b"id,name\na,b\0c\n", "c.csv", "NUL"),
        (b"id,name,id\n", "c.csv", "'id' is there twice, in columns 1 and 3"),
        (b"id,,name\n", "c.csv", "Column 2 has no heading"),
        (b"," * 3000 + b"a\n", "c.csv", "3,001 columns"),
        (b'"id,name\na,b\n', "c.csv", "quote"),
        (b'[{"id": "a"}]', "c.json", "JSON array"),
        (b"id,name\na,b\n", "c.jsonl", "no JSON lines"),
    ],
)
def test_what_is_no_table_is_refused_with_a_sentence_and_not_kept(
    content: bytes, name: str, said: str, files: Path
) -> None:
    with pytest.raises(CannotBeRead, match=said):
        keep(io.BytesIO(content), name)
    assert [path for path in files.rglob("*") if path.is_file()] == []


def test_rows_that_cannot_be_read_are_rejected_and_the_others_done() -> None:
    long = "x" * (1 << 20)
    job = imported(f'id,name\na,"open\nb,Bo\nc,Cleo,more\nd\ne,"E"ve\nf,{long}\ng,"two\nlines"\n')
    assert counts(job) == (2, 0, 0, 5)
    assert Customer.objects.get(pk="g").name == "two\nlines"
    assert list(job.problems.values_list("position", flat=True)) == [1, 3, 4, 5, 6]


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        ({"id": "", "name": ""}, "id, or the name"),
        ({"plan": "name"}, "both say name"),
        ({"plan": "creation_utc"}, "Should be id, name, tags"),
        ({"none": "id"}, "no column 'none'"),
        ({"plan": "metadata.a\0b"}, "NUL"),
    ],
)
def test_a_mapping_that_cannot_be_is_refused(mapping: dict[str, str], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        begin("id,name,plan\n", map=mapping)
    for wrong in ({"empty": "?"}, {"tags": "?"}, {"new_tags": "?"}):
        with pytest.raises(BadInput, match="one of"):
            begin("id,name,plan\n", **wrong)


def test_the_guest_keeps_her_name_and_a_merged_id_leads_to_the_survivor() -> None:
    from customers.models import CustomerAlias

    ann = Customer.register(id="a", name="Ann")
    CustomerAlias.objects.create(pk="old", customer=ann)
    job = imported("id,name,plan\nguest,Gustav,\nguest,Guest,x\nold,Anna,pro\n")
    assert counts(job) == (0, 2, 0, 1)
    assert person("a") == ("Anna", {"plan": "pro"}, set())
    assert not CustomerTag.objects.exists()
    Customer.objects.filter(pk="guest").update(metadata={})


def test_rows_with_an_old_id_and_the_new_one_change_the_same_customer_one_after_the_other() -> None:
    from customers.models import CustomerAlias

    new = Tag.add(name="new")
    ann = Customer.register(id="a", name="Ann")
    CustomerAlias.objects.create(pk="old", customer=ann)
    job = imported("id,name,plan,tags\na,Anna,pro,new\nold,Annabel,max,new\nold,Annabel,,\n")
    assert counts(job) == (0, 2, 1, 0)
    assert person("a") == ("Annabel", {"plan": "max"}, {new.name})
    assert not Customer.objects.filter(pk="old").exists()
    undo(job, by=None)
    finish()
    assert person("a") == ("Ann", {}, set())


def test_nobody_writes_over_what_she_may_not_see_by_a_later_line(settings: Any) -> None:
    settings.PARLANT_PII_KEYS = ["email"]
    blind = user_in("Viewer")
    blind.user_permissions.add(Permission.objects.get(codename="import_customers"))
    Customer.register(id="a", name="Ann", metadata={"email": "a@b.example"})
    lines = [{"id": f"c{number}", "name": "C", "metadata": {"plan": "pro"}} for number in range(60)]
    late = [{"id": "a", "metadata": {"email": value}} for value in ("x@y.example", "a@b.example", None, "•••")]
    content = "".join(f"{json.dumps(line)}\n" for line in (*lines, *late))
    with acting(channel=Channel.COMMAND, user=blind):
        job = imported(content, "customers.jsonl")
    assert job.actor == blind
    assert counts(job) == (60, 0, 1, 3)
    assert all("may not see or change: email" in each.reason for each in job.problems.all())
    assert person("a")[1] == {"email": "a@b.example"}


def test_so_much_of_a_file_is_in_memory_at_once_however_long_its_rows_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importing, "LARGEST_CHUNK", 50_000)
    rows = "".join(f"c{number},C,{'x' * 20_000}\n" for number in range(10))
    job = begin(f"id,name,note\n{rows}")
    batch = importing.ImportCustomers(job).read(None)
    assert batch is not None
    assert len(batch.rows) == 3
    finish()
    job.refresh_from_db()
    assert counts(job) == (10, 0, 0, 0)


def test_tags_that_segments_publish_are_left_to_their_segments() -> None:
    published, other = Tag.add(name="published"), Tag.add(name="other")
    segment = Segment.objects.create(name="S", kind="static")
    publish(segment, published)
    Customer.register(id="a", name="Ann", tags=[other])
    CustomerTag.objects.create(customer_id="a", tag=published)
    job = imported("id,name,tags\na,Anna,\nb,Bo,published;other\n", tags="replace", empty="clear")
    assert counts(job) == (1, 1, 0, 0)
    assert person("a") == ("Anna", {}, {"published"})
    assert person("b") == ("Bo", {}, {"other"})


def test_files_are_private(files: Path) -> None:
    job = imported("id,name\n,\n")
    for name in (job.source.name, job.result.name):
        path = Path(default_storage.path(name))
        assert path.stat().st_mode & 0o077 == 0
        assert path.is_relative_to(files), path
