"""Bulk actions and data jobs in the console: for whom, a preview, progress, cancel, undo."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from itertools import chain, combinations
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.http import QueryDict
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from customers.admin.filters import CustomerFilter
from customers.admin.selecting import FILTERS, selection_of
from customers.jobs.models import DataJob, State
from customers.jobs.running import claim, run
from customers.jobs.starting import start
from customers.models import Customer, CustomerTag
from customers.selection import Selection
from tags.models import Tag
from tests.admin.pages import names_listed, text_of

CUSTOMERS = "/admin/customers/customer/"
BULK = f"{CUSTOMERS}bulk/"
JOBS = "/admin/customers/datajob/"
pytestmark = pytest.mark.django_db


def run_all() -> None:
    while job := claim():
        run(job)


def people(number: int) -> list[Customer]:
    return [Customer.register(name=f"Person {place}", id=f"p{place}") for place in range(number)]


def page_of_job(browser: Client, answer: Any) -> str:
    assert answer.status_code == 302, answer.content
    return text_of(browser.get(answer["Location"]).content)


FILTERED = [
    *(
        f"{each.name}={value}"
        for each in FILTERS
        if each.name not in ("tag", "segment")
        for value, _ in each().choices()
    ),
    "seen=rubbish",
    "q=person",
    "tag=VIP",
    "tag=VIP&tag=EU",
    "tag=none",
]


@pytest.mark.parametrize("query", [*FILTERED, "q=person&seen=7&tag=VIP", ""])
def test_an_action_on_all_matches_is_for_exactly_those_whom_the_list_shows(query: str, browser: Client) -> None:
    tags = [Tag.add(name="VIP"), Tag.add(name="EU")]
    now = timezone.now()
    subsets = chain.from_iterable(combinations(tags, size) for size in range(3))
    for place, borne in enumerate([*subsets] * 3):
        customer = Customer.register(name=f"Person {place}" if place % 2 else f"Other {place}", tags=borne)
        days = (None, 0, 5, 20, 40, 100)[place % 6]
        Customer.objects.filter(pk=customer.pk).update(
            last_seen=None if days is None else now - timedelta(days=days, hours=1),
            creation_utc=now - timedelta(days=place * 3, hours=1),
            session_count=place % 3,
            manual_session_count=place % 3 // 2,
        )
    for tag in tags:
        query = query.replace(f"tag={tag.name}", f"tag={tag.pk}")
    listed = names_listed(browser, f"{CUSTOMERS}?{query}")
    selected = selection_of(QueryDict(query)).customers().values_list("name", flat=True)
    assert sorted(listed) == sorted(selected)


def test_every_filter_of_the_list_is_a_term_of_a_selection(browser: Client) -> None:
    shown = browser.get(CUSTOMERS).context["listing"].filters
    assert [type(each) for each in shown] == list(FILTERS)
    for each in FILTERS:
        assert issubclass(each, CustomerFilter)
        Selection.matching({each.term: None})  # a known one


def test_a_tag_of_the_menu_is_previewed_and_started_for_all_matches(browser: Client) -> None:
    people(4)
    vip = Tag.add(name="VIP")
    page = browser.get(CUSTOMERS, {"q": "person"}).content.decode()
    assert f'value="tag:{vip.pk}"' in page
    shown = browser.post(BULK, {"q": "person", "action": f"tag:{vip.pk}"})
    text = text_of(shown.content)
    assert "Search: person" in text
    assert "4 customers" in text
    assert "Tag 4 customers" in text
    assert [f"p{place} tag VIP" in text for place in range(4)] == [False, True, True, True]
    assert not DataJob.objects.exists()
    fields = dict(shown.context["carried"])
    Customer.register(name="Person too late")
    answer = browser.post(BULK, {**fields, "action": "tag", "form": "1", "do-tag": vip.pk, "start": "1"})
    run_all()
    text = page_of_job(browser, answer)
    assert "Changed 4" in text
    assert "mara Admin" in text
    assert "Search: person" in text
    job = DataJob.objects.get()
    assert (job.changed, job.selection and "ids" in job.selection) == (4, False)
    assert browser.post(f"{JOBS}{job.pk}/undo/").status_code == 302
    run_all()
    assert not CustomerTag.objects.exists()
    assert "See how it was undone" in text_of(browser.get(f"{JOBS}{job.pk}/change/").content)


def test_ticked_rows_are_taken_rather_than_all_who_match(browser: Client) -> None:
    people(4)
    vip = Tag.add(name="VIP")
    chosen = {"q": "person", "ids": ["p1", "p3"], "action": "tag", "form": "1", "do-tag": vip.pk}
    assert "2 customers whom you ticked" in text_of(browser.post(BULK, chosen).content)
    browser.post(BULK, {**chosen, "start": "1"})
    run_all()
    assert sorted(CustomerTag.objects.values_list("customer_id", flat=True)) == ["p1", "p3"]


def test_metadata_is_set_and_unset_by_a_form(browser: Client) -> None:
    people(2)
    whom = {"ids": ["p0", "p1"], "form": "1", "start": "1"}
    rows = {"do-metadata-key": ["plan", ""], "do-metadata-value": ["pro", ""]}
    shown = {"do-metadata-shown": "{}", "do-metadata-raw": "{}"}
    browser.post(BULK, {**whom, **shown, **rows, "action": "set_metadata"})
    run_all()
    assert Customer.objects.get(pk="p1").metadata == {"plan": "pro"}
    browser.post(BULK, {**whom, "action": "unset_metadata", "do-others": "plan\r\nnone"})
    run_all()
    assert Customer.objects.get(pk="p1").metadata == {}


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"action": "tag", "do-tag": "none"}, "Select a valid choice"),
        ({"action": "tag", "do-tag": ""}, "This field is required"),
        ({"action": "tag:no\0ne"}, "Null characters"),
        ({"action": "set_metadata", "do-metadata-shown": "{}", "do-metadata-raw": "{}"}, "Name a key"),
        ({"action": "set_metadata", "do-metadata-shown": "{}", "do-metadata-raw": '{"a":1}'}, "must be a string"),
        ({"action": "unset_metadata"}, "Choose a key."),
    ],
)
def test_what_says_nothing_is_refused_on_the_page_and_starts_nothing(
    sent: dict[str, str], said: str, browser: Client
) -> None:
    for data in ({**sent, "form": "1", "start": "1"}, {**sent, "form": "1", "as_of": "9" * 30, "ids": "a\0"}):
        if ":" in sent["action"]:
            del data["form"]
        answer = browser.post(BULK, data)
        assert answer.status_code == 200
        assert said in text_of(answer.content)
    assert not DataJob.objects.exists()


def test_nothing_is_done_to_everybody_when_the_segment_is_gone(browser: Client) -> None:
    listed = browser.get("/admin/customers/customer/?segment=gone")
    assert listed.context["listing"].page.rows == []
    assert browser.get("/admin/customers/segment/add/?segment=gone").status_code == 200
    data = {"action": "unset_metadata", "form": "1", "segment": "gone", "do-keys": "plan", "start": "1"}
    answer = browser.post(BULK, data, follow=True)
    assert answer.status_code == 200
    assert "There is no such segment" in text_of(answer.content)
    assert not DataJob.objects.exists()


def test_only_who_may_is_offered_actions_and_may_start_cancel_and_undo(browser_of: Callable[..., Client]) -> None:
    people(1)
    vip = Tag.add(name="VIP")
    watcher = browser_of("customers.view_customer", "customers.view_datajob")
    assert 'id="bulk"' not in watcher.get(CUSTOMERS).content.decode()
    send = {"action": "tag", "form": "1", "do-tag": vip.pk, "start": "1"}
    assert watcher.post(BULK, send).status_code == 403
    steward = browser_of("customers.view_customer", "customers.bulk_change")
    answer = steward.post(BULK, send)
    assert "Cancel" in page_of_job(steward, answer), "she sees her own job"
    job = DataJob.objects.get()
    page = f"{JOBS}{job.pk}/"
    assert "Cancel" not in text_of(watcher.get(f"{page}change/").content)
    for act in ("cancel", "undo"):
        assert watcher.post(f"{page}{act}/").status_code == 403
        assert steward.get(f"{page}{act}/").status_code == 405
    stranger = browser_of("customers.view_customer", "customers.bulk_change")
    for url in (f"{page}change/", f"{page}progress/", JOBS):
        assert stranger.get(url).status_code == 403
    assert steward.post(f"{page}cancel/").status_code == 302
    job.refresh_from_db()
    assert job.state == State.CANCELLED
    assert browser_of("customers.bulk_change").post(BULK, send).status_code == 403, "whom one does not see"


def test_problems_are_shown_row_by_row_and_a_refused_undo_says_why(browser: Client) -> None:
    people(3)
    vip = Tag.add(name="VIP")
    job = start("tag", by=None, selection=Selection.of(["p0", "p1", "p2"]), parameters={"tag": vip.pk})
    run_all()
    Customer.objects.get(pk="p0").amend(remove_tags=[vip.pk])
    Customer.objects.get(pk="p1").remove()
    page = f"{JOBS}{job.pk}/"
    back = page_of_job(browser, browser.post(f"{page}undo/"))
    assert "Waits for its turn" in back
    assert "manage.py run_agents" in back
    run_all()
    undone = DataJob.objects.get(undo_of=job)
    text = text_of(browser.get(f"{JOBS}{undone.pk}/change/").content)
    assert "p0 Changed since" in text
    assert "p1 The customer was deleted since" in text
    assert "Left as they are 2" in text
    assert "undone already" in text_of(browser.post(f"{page}undo/", follow=True).content)


def test_the_list_of_jobs_filters_and_takes_as_many_queries_for_many(browser: Client, operator: User) -> None:
    people(1)
    vip = Tag.add(name="VIP")

    def begin(number: int) -> None:
        for _ in range(number):
            start("tag", by=operator, selection=Selection.matching({}), parameters={"tag": vip.pk})

    begin(2)
    run_all()
    begin(1)
    browser.get(JOBS)
    with CaptureQueriesContext(connection) as few:
        browser.get(JOBS)
    begin(9)
    with CaptureQueriesContext(connection) as many:
        assert "queued" in text_of(browser.get(JOBS).content).lower()
    assert len(few) == len(many) <= 10

    def listed(query: str) -> int:
        return len(browser.get(f"{JOBS}?{query}").context["listing"].table)

    assert listed("") == 12
    assert listed("state=ok") == 2
    assert listed("state=queued&kind=tag") == 10
    assert listed("kind=undo") == 0
    assert listed("state=problems") == 0
    assert listed("q=vip&when=1") == 12
    assert listed(f"actor={operator.pk}&state=nonsense") == 12
    assert listed("actor=999999999999") == 12


def test_a_job_that_is_not_there_and_a_strange_id_are_no_error(browser: Client) -> None:
    assert browser.get(f"{JOBS}none/change/").status_code == 302
    assert browser.get(f"{JOBS}no%00ne/progress/").status_code == 302
    assert browser.post(BULK, {"action": "paint"}).status_code == 404
