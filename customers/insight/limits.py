"""Statements that may not run longer than so long."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import DEFAULT_DB_ALIAS, OperationalError, connections, transaction

from parlant_site.common.errors import Refusal

_STEPS_BETWEEN_LOOKS = 1000
# Besides the limit: memory to look members of a set up by hash, and no compiling of what takes so little time.
_NAMES = ("statement_timeout", "work_mem", "jit")
_ASK = "SELECT " + ", ".join(f"current_setting('{name}')" for name in _NAMES)
_SET = "SELECT " + ", ".join(f"set_config('{name}', %s::text, true)" for name in _NAMES)


class TookTooLong(Refusal):
    """The database did not answer in time."""


@contextmanager
def time_limited(seconds: float, *, using: str = DEFAULT_DB_ALIAS) -> Iterator[None]:
    """Break off reading statements that take longer, and raise TookTooLong.

    PostgreSQL limits each statement, in a transaction (a savepoint within one) of the block's own, and is as before
    afterwards. SQLite limits the block in all. A pattern that takes long is broken off like anything else.
    """
    connection = connections[using]
    connection.ensure_connection()
    limited = _on_postgresql if connection.vendor == "postgresql" else _on_sqlite
    with limited(connection, seconds):
        yield


@contextmanager
def _on_postgresql(connection: Any, seconds: float) -> Iterator[None]:
    with transaction.atomic(using=connection.alias):
        with connection.cursor() as cursor:
            cursor.execute(_ASK)
            before = cursor.fetchone()
            cursor.execute(_SET, [str(max(1, int(seconds * 1000))), "64MB", "off"])
        try:
            yield
            with connection.cursor() as cursor:
                # A released savepoint would leave its setting to the transaction around it. On a busy machine this
                # statement, too, may be the one that takes too long.
                cursor.execute(_SET, before)
        except OperationalError as error:
            if getattr(error.__cause__, "sqlstate", "") == "57014":  # query_canceled
                raise TookTooLong from error
            raise


@contextmanager
def _on_sqlite(connection: Any, seconds: float) -> Iterator[None]:
    end = time.monotonic() + seconds

    def is_over() -> bool:
        nonlocal end
        over = time.monotonic() > end
        if over:
            end = float("inf")  # once: Django, in development, asks SQLite how to write down what failed
        return over

    connection.connection.set_progress_handler(is_over, _STEPS_BETWEEN_LOOKS)
    try:
        yield
    except OperationalError as error:
        if str(error) == "interrupted":
            raise TookTooLong from error
        raise
    finally:
        connection.connection.set_progress_handler(None, 0)
