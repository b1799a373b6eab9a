"""Two customers become one, and two again."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from threading import Event, Thread
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.utils import timezone

from customers.merging.choices import Choices, Side, TagChoice, state_of
from customers.merging.forgetting import forget_old_merges
from customers.merging.merge import MergeOutdated, MergeStays, SameCustomer, merge, unmerge
from customers.merging.models import CustomerAlias, CustomerMerge
from customers.models import Customer, CustomerIdTaken
from customers.parts import Conversations
from customers.privacy.erasing import erase, preview
from customers.privacy.subjects import GuestIsNobody
from customers.rules.faces import read_text
from customers.segments import listing, pinning
from customers.segments.editing import make
from customers.segments.models import Segment
from parlant_site.common.acting import Channel, acting
from parlant_site.common.audit import AuditEntry
from parlant_site.common.errors import BadInput, NotFound
from sessions_app.actions import open_session, post_customer_message
from sessions_app.activity import restate_customers
from sessions_app.models import Agent, MovedSession, Session
from tags.models import Tag
from tests.data.test_roles import user_in

KEPT = [
    "session_count", "manual_session_count", "customer_message_count", "ai_message_count", "human_message_count",
    "first_seen", "last_seen", "last_message_source", "last_message_utc",
]  # fmt: skip


@pytest.fixture(autouse=True)
def guest(database: None) -> Iterator[None]:
    """Leave the guest as she was."""
    yield
    Customer.objects.filter(pk="guest").update(metadata={}, stale=0)


@pytest.fixture
def two(database: None) -> None:
    """Make Ada, who stays, and her double, each with a conversation."""
    vip, trial, press = (Tag(id=name.lower(), name=name) for name in ("VIP", "Trial", "Press"))
    Tag.objects.bulk_create([vip, trial, press])
    ada = Customer.register(id="ada", name="Ada", metadata={"plan": "pro", "city": "Ulm"}, tags=[vip, press])
    metadata = {"plan": "free", "mail": "a@b", "note": "x"}
    double = Customer.register(id="double", name="Ada L.", metadata=metadata, tags=[trial, press])
    agent = Agent.create(id="iris", name="Iris")
    for customer in (ada, double):
        post_customer_message(open_session(agent=agent, customer=customer, title=customer.name), message="Hello")


def customer(key: str) -> Customer:
    return Customer.objects.get(pk=key)


def activity_is_exact(*keys: str) -> bool:
    """Answer whether what is kept about activity is what stating it anew makes of it."""
    kept = [Customer.objects.filter(pk=key).values(*KEPT).get() for key in keys]
    restate_customers(keys)
    return kept == [Customer.objects.filter(pk=key).values(*KEPT).get() for key in keys]


def test_by_default_the_survivor_keeps_hers_and_gains_what_she_lacks(two: None) -> None:
    merge("ada", "double", Choices())
    ada = customer("ada")
    assert ada.name == "Ada"
    assert ada.metadata == {"plan": "pro", "city": "Ulm", "mail": "a@b", "note": "x"}
    assert set(ada.tag_ids()) == {"vip", "trial", "press"}
    assert not Customer.objects.filter(pk="double").exists()


def test_each_field_is_a_choice(two: None) -> None:
    given = {"name": "other", "metadata": {"plan": "other", "city": "other", "mail": "survivor"}, "tags": "other"}
    merge("ada", "double", Choices.read(given))
    ada = customer("ada")
    assert ada.name == "Ada L."
    assert ada.metadata == {"plan": "free", "note": "x"}
    assert set(ada.tag_ids()) == {"trial", "press"}
    with pytest.raises(BadInput):
        Choices.read({"name": "nobody's"})


def test_sessions_move_and_activity_is_stated_anew(two: None) -> None:
    double_wrote = customer("double").last_seen
    merge("ada", "double", Choices())
    ada = customer("ada")
    assert (ada.session_count, ada.customer_message_count, ada.last_seen) == (2, 2, double_wrote)
    assert activity_is_exact("ada")
    assert set(Session.objects.values_list("customer_id", "customer_ref")) == {("ada", "ada")}
    assert ada.stale


def test_the_old_id_leads_to_the_survivor_over_rest(two: None) -> None:
    merge("ada", "double", Choices())
    api = Client()
    assert api.get("/customers/double").json()["id"] == "ada"
    assert len(api.get("/sessions?customer_id=double").json()) == 2
    body = {"agent_id": "iris", "customer_id": "double"}
    opened = api.post("/sessions", body, content_type="application/json")
    assert opened.json()["customer_id"] == "ada"
    changed = api.patch("/customers/double", {"metadata": {"set": {"a": "b"}}}, content_type="application/json")
    assert (changed.status_code, customer("ada").metadata["a"]) == (200, "b")
    pins = f"/segments/{make(name='By rule', rule=read_text('metadata.plan = none')).pk}/pins"
    body = {"customer_id": "double", "is_in": True, "reason": "Asked for it"}
    assert api.post(pins, body, content_type="application/json").json()["customer_id"] == "ada"
    assert api.get(f"{pins[:-5]}/explain?customer_id=double").json()["is_in"]
    assert (api.delete(f"{pins}/double").status_code, api.delete(f"{pins}/nobody").status_code) == (204, 404)
    assert api.get(pins).json() == []
    assert [one["id"] for one in api.get("/customers").json()] == ["guest", "ada"]


def test_nothing_is_deleted_or_taken_by_an_old_id(two: None) -> None:
    merge("ada", "double", Choices())
    api = Client()
    assert api.delete("/customers/double").status_code == 404
    assert api.delete("/sessions?customer_id=double").status_code == 204
    assert Session.objects.count() == 2
    with pytest.raises(CustomerIdTaken):
        Customer.register(id="double", name="Another")
    customer("ada").remove()
    assert api.get("/customers/double").status_code == 404
    Customer.register(id="double", name="Another")


def test_merges_are_refused_with_oneself_the_guest_and_nobody(two: None) -> None:
    merge("ada", "double", Choices())
    for other, refusal in (("ada", SameCustomer), ("double", SameCustomer), ("guest", GuestIsNobody)):
        with pytest.raises(refusal):
            merge("ada", other, Choices())
    with pytest.raises(NotFound):
        merge("ada", "nobody", Choices())


def test_who_chose_from_what_is_no_longer_so_is_asked_again(two: None) -> None:
    ada, double = customer("ada"), customer("double")
    seen = state_of(ada, double, {"ada": set(ada.tag_ids()), "double": set(double.tag_ids())})
    double.amend(set_metadata={"plan": "trial"})
    with pytest.raises(MergeOutdated):
        merge("ada", "double", Choices(), seen=seen)
    assert Customer.objects.filter(pk="double").exists()


def test_the_audit_says_who_merged_whom_and_what_changed(two: None) -> None:
    steward = user_in("Data steward")
    with acting(channel=Channel.ADMIN, user=steward):
        made = merge("ada", "double", Choices(name=Side.OTHER))
        unmerge(made.pk)
    about = AuditEntry.objects.by(steward.pk).order_by("id")
    assert [(e.act, e.object_id) for e in about] == [
        ("merged", "double"), ("merged", "ada"), ("unmerged", "double"), ("unmerged", "ada"),
    ]  # fmt: skip
    entry = about[1]
    assert (entry.before or {})["name"] == "Ada"
    assert (entry.after or {})["merged"] == "double"


def test_an_undo_brings_both_back_as_they_were(two: None) -> None:
    before = {c.pk: (c.name, c.metadata, set(c.tag_ids()), c.creation_utc) for c in Customer.objects.all()}
    made = merge("ada", "double", Choices(name=Side.OTHER, metadata={"plan": Side.OTHER}, tags=TagChoice.OTHER))
    assert unmerge(made.pk).left == []
    assert {c.pk: (c.name, c.metadata, set(c.tag_ids()), c.creation_utc) for c in Customer.objects.all()} == before
    assert Session.objects.get(title="Ada L.").customer_id == "double"
    assert Session.objects.get(title="Ada").customer_ref == "ada"
    assert activity_is_exact("ada", "double")
    assert not CustomerAlias.objects.exists()


def test_an_undo_respects_what_was_changed_since(two: None) -> None:
    made = merge("ada", "double", Choices(name=Side.OTHER, metadata={"plan": Side.OTHER}))
    customer("ada").amend(name="Countess", set_metadata={"plan": "gold"}, remove_tags=["trial"], add_tags=[])
    Session.objects.get(title="Ada L.").amend(customer=Customer.register(id="third", name="Third"))
    late = open_session(agent=Agent.objects.get(), customer=customer("ada"))
    left = unmerge(made.pk).left
    assert len(left) == 4
    ada = customer("ada")
    assert (ada.name, ada.metadata) == ("Countess", {"plan": "gold", "city": "Ulm"})
    assert set(ada.tag_ids()) == {"vip", "press"}
    assert Session.objects.get(title="Ada L.").customer_id == "third"
    assert Session.objects.get(pk=late.pk).customer_id == "ada"
    assert customer("double").metadata["plan"] == "free"
    assert activity_is_exact("ada", "double", "third")


def members(name: str) -> set[str]:
    return set(Segment.objects.get(name=name).members.values_list("customer_id", flat=True))


def test_lists_and_pins_move_and_come_back(two: None) -> None:
    press, gold = make(name="Press", is_static=True), make(name="Gold", rule=read_text("metadata.plan = gold"))
    listing.add(press, ["double"])
    pinning.pin(gold, "double", is_in=True, reason="She asked")
    made = merge("ada", "double", Choices())
    assert (members("Press"), members("Gold")) == ({"ada"}, {"ada"})
    assert Segment.objects.get(name="Press").size == 1
    assert unmerge(made.pk).left == []
    assert (members("Press"), members("Gold")) == ({"double"}, {"double"})
    assert gold.pins.get().customer_id == "double"
    made = merge("ada", "double", Choices())
    pinning.pin(gold, "ada", is_in=False, reason="Never")
    assert unmerge(made.pk).left == ["The pin in the segment Gold was changed since"]
    assert members("Gold") == {"double"}


def test_a_chain_of_merges_leads_to_the_last_and_is_undone_from_its_end(two: None) -> None:
    first = merge("ada", "double", Choices())
    Customer.register(id="last", name="Last")
    second = merge("last", "double", Choices())  # by an old id
    assert second.gone_id == "ada"
    assert Customer.at("double").pk == Customer.at("ada").pk == "last"
    with pytest.raises(MergeStays, match="that merge first"):
        unmerge(first.pk)
    unmerge(second.pk)
    assert Customer.at("double").pk == "ada"
    unmerge(first.pk)
    assert customer("double").session_count == 1
    with pytest.raises(MergeStays, match="already"):
        unmerge(first.pk)


def test_a_merge_can_be_undone_for_30_days_and_while_the_survivor_exists(two: None) -> None:
    made = merge("ada", "double", Choices())
    CustomerMerge.objects.filter(pk=made.pk).update(creation_utc=timezone.now() - timedelta(days=31))
    with pytest.raises(MergeStays, match="30 days"):
        unmerge(made.pk)
    CustomerMerge.objects.filter(pk=made.pk).update(creation_utc=timezone.now())
    customer("ada").remove()
    with pytest.raises(MergeStays, match="gone"):
        unmerge(made.pk)


def test_what_is_kept_to_undo_a_merge_is_forgotten_when_it_cannot_be_undone(two: None) -> None:
    made, young = merge("ada", "double", Choices()), merge("ada", Customer.register(name="Third").pk, Choices())
    undone = merge("ada", Customer.register(name="Fourth").pk, Choices())
    unmerge(undone.pk)
    old = timezone.now() - timedelta(days=30, minutes=1)
    CustomerMerge.objects.filter(pk=made.pk).update(creation_utc=old)
    assert forget_old_merges(timezone.now()) == 2
    assert forget_old_merges(timezone.now()) == 0
    for row in CustomerMerge.objects.filter(pk__in=[made.pk, undone.pk]):
        assert (row.gone, row.before, row.after, row.aliases, row.moved) == ({}, {}, {}, [], {})
    assert not MovedSession.objects.filter(merge=made.pk).exists()
    with pytest.raises(MergeStays, match="30 days"):
        unmerge(made.pk)
    assert Customer.at("double").pk == "ada"
    unmerge(young.pk)
    assert Customer.objects.get(pk=young.gone_id).name == "Third"
    browser = Client()
    browser.force_login(User.objects.create_superuser("boss"))
    page = browser.get("/admin/customers/customer/ada/change/")
    assert "double" in page.content.decode()
    assert "A merge can be undone for 30 days" in page.content.decode()


def test_customers_who_write_meanwhile_lose_no_message_and_block_nobody(two: None) -> None:
    sessions = list(Session.objects.all())
    refused: list[Exception] = []
    stop = Event()

    def write(session: Session) -> None:
        try:
            while not stop.is_set():
                post_customer_message(session, message="And another thing")
        except Exception as error:
            refused.append(error)
        finally:
            connection.close()

    writers = [Thread(target=write, args=[session]) for session in sessions]
    for writer in writers:
        writer.start()
    try:
        for _ in range(5):
            unmerge(merge("ada", "double", Choices()).pk)
    finally:
        stop.set()
        for writer in writers:
            writer.join(30)
    assert refused == []
    assert activity_is_exact("ada", "double")
    written = sum(Session.objects.values_list("next_offset", flat=True))
    assert customer("ada").customer_message_count + customer("double").customer_message_count == written


def test_who_was_merged_is_erased_with_the_survivor(two: None) -> None:
    merge("ada", "double", Choices())
    [proof] = erase(["double"], conversations=Conversations.DELETE)
    assert (proof.counts["sessions"], proof.counts["merges"]) == (2, 1)
    assert not Customer.objects.exclude(pk="guest").exists()
    assert not AuditEntry.objects.filter(object_id__in=["ada", "double"]).exists()


@pytest.mark.parametrize(("erased", "stays"), [("double", "ada"), ("ada", "double")])
def test_who_was_merged_for_a_while_is_erased_from_the_audit_of_the_other(two: None, erased: str, stays: str) -> None:
    unmerge(merge("ada", "double", Choices(metadata={"city": Side.OTHER})).pk)
    announced = preview(erased)["audit_entries"]
    [proof] = erase([erased], conversations=Conversations.DELETE)
    assert proof.counts["audit_entries"] == announced
    entries = AuditEntry.objects.about("customer", stays)
    assert [entry.act for entry in entries] == ["unmerged", "merged", "created"]
    kept = str([(entry.object_name, entry.before, entry.after) for entry in entries])
    assert f"'{erased}'" not in kept
    assert {"ada": "Ulm", "double": "a@b"}[erased] not in kept


def test_the_command_merges_and_undoes(two: None) -> None:
    out = StringIO()
    call_command("merge_customers", "ada", "double", "--take", "plan", "--tags", "survivor", stdout=out)
    assert customer("ada").metadata["plan"] == "free"
    call_command("merge_customers", "--undo", CustomerMerge.objects.get().pk, stdout=out)
    assert customer("double").name == "Ada L."
    for arguments in (["ada"], ["ada", "nobody"], ["--undo", "nothing"]):
        with pytest.raises(CommandError):
            call_command("merge_customers", *arguments, stdout=out)


def test_merging_takes_as_many_statements_for_many_sessions(two: None, django_assert_max_num_queries: Any) -> None:
    agent = Agent.objects.get()
    for _ in range(30):
        open_session(agent=agent, customer=customer("double"))
    with django_assert_max_num_queries(50):
        merge("ada", "double", Choices())
