"""Whatever happens to customers and segments, in whatever order: members are whom the rules name, the past adds up."""

from __future__ import annotations

from contextlib import suppress
from random import Random

import pytest

from customers.models import Customer, Segment
from customers.segments import listing, pinning, publishing
from customers.segments.editing import amend, make, refresh, remove
from customers.segments.history import Cause
from customers.segments.stale import settle
from customers.segments.worker import Keeper, settle_all
from parlant_site.common.errors import Refusal
from sessions_app.events import Kind, Source
from sessions_app.models import Agent, Session
from tags.models import Tag
from tests.segments.membership import check_laws, check_settled, rule

pytestmark = pytest.mark.django_db
PLANS = ["free", "pro", "team"]


class World:
    """Some customers, tags and segments, and everything that can be done to them."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.agent = Agent.create(name="Iris")
        self.tags = [Tag.add(name=f"Tag {number}") for number in range(3)]
        self.rules = [
            *(rule("metadata.plan", "=", plan) for plan in PLANS),
            rule("tags", "any", [self.tags[0].pk, self.tags[2].pk]),
            rule("customer_message_count", ">", 0),
            rule("waiting_since", "withinLast", "1 day"),
            rule("name", "!=", "Anna"),
        ]
        for _ in range(5):
            with suppress(Refusal):
                self.register()
        base = make(name="Base", rule=self.rules[0])
        make(name="Not base", rule=rule("segments", "none", [base.pk]))
        make(name="Other", rule=self.random.choice(self.rules))
        make(name="List", is_static=True)

    def customer(self) -> Customer:
        return self.random.choice(list(Customer.objects.order_by("pk")))

    def segment(self) -> Segment:
        return self.random.choice(list(Segment.objects.order_by("name")))

    def register(self) -> None:
        key = f"c{self.random.randrange(30)}"  # some of them come again
        Customer.register(id=key, name="Anna", metadata={"plan": self.random.choice(PLANS)})

    def metadata(self) -> None:
        self.customer().amend(set_metadata={"plan": self.random.choice(PLANS)})

    def tag(self) -> None:
        self.customer().amend(add_tags=[self.random.choice(self.tags).pk])

    def untag(self) -> None:
        self.customer().amend(remove_tags=[self.random.choice(self.tags).pk])

    def talk(self) -> None:
        session = Session.open(agent=self.agent, customer=self.customer())
        session.append_event(kind=Kind.MESSAGE, source=Source.CUSTOMER, data={"message": "Hi"})

    def delete(self) -> None:
        self.customer().remove()

    def pin(self) -> None:
        is_in = self.random.random() < 0.5
        pinning.pin(self.segment(), self.customer().pk, is_in=is_in, reason="Because")

    def unpin(self) -> None:
        pinning.unpin(self.segment(), self.customer().pk)

    def list(self) -> None:
        listing.add(self.segment(), [self.customer().pk])

    def unlist(self) -> None:
        listing.take_off(self.segment(), [self.customer().pk])

    def edit(self) -> None:
        segment = self.segment()
        if segment.name != "Not base":
            amend(segment, rule=self.random.choice(self.rules))

    def make(self) -> None:
        make(name=f"More {self.random.random()}", rule=self.random.choice(self.rules))

    def remove(self) -> None:
        if Segment.objects.count() > 4:
            remove(self.segment())

    def publish(self) -> None:
        publishing.publish(self.segment(), self.random.choice(self.tags))

    def unpublish(self) -> None:
        publishing.unpublish(self.segment())

    def refresh(self) -> None:
        refresh(self.segment(), self.random.choice([Cause.REFRESH, Cause.RECONCILE]))

    def look_a_little(self) -> None:
        keeper = Keeper()
        for _ in range(self.random.randrange(3)):
            keeper.look()
        keeper.give_back()

    def die_in_the_middle(self) -> None:
        keeper = Keeper()
        if keeper._leads() and keeper.stale is not None:
            claimed = keeper.stale._claim(3)
            if self.random.random() < 0.5:
                settle(claimed)  # and never cleared
        keeper.give_back()


@pytest.mark.parametrize("seed", range(3))
def test_members_are_right_after_any_history(seed: int) -> None:
    world = World(seed)
    acts = [name for name in vars(World) if name not in ("customer", "segment") and not name.startswith("_")]
    for number in range(100):
        with suppress(Refusal):  # of the guest, of a list, of a reserved tag, of a circle...
            getattr(world, world.random.choice(acts))()
        if number % 10 == 0:
            check_laws()
        if number % 33 == 32:
            settle_all()
            check_settled()
    drift = []
    for segment in Segment.objects.all():
        run = refresh(segment, Cause.RECONCILE)
        settle_all()
        run.refresh_from_db()
        drift.append(run.drift)
    assert set(drift) <= {0}
