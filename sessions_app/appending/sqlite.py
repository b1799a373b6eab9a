"""Appending on SQLite: three statements in one IMMEDIATE transaction, whose write lock makes them one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import transaction

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

    from sessions_app.appending import Assignments


def append(
    connection: BaseDatabaseWrapper, *, session_id: str, assignments: Assignments, columns: dict[str, Any]
) -> int | None:
    """Insert the event under the next offset; None when there is no such session, or its lease is another."""
    guard = "" if assignments.token is None else " AND lease_token = %s"
    expected = [] if assignments.token is None else [assignments.token]
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            f"UPDATE sessions_app_session SET {', '.join(sql for sql, _ in assignments.session)}"
            f" WHERE id = %s{guard} RETURNING next_offset - 1, customer_id",
            [value for _, values in assignments.session for value in values] + [session_id, *expected],
        )
        row = cursor.fetchone()
        if row is None:
            return None
        offset, customer_id = row
        cursor.execute(
            f'INSERT INTO sessions_app_event (session_id, "offset", {", ".join(columns)})'
            f" VALUES (%s, %s, {', '.join(['%s'] * len(columns))})",
            [session_id, offset, *columns.values()],
        )
        if assignments.customer and customer_id not in (None, "guest"):
            cursor.execute(
                f"UPDATE customers_customer SET {', '.join(sql for sql, _ in assignments.customer)},"
                " stale = stale | 8 WHERE id = %s",
                [value for _, values in assignments.customer for value in values] + [customer_id],
            )
    return int(offset)
