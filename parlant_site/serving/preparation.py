"""What a first start needs and a second start leaves alone: a home, a database with its tables, an operator."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from psycopg import sql

from parlant_site.databases import connect_once, described, reason_of

if TYPE_CHECKING:
    from sessions_app.models import Agent


@dataclass(frozen=True)
class FirstOperator:
    """The operator that was just created; `password` is empty when the environment chose it."""

    name: str
    password: str


def prepare() -> FirstOperator | None:
    """Make the home, the database and its tables, and the first operator, as far as they are missing.

    Several processes may start at once: one prepares, the others wait for it. Raises CommandError with a sentence.
    """
    _make_home_and_database()
    with _alone():
        call_command("migrate", interactive=False, verbosity=0)
        return _first_operator()


def first_agent() -> Agent | None:
    """Make an agent where there is none, so that a new site answers at once: small talk, and then a human."""
    from sessions_app.models import Agent  # models cannot be imported before Django is ready

    if Agent.objects.exists():
        return None
    return Agent.create(name="Assistant", description="Greets, says what it knows, and calls a human for the rest.")


def _make_home_and_database() -> None:
    try:
        settings.PARLANT_HOME.mkdir(parents=True, exist_ok=True)
        if connection.vendor == "sqlite":
            Path(connection.settings_dict["NAME"]).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CommandError(
            f"{error.filename} cannot be made: {error.strerror}. Set PARLANT_HOME to a directory that you may write to."
        ) from None
    if connection.vendor == "postgresql":
        _make_postgresql_database()


def _make_postgresql_database() -> None:
    name = connection.settings_dict["NAME"]
    try:
        connect_once(name).close()
        return
    except psycopg.OperationalError as error:
        reason = reason_of(error)
    try:
        with connect_once("postgres") as server:
            server.autocommit = True
            found = server.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone()
            if not found:
                with contextlib.suppress(psycopg.errors.DuplicateDatabase):
                    server.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
                return
    except psycopg.errors.InsufficientPrivilege:
        reason = f"the server has no database {name!r} and the role may not create it"
    except psycopg.Error:
        pass  # What was wrong with the first try says more.
    raise CommandError(f"The database {described(connection.settings_dict)} cannot be reached: {reason}")


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Hold off other processes that prepare the same database."""
    if connection.vendor == "postgresql":
        with connect_once(connection.settings_dict["NAME"]) as server:
            server.execute("SELECT pg_advisory_xact_lock(hashtext('parlant-site prepares'))")
            yield
        return
    try:
        import fcntl
    except ImportError:  # Windows
        yield
        return
    with Path(f"{connection.settings_dict['NAME']}.starting").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _first_operator() -> FirstOperator | None:
    users = get_user_model()._default_manager
    if users.exists():
        return None
    name = settings.PARLANT_OPERATOR_NAME
    given = settings.PARLANT_OPERATOR_PASSWORD
    password = given or secrets.token_urlsafe(12)
    users.create_superuser(username=name, password=password)
    return FirstOperator(name, "" if given else password)
