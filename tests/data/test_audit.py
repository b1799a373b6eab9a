"""The audit records every change with who, through what, before and after."""

import httpx
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from knox.models import AuthToken

from customers.models import Customer
from parlant_site.common.acting import Channel, acting
from parlant_site.common.audit import Act, AuditEntry, WrittenOnce
from sessions_app.models import Agent
from tags.models import Tag
from tests.data.test_roles import as_role
from tests.processes import Server


@pytest.fixture
def ada(db: None) -> Customer:
    return Customer.register(name="Ada", id="ada", metadata={"plan": "free", "city": "Ulm"})


def latest(kind: str, key: str) -> AuditEntry:
    entry = AuditEntry.objects.about(kind, key).first()
    assert entry is not None
    return entry


def test_a_change_of_a_customer_says_what_differs_and_nothing_else(ada: Customer) -> None:
    vip = Tag.add(name="VIP")
    ada.amend(name="Ada L.", set_metadata={"plan": "pro", "city": "Ulm"}, unset_metadata=["none"], add_tags=[vip.pk])
    entry = latest("customer", "ada")
    assert entry.act == Act.CHANGED
    assert entry.before == {"name": "Ada", "metadata": {"plan": "free"}, "tags": []}
    assert entry.after == {"name": "Ada L.", "metadata": {"plan": "pro"}, "tags": [vip.pk]}


def test_a_change_that_changes_nothing_is_not_recorded(ada: Customer) -> None:
    before = AuditEntry.objects.count()
    ada.amend(name="Ada", set_metadata={"plan": "free"}, unset_metadata=["none"])
    Tag.add(name="VIP").rename("VIP")
    assert AuditEntry.objects.count() == before + 1  # the tag's making


def test_what_goes_is_kept_whole_in_the_entry(ada: Customer) -> None:
    agent = Agent.create(name="Iris")
    agent.remove()
    ada.remove()
    assert latest("customer", "ada").before == {"name": "Ada", "metadata": {"plan": "free", "city": "Ulm"}, "tags": []}
    assert AuditEntry.objects.filter(kind="agent", act=Act.DELETED, before__name="Iris").exists()


def test_an_entry_costs_one_statement(ada: Customer) -> None:
    with CaptureQueriesContext(connection) as queries:
        ada.amend(name="Ada L.")
    assert sum("auditentry" in query["sql"] for query in queries) == 1


def test_who_acts_and_through_what_is_written_down(ada: Customer, django_user_model: type) -> None:
    olga = django_user_model.objects.create_user("olga")
    with acting(channel=Channel.ADMIN, user=olga):
        ada.amend(name="A")
    with acting(channel=Channel.COMMAND, name="root"):
        ada.amend(name="B")
    ada.amend(name="C")
    entries = AuditEntry.objects.about("customer", "ada")
    assert [(e.actor_name, e.channel) for e in entries] == [
        ("", "system"),
        ("root", "command"),
        ("olga", "admin"),
        ("", "system"),
    ]
    assert entries.by(olga.pk).get().after == {"name": "A"}
    assert entries.through(Channel.COMMAND).get().after == {"name": "B"}
    middle = entries.by(olga.pk).get().at
    assert entries.between(middle).count() == 3
    assert entries.between(None, middle).count() == 1


def test_entries_are_written_once(ada: Customer) -> None:
    entry = latest("customer", "ada")
    for change in (entry.save, entry.delete, AuditEntry.objects.all().delete):
        with pytest.raises(WrittenOnce):
            change()
    with pytest.raises(WrittenOnce):
        AuditEntry.objects.update(actor_name="nobody")


def test_a_token_s_user_is_the_actor_although_rest_framework_authenticates_late(production_server: Server) -> None:
    with as_role(production_server, "Data steward") as http:
        key = http.post("/customers", json={"name": "Ada"}).json()["id"]
        assert http.patch(f"/customers/{key}", json={"name": "Ada L."}).status_code == 200
    assert [(e.act, e.actor_name, e.channel) for e in AuditEntry.objects.about("customer", key)] == [
        ("changed", "data-steward", "rest"),
        ("created", "data-steward", "rest"),
    ]
    assert AuthToken.objects.count() == 1


def test_an_anonymous_caller_has_no_name_and_a_refused_change_no_entry(http: httpx.Client, database: None) -> None:
    key = http.post("/customers", json={"name": "Ada"}).json()["id"]
    refused = http.patch(f"/customers/{key}", json={"name": "Eve", "tags": {"add": ["none"]}})
    assert refused.status_code == 404
    entry = AuditEntry.objects.about("customer", key).get()
    assert (entry.act, entry.actor_name, entry.actor_id, entry.channel) == ("created", "", None, "rest")
