"""A customer's bundle holds everything about her, and her erasure leaves nothing of her."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from io import BytesIO, StringIO, TextIOWrapper
from typing import Any

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.core.files.base import ContentFile
from django.core.management import CommandError, call_command
from django.db import connection, transaction
from django.utils import timezone

from customers.insight.catalogue import MetadataKey, keep_current
from customers.jobs.bulk import OverCustomers
from customers.jobs.models import DataJob, JobProblem, State
from customers.jobs.running import claim, run
from customers.jobs.starting import draft, start, undo
from customers.jobs.undoing import Undo
from customers.jobs.work import Work, work_class
from customers.models import Customer, Segment
from customers.parts import Conversations
from customers.privacy.bundle import write_bundle
from customers.privacy.erasing import erase, preview
from customers.privacy.models import Erasure, fingerprint
from customers.privacy.subjects import GuestIsNobody
from customers.rules.faces import read_text
from customers.segments import listing, pinning
from customers.segments.editing import make
from customers.selection import Selection
from customers.transfer.keeping import keep
from parlant_site.common.acting import Channel, acting
from parlant_site.common.audit import AuditEntry, WrittenOnce
from parlant_site.common.errors import NotFound
from sessions_app.actions import open_session, post_customer_message, post_human_message, schedule_follow_up
from sessions_app.events import Kind, Source
from sessions_app.models import Agent, Event, Session
from sessions_app.privacy import said_by
from tags.models import Tag
from tests.data.test_roles import user_in

ID = "zaphod@marker.example"
NAME = "Zaphod Markerbrox"
MARKS = ("marker", "zaphod")


@pytest.fixture(autouse=True)
def guest(database: None, settings: Any, tmp_path: Any) -> Iterator[None]:
    """Leave the guest as she was."""
    settings.MEDIA_ROOT = tmp_path
    yield
    Customer.objects.filter(pk="guest").update(metadata={}, stale=0)


@pytest.fixture
def zaphod() -> Customer:
    """Make a customer who left traces wherever anything can be left."""
    vip = Tag.add(name="VIP")
    customer = Customer.register(id=ID, name="Marker Before", metadata={"note": "first marker"}, tags=[vip])
    keep_current()  # the catalogue of metadata
    customer.amend(name=NAME, set_metadata={"note": "second marker", "email": "mail@marker.example"})
    agent = Agent.create(id="iris", name="Iris")
    session = open_session(
        agent=agent,
        customer=customer,
        title="Marker title",
        metadata={"from": "marker"},
        labels=["marker-label"],
    )
    post_customer_message(session, message="My marker text", metadata={"ip": "marker"})
    post_human_message(session, message="Dear Marker", participant={"id": "olga", "display_name": "Olga"})
    session.append_event(
        kind=Kind.TOOL,
        source=Source.SYSTEM,
        data={"tool_calls": [{"tool_id": "find", "arguments": {"q": "marker"}, "result": {"data": "marker"}}]},
    )
    session.append_event(kind=Kind.CUSTOM, source=Source.SYSTEM, data={"marker": "marker"})
    status = {"status": "processing", "data": {"stage": "marker"}}
    session.append_event(kind=Kind.STATUS, source=Source.AI_AGENT, data=status)
    schedule_follow_up(session, due=timezone.now(), guidelines=[{"action": "marker", "rationale": "unspecified"}])
    moved = open_session(agent=agent, customer=customer)
    post_customer_message(moved, message="A marker in a session that was moved")
    moved.amend(customer=Customer.register(id="other", name="Other"))
    segment = Segment.objects.create(name="Listed", kind="static")
    listing.add(segment, [customer.pk])
    pinning.pin(make(name="By rule", rule=read_text("metadata.plan = none")), ID, is_in=True, reason="A marker")
    content = ContentType.objects.get_for_model(Customer)
    LogEntry.objects.create(
        user=user_in("Lead"), content_type=content, object_id=ID, object_repr=NAME, action_flag=CHANGE
    )
    done("set_metadata", Selection.of([ID]), set={"note": "third marker"})
    done("set_metadata", Selection.matching({"search": NAME}), set={"plan": "pro"})
    job = DataJob(kind="tag", title="An export", state=State.OK, parameters={}, cursor=ID)
    job.result.save("customers.csv", ContentFile(f"id,name\n{ID},{NAME}\n".encode()), save=False)
    job.save()
    problem = JobProblem(job=job, ref=ID, reason="The marker is odd", given={"id": ID, "name": NAME})
    problem.save()
    keep_current(timezone.now() + timedelta(minutes=1))
    return customer


def done(kind: str, selection: Selection, **parameters: Any) -> DataJob:
    job = start(kind, by=None, selection=selection, parameters=parameters)
    while claimed := claim():
        run(claimed)
    job.refresh_from_db()
    assert job.state == State.OK, job.error
    return job


def erase_after_reading(work: type[Work], monkeypatch: pytest.MonkeyPatch) -> None:
    """Erase her between a job's reading of its first chunk and its writing."""
    read = work.read

    def late(self: Work, cursor: Any) -> Any:
        batch = read(self, cursor)
        if Customer.objects.filter(pk=ID).exists():
            erase([ID], conversations=Conversations.DELETE)
        return batch

    monkeypatch.setattr(work, "read", late)


def found_in_database() -> list[str]:
    """Answer the rows of all tables that still show a mark."""
    with connection.cursor() as cursor:
        tables = connection.introspection.table_names(cursor)
        found = []
        for table in tables:
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            rows = cursor.fetchall()
            found += [f"{table}: {row}" for row in rows if any(mark in str(row).casefold() for mark in MARKS)]
    return found


def bundle_of(customer_id: str) -> Any:
    return json.loads(b"".join(write_bundle(customer_id)))


def test_the_bundle_holds_profile_sessions_audit_and_jobs(zaphod: Customer) -> None:
    bundle = bundle_of(ID)
    assert bundle["customer"]["name"] == NAME
    assert bundle["customer"]["metadata"]["email"] == "mail@marker.example"
    assert [tag["name"] for tag in bundle["customer"]["tags"]] == ["VIP"]
    [session] = bundle["sessions"]
    assert session["title"] == "Marker title"
    assert session["labels"] == ["marker-label"]
    assert session["follow_ups"][0]["guidelines"][0]["action"] == "marker"
    assert [event["offset"] for event in session["events"]] == [0, 1, 2, 3, 4]
    assert session["events"][0]["data"]["message"] == "My marker text"
    assert bundle["audit"][0]["after"]["name"] == "Marker Before"
    assert bundle["data_job_problems"][0]["given"]["id"] == ID
    assert AuditEntry.objects.about("customer", ID).filter(act="exported").exists()


def test_the_bundle_of_a_long_conversation_is_read_in_stretches(
    zaphod: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sessions_app.privacy.EVENTS_AT_ONCE", 2)
    pieces = list(write_bundle(ID))
    assert len(pieces) > 20
    assert len(json.loads(b"".join(pieces))["sessions"][0]["events"]) == 5


def test_personal_values_are_masked_in_the_bundle_of_who_may_not_see_them(zaphod: Customer, settings: Any) -> None:
    settings.PARLANT_PII_KEYS = ["email"]
    with acting(channel=Channel.ADMIN, user=user_in("Viewer")):
        assert "mail@marker.example" not in json.dumps(bundle_of(ID))


@pytest.mark.parametrize("conversations", Conversations)
def test_an_erasure_leaves_nothing_of_her(zaphod: Customer, conversations: Conversations, tmp_path: Any) -> None:
    before = found_in_database()
    assert len(before) > 20
    assert any(row.startswith("customers_metadatakey") for row in before)
    assert preview(ID)["sessions"] == 1
    [proof] = erase([ID], conversations=conversations)
    assert found_in_database() == []
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
    assert proof.counts["customers"] == 1
    assert proof.counts["events"] == 6
    assert proof.counts["data_job_files"] == 1
    with pytest.raises(NotFound):
        preview(ID)


def test_a_redacted_conversation_keeps_its_course(zaphod: Customer) -> None:
    key = Session.objects.get(title="Marker title").pk
    before = list(Event.objects.filter(session=key).values_list("offset", "kind", "source", "trace_id", "id"))
    erase([ID], conversations=Conversations.REDACT)
    session = Session.objects.get(pk=key)
    assert list(session.events.values_list("offset", "kind", "source", "trace_id", "id")) == before
    assert (session.customer, session.title, session.metadata, session.labels()) == (None, None, {}, [])
    assert session.customer_ref.startswith("erased-")
    first, second, tool, custom, status = (event.data for event in session.events.order_by("offset"))
    assert first["message"] == "[erased]"
    assert second["participant"] == {"id": "olga", "display_name": "Olga"}
    assert (tool, custom, status) == ({"tool_calls": []}, {"erased": True}, {"status": "processing", "data": {}})


def test_a_deleted_conversation_is_gone_and_others_keep_theirs(zaphod: Customer) -> None:
    erase([ID], conversations=Conversations.DELETE)
    session = Session.objects.get()
    assert session.customer_ref == "other"
    assert session.last_message == "[erased]"
    assert Customer.objects.get(pk="other").customer_message_count == 1


def test_the_proof_says_who_and_how_much_and_nothing_of_her(zaphod: Customer) -> None:
    officer = user_in("Privacy officer")
    with acting(channel=Channel.ADMIN, user=officer):
        erase([ID], conversations=Conversations.REDACT)
    proof = Erasure.objects.of(ID).get()
    assert (proof.actor, proof.actor_name, proof.channel) == (officer, "privacy-officer", "admin")
    assert proof.subject == fingerprint(ID)
    assert proof.is_genuine
    entry = AuditEntry.objects.filter(act="erased").get()
    assert entry.object_id == str(proof)
    assert (entry.after or {})["customers"] == 1


def test_a_proof_is_written_once_and_a_forged_one_shows(zaphod: Customer) -> None:
    [proof] = erase([ID], conversations=Conversations.DELETE)
    for change in (proof.save, proof.delete, Erasure.objects.all().delete, Erasure.objects.update):
        with pytest.raises(WrittenOnce):
            change()
    with connection.cursor() as cursor:
        cursor.execute("UPDATE customers_erasure SET actor_name = 'somebody else'")
    assert not Erasure.objects.get().is_genuine


def test_who_takes_her_id_later_inherits_nothing(zaphod: Customer) -> None:
    erase([ID], conversations=Conversations.REDACT)
    Customer.register(id=ID, name="New")
    assert not Session.objects.of_customer(ID).exists()
    assert AuditEntry.objects.about("customer", ID).count() == 1


def test_who_was_deleted_before_can_be_erased_by_her_id(zaphod: Customer) -> None:
    zaphod.remove()
    assert bundle_of(ID)["customer"] is None
    erase([ID], conversations=Conversations.REDACT)
    assert found_in_database() == []


def test_the_guest_and_nobody_cannot_be_erased() -> None:
    with pytest.raises(GuestIsNobody):
        erase(["guest"], conversations=Conversations.DELETE)
    with pytest.raises(NotFound):
        erase(["nobody"], conversations=Conversations.DELETE)


def test_one_who_cannot_be_erased_saves_all_of_them(zaphod: Customer) -> None:
    with pytest.raises(NotFound):
        erase([ID, "nobody"], conversations=Conversations.DELETE)
    assert Customer.objects.filter(pk=ID).exists()
    assert not Erasure.objects.exists()


def test_a_job_erases_a_selection_and_forgets_whom(zaphod: Customer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("customers.privacy.jobs.EraseCustomers.chunk", 2)
    for number in range(5):
        Customer.register(id=f"m{number}", name=f"Marker {number}")
    job = done("erase", Selection.matching({"search": "marker"}), conversations="delete")
    assert (job.total, job.done, job.changed) == (6, 6, 6)
    assert found_in_database() == []
    assert Erasure.objects.filter(job_id=job.pk).count() == 6
    assert job.why_not_undo() == "A job of this kind cannot be undone"


def test_only_who_may_erase_starts_such_a_job(zaphod: Customer) -> None:
    chosen, parameters = Selection.of([ID]), {"conversations": "delete"}
    with pytest.raises(PermissionDenied):
        start("erase", by=user_in("Data steward"), selection=chosen, parameters=parameters)
    assert start("erase", by=user_in("Privacy officer"), selection=chosen, parameters=parameters).total == 1


def test_the_commands_write_the_bundle_show_erase_and_prove(zaphod: Customer, tmp_path: Any) -> None:
    out = TextIOWrapper(BytesIO())
    call_command("customer_bundle", ID, stdout=out)
    assert json.loads(out.buffer.getvalue())["id"] == ID  # type: ignore[attr-defined]
    call_command("customer_bundle", ID, output=tmp_path / "her.json", stderr=StringIO())
    assert json.loads((tmp_path / "her.json").read_bytes())["id"] == ID
    with pytest.raises(CommandError, match="cannot be written"):
        call_command("customer_bundle", ID, output=tmp_path / "her.json")
    (tmp_path / "her.json").unlink()
    shown = StringIO()
    call_command("erase_customer", ID, "--dry-run", stdout=shown)
    assert "events" in shown.getvalue()
    for arguments, said in ((["--yes"], "what becomes"), (["--conversations", "delete"], "Nobody is there")):
        with pytest.raises(CommandError, match=said):
            call_command("erase_customer", ID, *arguments, stdout=StringIO())
    assert Customer.objects.filter(pk=ID).exists()
    call_command("erase_customer", ID, "--conversations", "redact", "--yes", stdout=shown)
    assert found_in_database() == []
    call_command("erase_customer", ID, "--proof", stdout=shown)
    assert "genuine" in shown.getvalue()
    for name in ("customer_bundle", "erase_customer"):
        with pytest.raises(CommandError, match="not found"):
            call_command(name, "nobody", stdout=StringIO())


def test_jobs_that_are_not_over_and_name_her_are_cancelled_and_others_go_on(zaphod: Customer, settings: Any) -> None:
    settings.PARLANT_PII_KEYS = ["email"]
    others = Selection.of([Customer.register(id=f"c{number}", name="C").pk for number in range(3)])
    names_her = start("set_metadata", by=None, selection=others, parameters={"set": {"email": "mail@marker.example"}})
    for_her = start("tag", by=None, selection=Selection.of([ID]), parameters={"tag": Tag.objects.get().pk})
    among_others = Selection.of([ID, "c0"])
    goes_on = start("set_metadata", by=None, selection=among_others, parameters={"set": {"plan": "max"}})
    kept = keep(BytesIO(f'id,name\n{ID},"Zaphod ""Z"" Markerbrox"\n'.encode()), "people.csv")
    imports = start("import", by=None, source=kept.source, parameters=kept.parameters)
    kept = keep(BytesIO(f"id,name\n{ID},New\n".encode()), "later.csv")
    later = draft("import", by=user_in("Admin"), title="later.csv", parameters=kept.parameters, source=kept.source)
    exports = start("export", by=None, selection=Selection.matching({}), parameters={"form": "jsonl"})
    running = claim(exports.pk)
    assert running
    work = work_class("export")(running)
    batch = work.read(None)
    assert batch
    work.write(batch)
    running.save()
    erase([ID], conversations=Conversations.DELETE)
    run(running)
    while job := claim():
        run(job)
    states = {job.pk: job.state for job in DataJob.objects.all()}
    cancelled = [names_her, for_her, imports, exports]
    assert [states[job.pk] for job in cancelled] == ["cancelled"] * 4
    assert (states[goes_on.pk], states[later.pk]) == ("ok", "draft")
    assert Customer.objects.get(pk="c0").metadata == {"plan": "max"}
    assert "erased" in DataJob.objects.get(pk=imports.pk).error
    assert found_in_database() == []
    assert not [path for path in settings.MEDIA_ROOT.rglob("*") if path.is_file()]


@pytest.mark.parametrize("is_chosen", [True, False])
def test_a_job_that_reads_her_id_before_she_is_erased_does_not_name_her(
    zaphod: Customer, is_chosen: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    erase_after_reading(OverCustomers, monkeypatch)
    selection = Selection.of([ID, "other"]) if is_chosen else Selection.matching({})
    done("set_metadata", selection, set={"plan": "max"})
    assert Customer.objects.get(pk="other").metadata == {"plan": "max"}
    assert found_in_database() == []


def test_an_undo_that_reads_of_her_before_she_is_erased_does_not_name_her(
    zaphod: Customer, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = Customer.objects.get(pk="other").metadata
    job = done("set_metadata", Selection.of([ID, "other"]), set={"plan": "max"})
    erase_after_reading(Undo, monkeypatch)
    back = undo(job, by=None)
    while claimed := claim():
        run(claimed)
    back.refresh_from_db()
    assert (back.state, back.problems.count()) == (State.OK, 1)
    assert Customer.objects.get(pk="other").metadata == before
    assert found_in_database() == []


def test_an_export_goes_on_that_has_only_her_namesake_in_it() -> None:
    Customer.register(id="a-namesake", name="Zoe Adams")
    Customer.register(id="later", name="Zoe Adams")
    job = start("export", by=None, selection=Selection.of(["a-namesake"]), parameters={"form": "csv"})
    running = claim(job.pk)
    assert running
    work = work_class("export")(running)
    batch = work.read(None)
    assert batch
    work.write(batch)
    running.save()
    erase(["later"], conversations=Conversations.DELETE)
    run(running)
    job.refresh_from_db()
    assert job.state == State.OK
    assert b"a-namesake,Zoe Adams" in job.result.read()


@pytest.mark.parametrize(
    "line", ['x,"Ann ""Z"" Lee",y\n', '{"name":"Ann \\"Z\\" Lee"}\n', 'x;ANN "z" LEE;y\n'], ids=["csv", "json", "plain"]
)
def test_files_name_her_however_they_write_her_name(line: str, tmp_path: Any) -> None:
    Customer.register(id="ann", name='Ann "Z" Lee')
    job = DataJob(kind="export", title="An export", state=State.OK, parameters={})
    job.result.save("customers.csv", ContentFile(("x" * 80 + "\n") * 20_000 + line), save=False)
    job.save()
    other = DataJob(kind="export", title="Another", state=State.OK, parameters={})
    other.result.save("customers.csv", ContentFile("Joann Zlee, Hannah\n"), save=False)
    other.save()
    erase(["ann"], conversations=Conversations.DELETE)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["customers.csv"]
    assert DataJob.objects.get(pk=other.pk).result.name


def test_what_she_said_elsewhere_is_found_by_an_index() -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET LOCAL enable_seqscan = off")
        plan = said_by(["ann", "bob"]).explain()
    assert "event_by_speaker" in plan


def test_others_are_asked_for_their_values_only_where_the_catalogue_keeps_one(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[str, str]] = []

    def others_with(key: str, value: str, ids: Any) -> bool:
        asked.append((key, value))
        return False

    for number in range(60):
        Customer.register(id=f"c{number:02}", name="C", metadata={"plan": "pro", "email": f"{number}@x.example"})
    keep_current()
    monkeypatch.setattr("customers.segments.traces._others_with", others_with)
    erase(["c07"], conversations=Conversations.DELETE)
    assert asked == [("plan", "pro")]
    assert "pro" not in MetadataKey.objects.get(key="plan").values
    assert MetadataKey.objects.get(key="email").customers == 59
