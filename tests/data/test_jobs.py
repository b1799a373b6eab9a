"""Bulk actions are durable jobs: previewed, resumed after a kill, cancelled, undone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, OperationalError
from django.utils import timezone

from customers.jobs.bulk import SetMetadata, preview
from customers.jobs.models import CannotBeUndone, DataJob, State
from customers.jobs.running import claim, run
from customers.jobs.starting import cancel, start, undo
from customers.jobs.worker import Worker
from customers.merging.choices import Choices
from customers.merging.merge import merge
from customers.models import Customer, CustomerTag
from customers.segments.models import Segment
from customers.selection import Selection
from parlant_site.common.acting import Channel, acting
from parlant_site.common.audit import AuditEntry
from parlant_site.common.errors import BadInput, NotFound
from tags.models import Tag
from tests.data.test_roles import user_in
from tests.processes import ROOT, clean_environment, database_url


@pytest.fixture(autouse=True)
def guest(database: None) -> Iterator[None]:
    """Leave the guest, who stays when a test's rows go, as she was."""
    yield
    Customer.objects.filter(pk="guest").update(metadata={}, stale=0)


def people(number: int, **metadata: str) -> None:
    """Make customers c0000, c0001, ..."""
    Customer.objects.bulk_create(
        Customer(id=f"c{index:04}", name=f"Customer {index}", metadata={"plan": "free", **metadata})
        for index in range(number)
    )


def run_all() -> None:
    while job := claim():
        run(job)


def done(kind: str, selection: Selection, **parameters: Any) -> DataJob:
    """Start a job, run it here and answer it."""
    job = start(kind, by=None, selection=selection, parameters=parameters)
    run_all()
    job.refresh_from_db()
    return job


def everybody() -> Selection:
    """Answer the selection of all there are now."""
    return Selection.matching({})


def test_a_query_travels_instead_of_the_ids_and_who_comes_later_is_left_out() -> None:
    people(1203)
    vip = Tag.add(name="VIP")
    job = start("tag", by=None, selection=Selection.matching({"search": "Customer"}), parameters={"tag": vip.pk})
    Customer.register(name="Customer too late", id="late")
    assert job.total == 1203
    assert "ids" not in (job.selection or {})
    run_all()
    job.refresh_from_db()
    assert (job.state, job.done, job.changed, job.failed, job.percent) == ("ok", 1203, 1203, 0, 100)
    assert CustomerTag.objects.filter(tag=vip).count() == 1203
    assert not CustomerTag.objects.filter(customer="late").exists()
    entry = AuditEntry.objects.about("customer", "c0007").of_job(job.pk).get()
    assert (entry.before, entry.after) == ({"tags": []}, {"tags": [vip.pk]})


def test_an_action_that_makes_customers_leave_the_query_still_does_all_of_them() -> None:
    people(1100)
    vip = Tag.add(name="VIP")
    assert done("tag", Selection.matching({"tags": {"none": [vip.pk]}}), tag=vip.pk).changed == 1101  # and the guest
    assert done("untag", Selection.matching({"tags": {"any": [vip.pk]}}), tag=vip.pk).changed == 1101
    assert not CustomerTag.objects.exists()


def test_metadata_is_set_and_unset_and_customers_are_looked_at_again_by_segments() -> None:
    people(3)
    Customer.objects.update(stale=0)
    chosen = Selection.of(["c0000", "c0001"])
    assert done("set_metadata", chosen, set={"plan": "pro", "ü": "ö"}).changed == 2
    assert done("unset_metadata", chosen, unset=["ü", "none"]).changed == 2
    assert Customer.objects.get(pk="c0001").metadata == {"plan": "pro"}
    assert list(Customer.objects.order_by("pk").values_list("stale", flat=True)) == [4, 4, 0, 0]


def test_what_is_already_so_is_neither_changed_nor_recorded() -> None:
    people(2)
    job = done("set_metadata", everybody(), set={"plan": "free"})
    assert (job.done, job.changed) == (3, 1)  # the guest
    assert AuditEntry.objects.of_job(job.pk).count() == 1


def test_a_preview_says_for_how_many_and_shows_three_before_and_after() -> None:
    people(30)
    shown = preview("set_metadata", selection=everybody(), parameters={"set": {"plan": "pro"}})
    assert shown.total == 31
    assert len(shown.samples) == 3
    assert shown.samples[0].before == {"metadata": {"plan": "free"}}
    assert shown.samples[0].after == {"metadata": {"plan": "pro"}}
    assert Customer.objects.filter(metadata__plan="pro").count() == 0


def test_wrong_parameters_unknown_terms_and_missing_permissions_start_nothing() -> None:
    with pytest.raises(NotFound):
        start("tag", by=None, selection=everybody(), parameters={"tag": "none"})
    for parameters in ({}, {"set": {}}, {"set": {"a": 1}}, {"set": {"a": "\0"}}, {"set": []}):
        with pytest.raises(BadInput):
            start("set_metadata", by=None, selection=everybody(), parameters=parameters)
    with pytest.raises(BadInput, match="Unknown term"):
        Selection.matching({"moon": "full"})
    with pytest.raises(BadInput):
        start("paint", by=None, selection=everybody())
    with pytest.raises(PermissionDenied):
        start("set_metadata", by=user_in("Operator"), selection=everybody(), parameters={"set": {"a": "b"}})
    assert not DataJob.objects.exists()


def test_undo_puts_back_what_nobody_changed_since_and_reports_the_rest() -> None:
    people(700)
    vip = Tag.add(name="VIP")
    steward = user_in("Data steward")
    with acting(channel=Channel.ADMIN, user=steward):
        job = start("set_metadata", by=steward, selection=everybody(), parameters={"set": {"plan": "pro", "new": "1"}})
    run_all()
    Customer.objects.get(pk="c0001").amend(set_metadata={"plan": "gold"})
    Customer.objects.get(pk="c0002").amend(set_metadata={"city": "Ulm"}, add_tags=[vip.pk])
    Customer.objects.get(pk="c0003").remove()
    job.refresh_from_db()
    with acting(channel=Channel.ADMIN, user=steward):
        back = undo(job, by=steward)
    run_all()
    back.refresh_from_db()
    assert (back.state, back.done, back.changed, back.skipped, back.failed) == ("ok", 701, 699, 2, 0)
    assert {p.ref: p.reason for p in back.problems.all()} == {
        "c0001": "Changed since",
        "c0003": "The customer was deleted since",
    }
    assert Customer.objects.get(pk="c0001").metadata == {"plan": "gold", "new": "1"}
    assert Customer.objects.get(pk="c0002").metadata == {"plan": "free", "city": "Ulm"}
    assert Customer.objects.get(pk="c0699").metadata == {"plan": "free"}
    assert Customer.guest().metadata == {}
    entry = AuditEntry.objects.about("customer", "c0699").first()
    assert entry is not None
    assert (entry.actor_name, entry.channel, entry.job_id) == ("data-steward", "admin", back.pk)
    with pytest.raises(CannotBeUndone, match="already"):
        undo(job, by=steward)
    with pytest.raises(CannotBeUndone):
        undo(back, by=steward)


def test_undo_of_a_tag_leaves_who_bore_it_before() -> None:
    people(4)
    vip = Tag.add(name="VIP")
    Customer.objects.get(pk="c0000").amend(add_tags=[vip.pk])
    job = done("tag", everybody(), tag=vip.pk)
    assert job.changed == 4
    undo(job, by=None)
    run_all()
    assert list(CustomerTag.objects.values_list("customer_id", flat=True)) == ["c0000"]


def test_undo_ends_after_thirty_days() -> None:
    people(1)
    job = done("set_metadata", everybody(), set={"a": "b"})
    DataJob.objects.update(finished_utc=timezone.now() - timedelta(days=30, seconds=1))
    job.refresh_from_db()
    with pytest.raises(CannotBeUndone, match="30 days"):
        undo(job, by=None)


def test_a_cancelled_job_stops_after_its_chunk_and_what_it_did_can_be_undone() -> None:
    people(1800)
    job = start("set_metadata", by=None, selection=everybody(), parameters={"set": {"plan": "pro"}})
    waiting = start("set_metadata", by=None, selection=everybody(), parameters={"set": {"plan": "max"}})
    assert cancel(waiting, by=None).state == State.CANCELLED
    claimed = claim(job.pk)
    assert claimed is not None
    ended = run(claimed, progress=lambda running: cancel(DataJob.objects.get(pk=running.pk), by=None) and None)
    assert (ended.state, ended.done, ended.changed) == ("cancelled", 500, 500)
    assert Customer.objects.filter(metadata__plan="pro").count() == 500
    undo(ended, by=None)
    run_all()
    assert Customer.objects.filter(metadata__plan="pro").count() == 0
    assert claim() is None


def test_a_process_that_was_thought_dead_writes_nothing_more() -> None:
    people(1200)
    job = start("set_metadata", by=None, selection=everybody(), parameters={"set": {"plan": "pro"}})
    slow = claim()
    assert slow is not None

    def taken_over(running: DataJob) -> None:
        if running.lease_token == slow.lease_token and running.done == 500:
            DataJob.objects.filter(pk=job.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
            other = claim()
            assert other is not None
            run(other)

    ended = run(slow, progress=taken_over)
    assert (ended.state, ended.done, ended.changed) == ("ok", 1201, 1201)
    assert AuditEntry.objects.of_job(job.pk).filter(kind="customer").count() == 1201


def test_an_error_fails_the_job_with_a_sentence_and_keeps_what_was_done() -> None:
    people(2)
    job = start("set_metadata", by=None, selection=everybody(), parameters={"set": {"plan": "pro"}})
    DataJob.objects.update(selection={"query": {"moon": 1}, "as_of": timezone.now().isoformat()})
    run_all()
    job.refresh_from_db()
    assert job.state == "failed"
    assert "Unknown term" in job.error


RUN_ONE = """
import django; django.setup()
from customers.jobs.running import claim, run
run(claim(), progress=lambda job: print(job.done, flush=True))
"""


def test_after_kill_9_another_process_goes_on_and_every_row_is_done_once() -> None:
    people(4000)
    environment = clean_environment(
        DJANGO_SETTINGS_MODULE="parlant_site.settings",
        PARLANT_HOME=os.environ["PARLANT_HOME"],
        PARLANT_DATABASE_URL=database_url(),
    )
    job = start("set_metadata", by=None, selection=everybody(), parameters={"set": {"plan": "pro"}})
    for _ in range(2):
        process = subprocess.Popen([sys.executable, "-c", RUN_ONE], cwd=ROOT, env=environment, stdout=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        process.stdout.close()
        job.refresh_from_db()
        assert job.state == "running"
        assert 0 < job.done < 4001
        assert job.changed == job.done == Customer.objects.filter(metadata__plan="pro").count()
        assert claim() is None  # the lease of the dead process holds
        DataJob.objects.update(lease_until=timezone.now() - timedelta(seconds=1))  # half a minute passes
    worker = Worker()
    thread = threading.Thread(target=worker.work)
    thread.start()
    try:
        deadline = time.monotonic() + 30
        while not job.is_final and time.monotonic() < deadline:
            time.sleep(0.05)
            job.refresh_from_db()
    finally:
        worker.stopping.set()
        worker.wake()
        thread.join()
    assert (job.state, job.done, job.changed) == ("ok", 4001, 4001)
    entries = AuditEntry.objects.of_job(job.pk).filter(kind="customer")
    assert entries.count() == entries.values("object_id").distinct().count() == 4001


def test_who_chose_somebody_that_is_gone_by_now_is_told() -> None:
    people(4)
    tag = Tag.add(name="VIP")
    chosen = Selection.of(["c0000", "c0001", "c0002", "c0003"])
    listed = Segment.objects.create(name="Listed", kind="static")
    jobs = [
        start("tag", by=None, selection=chosen, parameters={"tag": tag.pk}),
        start("list_add", by=None, selection=chosen, parameters={"segment": listed.pk}),
        start("list_remove", by=None, selection=chosen, parameters={"segment": listed.pk}),
        start("set_metadata", by=None, selection=Selection.matching({}), parameters={"set": {"plan": "pro"}}),
    ]
    Customer.objects.get(pk="c0001").remove()
    merge("c0000", "c0003", Choices())
    run_all()
    for job in jobs:
        job.refresh_from_db()
    by_ids, by_query = jobs[:3], jobs[3]
    for job in by_ids:
        assert (job.state, job.total, job.done, job.changed, job.failed) == ("ok", 4, 4, 2, 2)
        assert [each.ref for each in job.problems.all()] == ["c0001", "c0003"]
    assert (by_query.done, by_query.failed) == (3, 0), "the guest, and the two who are there"


def test_a_tag_that_was_deleted_meanwhile_fails_the_job_with_a_sentence() -> None:
    people(2)
    tag = Tag.add(name="VIP")
    job = start("tag", by=None, selection=Selection.matching({}), parameters={"tag": tag.pk})
    key = tag.pk
    tag.remove()
    run_all()
    job.refresh_from_db()
    assert (job.state, job.changed) == ("failed", 0)
    assert job.error == str(NotFound("Tag", key).detail)


@pytest.mark.parametrize("error", [OperationalError("deadlock detected"), IntegrityError("a row went")])
def test_a_chunk_whose_way_others_stood_in_is_done_again_and_counted_once(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    people(3)
    job = start("set_metadata", by=None, selection=Selection.matching({}), parameters={"set": {"plan": "pro"}})
    failures = [error, error]
    write = SetMetadata.write

    def disturbed(self: SetMetadata, batch: Any) -> Any:
        outcome = write(self, batch)
        if failures:
            raise failures.pop()
        return outcome

    monkeypatch.setattr(SetMetadata, "write", disturbed)
    run_all()
    job.refresh_from_db()
    assert (job.state, job.done, job.changed) == ("ok", 4, 4)
    assert AuditEntry.objects.of_job(job.pk).filter(kind="customer").count() == 4
    failures += [error] * 3
    job = start("set_metadata", by=None, selection=Selection.matching({}), parameters={"set": {"plan": "max"}})
    run_all()
    job.refresh_from_db()
    assert (job.state, job.done, job.changed) == ("failed", 0, 0)
    assert not Customer.objects.filter(metadata__plan="max").exists()
