"""Appending on PostgreSQL: one statement with data-modifying common table expressions, one round trip."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from django.db.backends.base.base import BaseDatabaseWrapper

    from sessions_app.appending import Assignments

JSON_COLUMNS = ("data", "metadata")


def append(
    connection: BaseDatabaseWrapper, *, session_id: str, assignments: Assignments, columns: dict[str, Any]
) -> int | None:
    """Insert the event under the next offset; None when there is no such session, or its lease is another."""
    guard = "" if assignments.token is None else " AND lease_token = %s"
    values = ", ".join("%s::jsonb" if name in JSON_COLUMNS else "%s" for name in columns)
    parameters = [value for _, values in assignments.session for value in values]
    statement = (
        f"WITH s AS (UPDATE sessions_app_session SET {', '.join(sql for sql, _ in assignments.session)}"
        f" WHERE id = %s{guard} RETURNING id, next_offset - 1 AS event_offset, customer_id),"
        f' e AS (INSERT INTO sessions_app_event (session_id, "offset", {", ".join(columns)})'
        f" SELECT s.id, s.event_offset, {values} FROM s)"
    )
    parameters += [session_id, *([] if assignments.token is None else [assignments.token]), *columns.values()]
    counting = f"UPDATE customers_customer SET {', '.join(sql for sql, _ in assignments.customer)}, stale = stale | 8"
    counted = [value for _, values in assignments.customer for value in values]
    missed = "NULL"
    if assignments.customer:
        whose = "customers_customer.id = s.customer_id AND s.customer_id <> 'guest'"
        statement += f", c AS ({counting} FROM s WHERE {whose} RETURNING 1)"
        parameters += counted
        missed = "CASE WHEN customer_id <> 'guest' AND NOT EXISTS (SELECT 1 FROM c) THEN customer_id END"
    # Django's cursor runs outside a transaction block in autocommit: the statement is its own transaction.
    with connection.cursor() as cursor:
        cursor.execute(f"{statement} SELECT event_offset, {missed} FROM s", parameters)
        row = cursor.fetchone()
        if row is not None and row[1] is not None:
            # The session was given, while this waited for it, to a customer who came after the statement began.
            cursor.execute(f"{counting} WHERE id = %s", [*counted, row[1]])
    return None if row is None else int(row[0])
