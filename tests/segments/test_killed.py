"""Processes that keep segments current are killed in the middle of everything, while others change everything."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from random import Random

import pytest

from customers.models import Customer, Segment, SegmentRun
from customers.segments import pinning, publishing
from customers.segments.editing import amend, make, refresh
from customers.segments.history import Cause, DeletedCustomer
from parlant_site.common.errors import Refusal
from tags.models import Tag
from tests.segments.membership import check_laws, check_settled, rule
from tests.segments.workers import Nursery, one_moment, until

PLANS = ["free", "pro", "team"]


@pytest.fixture(scope="module")
def _nursery(django_db_setup: None) -> Iterator[Nursery]:
    nursery = Nursery()
    yield nursery
    nursery.close()


@pytest.fixture
def nursery(_nursery: Nursery, database: None) -> Iterator[Nursery]:
    """A nursery of workers on the test's database."""
    yield _nursery
    _nursery.kill_all()


def is_settled() -> bool:
    """Answer whether nothing is on its way."""
    waiting = (Customer.objects.stale(), SegmentRun.objects.unfinished(), DeletedCustomer.objects.all())
    return not any(rows.exists() for rows in waiting)


def test_members_and_sizes_agree_whenever_processes_are_killed(nursery: Nursery) -> None:
    random = Random(11)
    Customer.objects.bulk_create(
        Customer(id=f"c{number:03}", name="C", metadata={"plan": PLANS[number % 3]}) for number in range(200)
    )
    pro = make(name="Pro", rule=rule("metadata.plan", "=", "pro"))
    make(name="Not pro", rule=rule("segments", "none", [pro.pk]))
    tag = Tag.add(name="Team")
    team = make(name="Team", rule=rule("metadata.plan", "=", "team"))
    publishing.publish(team, tag)
    make(name="Bearing", rule=rule("tags", "any", [tag.pk]))

    def change_something() -> None:
        key = f"c{random.randrange(200):03}"
        customer = Customer.objects.filter(pk=key).first()
        if customer is None:
            Customer.register(id=key, name="Again", metadata={"plan": random.choice(PLANS)})
        elif random.random() < 0.2:
            customer.remove()
        else:
            customer.amend(set_metadata={"plan": random.choice(PLANS)})
        if random.random() < 0.1:
            amend(random.choice([pro, team]), rule=rule("metadata.plan", "in", random.sample(PLANS, 2)))
        if random.random() < 0.1:
            refresh(Segment.objects.order_by("?").first() or pro)
        if random.random() < 0.1:
            pinning.pin(pro, key, is_in=random.random() < 0.5, reason="Because")

    for _ in range(6):
        nursery.start(2)
        end = time.monotonic() + random.uniform(0.2, 0.7)
        while time.monotonic() < end:
            with suppress(Refusal):
                change_something()
        nursery.kill_all()
        with one_moment():
            check_laws()
    nursery.start(2)
    until(is_settled, "nothing is ever settled")
    runs = [refresh(segment, Cause.RECONCILE) for segment in Segment.objects.all()]
    until(is_settled, "nobody reconciles")
    nursery.kill_all()
    with one_moment():
        check_settled()
    assert {SegmentRun.objects.get(pk=run.pk).drift for run in runs} == {0}
    assert {run.state for run in SegmentRun.objects.all()} == {"ok"}


def test_a_change_is_seen_by_a_worker_that_takes_over_from_a_killed_one(nursery: Nursery) -> None:
    anna = Customer.register(name="Anna")
    segment = make(name="Pro", rule=rule("metadata.plan", "=", "pro"))
    nursery.start()
    until(is_settled, "nothing is ever settled")
    nursery.kill_all()
    anna.amend(set_metadata={"plan": "pro"})
    nursery.start(2)
    until(segment.members.filter(customer=anna).exists, "nobody took over")
