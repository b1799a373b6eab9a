"""Roles are groups, whose permissions REST asks."""

from io import StringIO
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.contrib.auth.models import Group, Permission, User
from django.core.management import CommandError, call_command
from django.core.management.sql import emit_post_migrate_signal
from django.db import DEFAULT_DB_ALIAS
from django.test import Client
from knox.models import AuthToken

from customers.models import Customer
from customers.segments.editing import make
from customers.segments.worker import settle_all
from parlant_site.common.audit import AuditEntry
from parlant_site.roles import ROLES
from tests.processes import Server


def user_in(role: str) -> User:
    user = User.objects.create_user(role.lower().replace(" ", "-"))
    user.groups.add(Group.objects.get(name=role))
    return user


def as_role(server: Server, role: str) -> httpx.Client:
    _, token = AuthToken.objects.create(user_in(role))
    return httpx.Client(base_url=server.url, headers={"Authorization": f"Bearer {token}"}, timeout=30)


@pytest.mark.django_db
def test_every_role_is_a_group_that_may_what_exists_of_its_permissions() -> None:
    existing = {f"{p.content_type.app_label}.{p.codename}" for p in Permission.objects.select_related("content_type")}
    for name, codenames in ROLES.items():
        granted = Group.objects.get(name=name).permissions.select_related("content_type")
        wanted = existing if codenames == ["*"] else existing & set(codenames)
        assert {f"{p.content_type.app_label}.{p.codename}" for p in granted} == wanted, name


@pytest.mark.django_db
def test_what_an_administrator_changed_stays_through_the_next_migrate() -> None:
    viewer = Group.objects.get(name="Viewer")
    viewer.permissions.clear()
    Group.objects.get(name="Lead").delete()
    call_command("migrate", verbosity=0)
    assert not viewer.permissions.exists()
    assert not Group.objects.filter(name="Lead").exists()


@pytest.mark.django_db
def test_a_permission_that_appears_later_is_granted_by_the_migrate_that_makes_it() -> None:
    Permission.objects.get(codename="merge", content_type__app_label="customers").delete()
    call_command("migrate", verbosity=0)
    assert Group.objects.get(name="Data steward").permissions.filter(codename="merge").exists()
    assert not Group.objects.get(name="Viewer").permissions.filter(codename="merge").exists()


@pytest.mark.django_db
def test_the_guest_is_back_when_the_database_was_emptied() -> None:
    Customer.objects.all().delete()
    emit_post_migrate_signal(0, False, DEFAULT_DB_ALIAS)  # as `flush` does when it has emptied the tables
    assert Customer.objects.get().pk == "guest"


def test_a_viewer_reads_and_changes_nothing(production_server: Server) -> None:
    with as_role(production_server, "Viewer") as http:
        assert http.get("/customers").status_code == 200
        assert http.post("/customers", json={"name": "Ada"}).status_code == 403
        assert http.delete("/customers/guest").status_code == 403


def test_an_operator_replies_and_takes_over_but_does_not_speak_as_the_agent(production_server: Server) -> None:
    with as_role(production_server, "Admin") as http:
        agent = http.post("/agents", json={"name": "Iris"}).json()["id"]
        session = http.post("/sessions", json={"agent_id": agent}).json()["id"]
    said = {"kind": "message", "message": "Hello", "participant": {"display_name": "Olga"}}
    events = f"/sessions/{session}/events"
    with as_role(production_server, "Operator") as http:
        assert http.patch(f"/sessions/{session}", json={"mode": "manual"}).status_code == 200
        assert http.patch(f"/sessions/{session}", json={"title": "Mine"}).status_code == 403
        assert http.post(events, json={**said, "source": "human_agent"}).status_code == 201
        on_behalf = {**said, "source": "human_agent_on_behalf_of_ai_agent"}
        assert http.post(events, json=on_behalf).status_code == 403
    with as_role(production_server, "Lead") as http:
        assert http.post(events, json=on_behalf).status_code == 201


@pytest.mark.django_db
def test_who_may_not_see_segments_finds_no_customers_by_them(settings: Any) -> None:
    Customer.register(id="ada", name="Ada")
    segment = make(name="All of them", rule={"combinator": "and", "rules": []})
    settle_all()
    settings.PARLANT_POLICY = "production"
    user = User.objects.create_user("clerk")
    user.user_permissions.add(Permission.objects.get(codename="view_customer"))

    def asked(**query: str) -> Any:
        key = AuthToken.objects.create(User.objects.get(pk=user.pk))[1]
        return Client(headers={"Authorization": f"Bearer {key}"}).get("/customers", query)

    assert len(asked(q="name = Ada").json()) == 1
    assert asked(segment=segment.pk).status_code == 404
    refused = asked(q=f"segment:#{segment.pk} or name = x")
    assert (refused.status_code, "may not see segments" in refused.content.decode()) == (422, True)
    user.user_permissions.add(Permission.objects.get(codename="view_segment"))
    assert len(asked(segment=segment.pk).json()) == 2
    assert len(asked(q=f"segment:#{segment.pk}").json()) == 2


COMMANDS = {
    "merge_customers": (["ada", "double"], "Data steward"),
    "customer_bundle": (["ada", "--output"], "Privacy officer"),
    "erase_customer": (["ada", "--conversations", "delete", "--yes"], "Privacy officer"),
    "export_customers": (["--output"], "Privacy officer"),
    "import_customers": (["ada.csv"], "Data steward"),
}


@pytest.mark.django_db
@pytest.mark.parametrize("name", COMMANDS)
def test_commands_for_a_user_ask_for_her_permissions(
    name: str, tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.MEDIA_ROOT = tmp_path / "files"
    monkeypatch.chdir(tmp_path)
    Path("ada.csv").write_text("id,name\nada,Ada L.\n")
    Customer.register(id="ada", name="Ada", metadata={"email": "ada@x.example"})
    Customer.register(id="double", name="Ada")
    arguments, role = COMMANDS[name]
    arguments = [*arguments, "out"] if arguments[-1] == "--output" else arguments
    before = AuditEntry.objects.count()
    for other in (
        "Viewer",
        "Operator",
        "Segment editor",
        {"Data steward": "Privacy officer"}.get(role, "Data steward"),
    ):
        with pytest.raises(CommandError, match="may not"):
            call_command(name, *arguments, "--user", user_in(other).username, verbosity=0)
    with pytest.raises(CommandError, match="no active user"):
        call_command(name, *arguments, "--user", "nobody", verbosity=0)
    assert AuditEntry.objects.count() == before
    assert not Path("out").exists()
    user = user_in(role)
    call_command(name, *arguments, "--user", user.username, verbosity=0, stdout=StringIO(), stderr=StringIO())
    entries = AuditEntry.objects.all()[: AuditEntry.objects.count() - before]
    assert {(entry.actor_name, entry.channel) for entry in entries} == {(user.username, "command")}
