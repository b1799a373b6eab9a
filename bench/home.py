"""How long the home page takes among a million events, in PARLANT_DATABASE_URL's database.

    PARLANT_DATABASE_URL=postgres://... python bench/home.py [--events 1000000] [--days 14]

Fills an empty, migrated database first (PostgreSQL only), with events that are spread over so many days, then prints
the median of nine for the page, its queries alone, the counting of days beside requests, and the list behind a bar.
"""

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "parlant_site.settings")
import django

django.setup()
from django.contrib.auth.models import User  # noqa: E402
from django.db import connection, transaction  # noqa: E402
from django.test import Client  # noqa: E402
from django.test.utils import CaptureQueriesContext, setup_test_environment  # noqa: E402
from django.utils import timezone  # noqa: E402

from sessions_app.counting_days import count, count_all  # noqa: E402
from sessions_app.message_days import last_days  # noqa: E402
from sessions_app.models import Agent, Event  # noqa: E402

AT_ONCE = 10  # conversations that go on beside each other
# Ten events to a conversation, six of them messages.
SESSIONS = """
INSERT INTO sessions_app_session (id, creation_utc, agent_id, agent_ref, customer_id, customer_ref, title, mode,
       client_offset, metadata, next_offset, revision, last_event_utc, last_message, last_message_source,
       last_message_utc, waiting_since)
SELECT 's' || lpad(n::text, 9, '0'), at, 'bench', 'bench', 'guest', 'guest', 'Conversation ' || n,
       CASE WHEN n %% 50 = 0 THEN 'manual' ELSE 'auto' END, 0, '{{}}', 10, 10, at + interval '5 minutes',
       'Thank you, that is what I wanted to know', 'ai_agent', at + interval '5 minutes',
       CASE WHEN n %% 1000 = 0 THEN at END
FROM (SELECT n, now() - interval '{days} days' * (1 - n::float * 10 / %s) AS at
      FROM generate_series(0, %s / 10 - 1) n) t
"""
EVENTS = """
INSERT INTO sessions_app_event (id, creation_utc, session_id, "offset", kind, source, trace_id, data, metadata, deleted)
SELECT 'e' || lpad(n::text, 12, '0'), now() - interval '{days} days' * (1 - n::float / %s),
       's' || lpad((n / 100 * 10 + n %% 10)::text, 9, '0'), n / 10 %% 10,
       CASE WHEN n / 10 %% 10 < 6 THEN 'message' ELSE 'status' END,
       CASE WHEN n %% 2 = 0 THEN 'customer' ELSE 'ai_agent' END, 't' || n / 100,
       CASE WHEN n / 10 %% 10 < 6
            THEN jsonb_build_object('message', repeat(md5(n::text) || ' ', 4), 'participant',
                                    jsonb_build_object('id', 'guest', 'display_name', 'Guest'))
            ELSE '{{"status": "typing", "data": {{}}}}' END, '{{}}', false
FROM generate_series(0, %s - 1) n
"""


@transaction.atomic
def fill(number: int, days: int) -> None:
    """Insert an agent, sessions and their events, in the order of time."""
    Agent.create(id="bench", name="Bench")
    with connection.cursor() as cursor:
        cursor.execute(SESSIONS.format(days=days), [number, number])
        cursor.execute(EVENTS.format(days=days), [number, number])


def main() -> None:
    """Fill when empty, then measure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=14)
    arguments = parser.parse_args()
    if not Event.objects.exists():
        fill(arguments.events, arguments.days)
        with connection.cursor() as cursor:
            cursor.execute("VACUUM ANALYZE")
    setup_test_environment()
    user, _ = User.objects.get_or_create(username="bench", is_superuser=True, is_staff=True)
    browser = Client()
    browser.force_login(user)
    count_all()
    *_, yesterday, today = last_days()

    def measure(name: str, do: Callable[[], object]) -> None:
        taken = []
        for _ in range(9):
            start = time.perf_counter()
            do()
            taken.append((time.perf_counter() - start) * 1000)
        print(f"{name:40} {statistics.median(taken):7.1f} ms   slowest {max(taken):7.1f} ms", flush=True)

    def of(address: str) -> Callable[[], object]:
        return lambda: browser.get(address).status_code == 200 or sys.exit(address)

    measure("home", of("/admin/"))
    taken = []
    for _ in range(9):
        with CaptureQueriesContext(connection) as queries:
            browser.get("/admin/")
        taken.append([float(query["time"]) * 1000 for query in queries])
    print(f"{'its queries: all, the slowest':40} {statistics.median(map(sum, taken)):7.1f} ms ", end="")
    print(f"{statistics.median(map(max, taken)):7.1f} ms")
    now = timezone.now()
    measure("counting today, beside requests", lambda: count(today, now))
    measure("counting yesterday, beside requests", lambda: count(yesterday, now - timedelta(hours=2)))
    measure("the list behind a bar", of(f"/admin/sessions_app/session/?said={yesterday}"))


if __name__ == "__main__":
    main()
