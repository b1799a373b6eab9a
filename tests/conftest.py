"""What all tests share: the database, a real server process, clients."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator

import httpx
import pytest
from django.apps import apps
from django.db import connection, transaction
from django.test.utils import setup_databases, teardown_databases
from parlant.client import AsyncParlantClient, ParlantClient
from pytest_django import DjangoDbBlocker

from tests.legs import Legs
from tests.processes import Server, start_server

# Made by migrations, and not for tests to change.
KEPT = {"django_migrations", "django_content_type", "auth_permission", "auth_group", "auth_group_permissions"}


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Test on each database that answers: registered here, because it acts before the session is configured."""
    pluginmanager.register(Legs(), "legs")


def pytest_configure() -> None:
    """Let servers hear SIGINT: a shell that runs tests in the background has it ignored, which children inherit."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def django_db_setup(django_test_environment: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Make the test database whichever tests were chosen: pytest-django asks its own markers, which few tests bear."""
    with django_db_blocker.unblock():
        made = setup_databases(verbosity=0, interactive=False)
    yield
    with django_db_blocker.unblock():
        connection.close()
        if hasattr(connection, "close_pool"):
            connection.close_pool()
        teardown_databases(made, verbosity=0)


def empty_database() -> None:
    """Delete every row that a test may have written; the guest stays."""
    with transaction.atomic(), connection.cursor() as cursor:
        # Constraints between tables are deferred to the end of the transaction: any order will do.
        for model in apps.get_models(include_auto_created=True):
            table = model._meta.db_table
            if model._meta.proxy or not model._meta.managed or table in KEPT:
                continue
            condition = " WHERE id <> 'guest'" if table == "customers_customer" else ""
            cursor.execute(f"DELETE FROM {connection.ops.quote_name(table)}{condition}")


@pytest.fixture
def database(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Let the test and other processes and threads share committed rows; empty the database afterwards."""
    with django_db_blocker.unblock():
        try:
            yield
        finally:
            empty_database()
            connection.close()


@pytest.fixture(scope="session")
def _server(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Server]:
    with start_server() as server:
        with django_db_blocker.unblock():
            empty_database()  # of the first operator, whom every new database gets
            connection.close()
        yield server


@pytest.fixture
def server(database: None, _server: Server) -> Server:
    """A real Daphne process in development mode, without agents, on the test's database."""
    return _server


@pytest.fixture(scope="session")
def _production_server(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Server]:
    environment = {
        "PARLANT_ENV": "production",
        "PARLANT_SECRET_KEY": "a key that only the tests know, long enough to be one",
        "PARLANT_ALLOWED_HOSTS": "127.0.0.1",
        "PARLANT_HTTPS": "false",
        "PARLANT_TRUSTED_PROXIES": "1",
        "PARLANT_RATE_OPEN_SESSION": "5/min",
    }
    with start_server(**environment) as server:
        with django_db_blocker.unblock():
            empty_database()
            connection.close()
        yield server


@pytest.fixture
def production_server(database: None, _production_server: Server) -> Server:
    """A real Daphne process in production mode, behind one trusted proxy, 5 anonymous sessions a minute."""
    return _production_server


@pytest.fixture
def http(server: Server) -> Iterator[httpx.Client]:
    """A plain HTTP client of the server."""
    # There is no TLS to verify; reading the authorities' certificates would take longer than most tests.
    with httpx.Client(base_url=server.url, timeout=30, verify=False) as client:
        yield client


@pytest.fixture(scope="session")
def _client(_server: Server) -> ParlantClient:
    return ParlantClient(base_url=_server.url)


@pytest.fixture
def client(server: Server, _client: ParlantClient) -> ParlantClient:
    """The official client."""
    return _client


@pytest.fixture
def async_client(server: Server) -> AsyncParlantClient:
    """The official asynchronous client."""
    return AsyncParlantClient(base_url=server.url)


@pytest.fixture
def new_session(client: ParlantClient) -> Callable[[], str]:
    """Make an agent and a guest session and answer the session's id."""
    return lambda: client.sessions.create(agent_id=client.agents.create(name="Iris").id).id
