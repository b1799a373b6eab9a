"""Tokens of the command line: printed once, kept as a hash, refused when revoked or expired."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO

import httpx
import pytest
from django.contrib.auth.models import Permission, User
from django.core.management import CommandError, call_command
from django.utils import timezone
from knox.models import AuthToken

from parlant_site.common.audit import AuditEntry
from tests.processes import Server


def run(*arguments: str) -> str:
    """Run a command and answer what it printed on standard output."""
    output = StringIO()
    call_command(*arguments, stdout=output, stderr=StringIO())
    return output.getvalue().strip()


@pytest.fixture
def reader(database: None) -> User:
    """A user who may see customers."""
    user = User.objects.create_user("reader")
    user.user_permissions.add(Permission.objects.get(codename="view_customer"))
    return user


def status_with(server: Server, token: str, path: str = "/customers") -> int:
    """Answer the status of a request with a token."""
    return httpx.get(f"{server.url}{path}", headers={"Authorization": f"Bearer {token}"}).status_code


def test_a_token_carries_its_user_s_permissions_until_it_is_revoked(production_server: Server, reader: User) -> None:
    token, other = run("create_token", "reader"), run("create_token", "reader")
    assert status_with(production_server, token) == 200
    assert status_with(production_server, token, "/tags") == 403
    assert token not in str(list(AuthToken.objects.values()))

    listed = run("list_tokens")
    assert token[:15] in listed
    assert token not in listed
    assert run("revoke_token", token[:15]) == "Revoked 1 token."
    assert status_with(production_server, token) == 401
    assert status_with(production_server, other) == 200
    assert run("revoke_token", "--user", "reader") == "Revoked 1 token."
    assert status_with(production_server, other) == 401
    assert run("list_tokens") == "There are no tokens."


def test_an_expired_token_is_refused(production_server: Server, reader: User) -> None:
    token = run("create_token", "reader", "--expires", "1")
    assert status_with(production_server, token) == 200
    AuthToken.objects.update(expiry=timezone.now() - timedelta(seconds=1))
    assert "expired" in run("list_tokens")
    assert status_with(production_server, token) == 401


def test_a_user_who_is_not_active_gets_no_token_and_the_old_ones_are_refused(
    production_server: Server, reader: User
) -> None:
    token = run("create_token", "reader")
    User.objects.update(is_active=False)
    assert status_with(production_server, token) == 401
    with pytest.raises(CommandError, match="not active"):
        run("create_token", "reader")


@pytest.mark.django_db
@pytest.mark.one_database
def test_when_a_token_expires_can_be_said_in_days_or_by_date() -> None:
    User.objects.create_user("reader")
    now = timezone.now()
    for arguments, days in (((), 365), (("--expires", "30"), 30), (("--expires", f"{now + timedelta(9):%F}"), 9)):
        run("create_token", "reader", *arguments)
        expiry = AuthToken.objects.latest("created").expiry
        assert timedelta(days=days - 0.01) < expiry - now < timedelta(days=days + 1)
    run("create_token", "reader", "--never")
    assert AuthToken.objects.latest("created").expiry is None


@pytest.mark.django_db
@pytest.mark.one_database
@pytest.mark.parametrize(
    "arguments",
    [
        ("create_token", "nobody"),
        ("create_token", "reader", "--expires", "0"),
        ("create_token", "reader", "--expires", "-1"),
        ("create_token", "reader", "--expires", "99999999999999"),
        ("create_token", "reader", "--expires", "soon"),
        ("create_token", "reader", "--expires", "2001-01-01"),
        ("create_token", "reader", "--expires", "9999-12-31"),
        ("create_token", "reader", "--expires", "9", "--never"),
        ("create_token", "reader", "--expires", "²"),
        ("revoke_token",),
        ("revoke_token", "pst_"),
        ("revoke_token", "pst_00000000000"),
        ("revoke_token", "--user", "nobody"),
    ],
)
def test_what_cannot_be_done_is_said_and_leaves_nothing(arguments: tuple[str, ...]) -> None:
    User.objects.create_user("reader")
    with pytest.raises(CommandError) as refused:
        run(*arguments)
    assert str(refused.value)
    assert not AuthToken.objects.exists()


@pytest.mark.django_db
@pytest.mark.one_database
def test_the_audit_knows_the_key_of_a_token_and_not_the_token() -> None:
    User.objects.create_user("reader")
    token = run("create_token", "reader")
    run("revoke_token", token)
    entries = AuditEntry.objects.filter(kind="user")
    assert [bool(entry.after) for entry in entries] == [False, True]
    written = str(list(AuditEntry.objects.values()))
    assert token[:15] in written
    assert token not in written
