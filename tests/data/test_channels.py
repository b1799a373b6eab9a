"""The audit says through which channel a change came, and who made it: one test per channel."""

from __future__ import annotations

import getpass
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from knox.models import AuthToken

from customers.jobs.running import claim, run
from customers.jobs.starting import start
from customers.models import Customer
from customers.selection import Selection
from parlant_site.common.acting import Channel, acting, current
from parlant_site.common.audit import AuditEntry
from sessions_app.callers import Caller
from tests.processes import database_url, manage


def latest() -> tuple[str, str, int | None]:
    """Answer channel, name and user of the newest entry on Ada."""
    entry = AuditEntry.objects.about("customer", "ada").order_by("-id")[0]
    return entry.channel, entry.actor_name, entry.actor_id


@pytest.fixture
def mara(database: None) -> User:
    """Make a superuser, and Ada with her double."""
    Customer.register(id="ada", name="Ada")
    Customer.register(id="double", name="Ada")
    return User.objects.create_superuser("mara")


@pytest.mark.one_database
def test_a_command_is_typed_by_whoever_is_signed_in_to_the_machine(mara: User) -> None:
    connection.close()
    ended = manage("merge_customers", "ada", "double", PARLANT_DATABASE_URL=database_url())
    assert ended.returncode == 0, ended.stderr
    assert latest() == ("command", getpass.getuser(), None)


def test_the_admin_s_operator_is_the_actor(mara: User) -> None:
    browser = Client()
    browser.force_login(mara)
    browser.post("/admin/customers/customer/ada/merge/", {"with": "double", "seen": _seen(browser), "tags": "both"})
    assert latest() == ("admin", "mara", mara.pk)


def test_over_rest_the_token_s_user_is_the_actor_and_nobody_without_one(mara: User, settings: Any) -> None:
    _, token = AuthToken.objects.create(mara)
    body, headers = {"name": "Ada L."}, {"Authorization": f"Bearer {token}"}
    assert Client().patch("/customers/ada", body, content_type="application/json").status_code == 200
    assert latest() == ("rest", "", None)
    settings.PARLANT_POLICY = "production"
    body = {"name": "Ada M."}
    assert Client(headers=headers).patch("/customers/ada", body, content_type="application/json").status_code == 200
    assert latest() == ("rest", "mara", mara.pk)


def test_over_a_websocket_the_socket_s_user_is_the_actor(mara: User, settings: Any) -> None:
    settings.PARLANT_POLICY = "production"
    _, token = AuthToken.objects.create(mara)
    headers = [(b"host", b"testserver"), (b"authorization", f"Bearer {token}".encode())]
    caller = Caller({"type": "websocket", "path": "/ws/sessions", "headers": headers, "query_string": b""})
    assert caller._call("PATCH", "/customers/ada", "", b'{"name": "Ada W."}').status == 200
    assert latest() == ("websocket", "mara", mara.pk)
    assert current().channel == Channel.SYSTEM, "and nothing of it stays behind"


def test_what_an_application_does_in_its_own_process_is_told_by_its_name(mara: User) -> None:
    with acting(channel=Channel.SDK, name="shop"):
        Customer.at("ada").amend(name="Ada S.")
    assert latest() == ("sdk", "shop", None)


def test_a_job_acts_for_whoever_started_it_through_her_channel(mara: User) -> None:
    with acting(channel=Channel.ADMIN, user=mara):
        start("set_metadata", by=mara, selection=Selection.of(["ada"]), parameters={"set": {"a": "b"}})
    while job := claim():
        run(job)
    assert latest() == ("admin", "mara", mara.pk)


def test_what_nobody_does_the_system_does(mara: User) -> None:
    Customer.at("ada").amend(name="Ada X.")
    assert latest() == ("system", "", None)


def _seen(browser: Client) -> str:
    page = browser.get("/admin/customers/customer/ada/merge/", {"with": "double"})
    return str(page.context["seen"])
