"""What keeping segments costs: `python bench/segments.py [--customers 1000000]`, in PARLANT_DATABASE_URL's database.

Fills an empty, migrated database with generated customers first, then prints each figure beside what it should be.
Where other work runs beside it, `chrt -f 10 python bench/segments.py` (as root) lets it go first; PostgreSQL's own
processes keep their priority.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "parlant_site.settings")
import django
import httpx
from websockets.sync.client import connect

django.setup()
from django.db import connection, transaction  # noqa: E402
from django.db.models import F  # noqa: E402

from bench.realtime import serving  # noqa: E402
from bench.segment_rules import measure_rules  # noqa: E402
from customers.changes import Changed  # noqa: E402
from customers.models import Customer, Segment  # noqa: E402
from customers.segments import leases, running, stale  # noqa: E402
from customers.segments.editing import amend, make, refresh, remove  # noqa: E402
from customers.segments.worker import settle_all  # noqa: E402
from tags.models import Tag  # noqa: E402

PLANS = ("free", "starter", "pro", "enterprise", "team", "trial", "partner", "gone", "new", "old")
FILL = {
    "postgresql": """
INSERT INTO customers_customer
    (id, creation_utc, name, metadata, last_seen, first_seen, last_message_utc, session_count, customer_message_count)
SELECT 'c' || lpad(n::text, 9, '0'), now() - n * interval '31 seconds', 'Customer ' || (n %% 1000),
       jsonb_build_object('plan', (ARRAY['{plans}'])[1 + n %% 10], 'mrr', (n %% 900)::text,
           'country', (ARRAY['DE','FR','GB','US','ES'])[1 + n / 10 %% 5], 'email', 'x' || n || '@example.com',
           'renewed', to_char(now() - (n::bigint * 104729 %% 31536000) * interval '1 second', 'YYYY-MM-DD')),
       CASE WHEN n / 7 %% 3 = 0 THEN NULL ELSE now() - (n::bigint * 7919 %% 31536000) * interval '1 second' END,
       NULL, NULL, n %% 7, n %% 40
FROM generate_series(1, %s) n
""",
    "sqlite": """
INSERT INTO customers_customer
    (id, creation_utc, name, metadata, last_seen, first_seen, last_message_utc, session_count, customer_message_count,
     manual_session_count, ai_message_count, human_message_count, last_message_source, stale)
SELECT 'c' || printf('%%09d', n), datetime('now', '-' || (n * 31) || ' seconds'), 'Customer ' || (n %% 1000),
       json_object('plan', json_extract('["{plans}"]', '$[' || (n %% 10) || ']'), 'mrr', cast(n %% 900 AS text),
           'country', json_extract('["DE","FR","GB","US","ES"]', '$[' || (n / 10 %% 5) || ']'),
           'email', 'x' || n || '@example.com', 'renewed', date('now', '-' || (n * 104729 %% 31536000) || ' seconds')),
       CASE WHEN n / 7 %% 3 = 0 THEN NULL ELSE datetime('now', '-' || (n * 7919 %% 31536000) || ' seconds') END,
       NULL, NULL, n %% 7, n %% 40, 0, 0, 0, '', 0
FROM (WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < %s) SELECT n FROM r)
""",
}


def fill(number: int) -> None:
    """Insert customers, and tags on some of them."""
    vendor = connection.vendor
    separator = '","' if vendor == "sqlite" else "','"
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(FILL[vendor].format(plans=separator.join(PLANS)), [number])
        for name, every in (("VIP", 50), ("Newsletter", 3)):
            tag = Tag.add(name=name)
            cursor.execute(
                "INSERT INTO customers_customertag (customer_id, tag_id)"
                f" SELECT id, %s FROM customers_customer WHERE session_count >= 0 AND id <> 'guest'"
                f" AND {'cast(substr(id, 2) AS bigint)'} %% {every} = 0",
                [tag.pk],
            )
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE" if vendor == "postgresql" else "ANALYZE")


def leaf(field: str, operator: str, value: Any = None) -> dict[str, Any]:
    """Answer a leaf of a rule."""
    return {"field": field, "operator": operator, "value": value}


def rule(*leaves: dict[str, Any], combinator: str = "and") -> dict[str, Any]:
    """Answer a rule of these leaves."""
    return {"combinator": combinator, "rules": list(leaves)}


# Three customers in ten.
LARGE = rule(leaf("metadata.plan", "in", list(PLANS[:3])))
LARGE_EDITED = rule(leaf("metadata.plan", "in", list(PLANS[:3])), leaf("metadata.mrr", "<", 890))


def hundred(vip: str) -> Iterator[dict[str, Any]]:
    """Answer a hundred rules of four leaves each, of all kinds."""
    for number in range(100):
        yield rule(
            leaf("metadata.plan", "=", PLANS[number % 10]),
            leaf("metadata.mrr", ">", number * 9),
            leaf("last_seen", "withinLast", f"{number + 2} days"),
            rule(leaf("tags", "any", [vip]), leaf("metadata.country", "!=", "DE"), combinator="or"),
        )


def timed(work: Callable[[], Any]) -> float:
    """Answer how many seconds some work takes."""
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def run_to_end(segment: Segment) -> None:
    """Do the queued run of a segment."""
    run = running.claim(segment.runs.unfinished().get().pk)
    assert run is not None
    assert running.run_to_end(run).state == "ok"


def look() -> None:
    """Look at the customers who changed, as the worker does within 0.2 s of a commit."""
    token = leases.take(stale.NAME)
    assert token is not None
    looking = stale.Stale(token)
    while looking.look():
        pass
    leases.give_back(stale.NAME, token)


class Table:
    """Prints figures as they come."""

    def __init__(self, customers: int) -> None:
        print(f"{connection.vendor}, {customers:,} customers")
        print(f"{'':52} {'measured':>10} {'wanted':>10}")

    def row(self, name: str, seconds: float, wanted: float) -> None:
        """Print a figure, and say when it is not what it should be."""
        said = "" if seconds <= wanted else "  NOT REACHED"
        print(f"{name:52} {seconds * 1000:7.0f} ms {wanted * 1000:7.0f} ms{said}", flush=True)


def measure_memberships(table: Table, customers: int) -> None:
    """Measure what keeps members current."""
    large = make(name="bench: large", rule=LARGE)
    table.row(f"first build, {customers * 3 // 10:,} members", timed(lambda: run_to_end(large)), 3)
    amend(large, rule=LARGE_EDITED)
    table.row("refresh after an edit that moves 1 in 100", timed(lambda: run_to_end(large)), 2)
    refresh(large)
    table.row("refresh that finds nothing", timed(lambda: run_to_end(large)), 2)
    remove(large)
    vip = Tag.objects.get(name="VIP")
    segments = [make(name=f"bench: {number}", rule=given) for number, given in enumerate(hundred(vip.pk))]
    settle_all()
    changed = list(Customer.objects.order_by("pk").values_list("pk", flat=True)[1000:2000])
    for name, change, wanted in (
        ("1,000 changed customers, 100 segments", {}, 1),
        ("  of whom all move", {"metadata": {"plan": "pro", "mrr": "890", "country": "FR"}, "last_seen": None}, 1),
    ):
        rows = Customer.objects.filter(pk__in=changed)
        rows.update(stale=F("stale").bitor(int(Changed.METADATA | Changed.ACTIVITY)), **change)
        table.row(name, timed(look), wanted)
    taken = []
    for key in changed[:20]:
        Customer.objects.filter(pk=key).update(stale=F("stale").bitor(int(Changed.METADATA)))
        taken.append(timed(look))
    table.row("1 changed customer, 100 segments", statistics.median(taken), 0.1)
    measure_live(table, changed[:50])
    for segment in segments:
        remove(segment)


def measure_live(table: Table, keys: Sequence[str]) -> None:
    """Measure, on a server of its own, from the answer to a PATCH to the frame that says what it moved."""
    watched = make(name="bench: live", rule=rule(leaf("metadata.bench", "=", "in")))
    settle_all()
    taken = []
    with serving(os.environ.get("PARLANT_DATABASE_URL", ""), agents=True) as (url, _):
        address = f"{url.replace('http', 'ws')}/ws/segments?segment={watched.pk}"
        with connect(address, open_timeout=60) as socket, httpx.Client(base_url=url, timeout=60) as http:
            assert json.loads(socket.recv(timeout=60))["type"] == "ready"
            for key in keys:
                answer = http.patch(f"/customers/{key}", json={"metadata": {"set": {"bench": "in"}}})
                answer.raise_for_status()
                begun = time.perf_counter()
                while key not in json.loads(socket.recv(timeout=60)).get("customer_ids", ()):
                    pass
                taken.append(time.perf_counter() - begun)
    table.row("PATCH -> WebSocket says who entered, median of 50", statistics.median(taken), 1)
    table.row("  the slowest", max(taken), 1)
    remove(watched)


def main() -> None:
    """Fill when empty, then measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=1_000_000)
    arguments = parser.parse_args()
    if not os.environ.get("PARLANT_DATABASE_URL"):
        sys.exit("Name a migrated database of its own in PARLANT_DATABASE_URL: a server is started on it, too.")
    if Customer.objects.count() < 10:
        fill(arguments.customers)
    for left in Segment.objects.filter(name__startswith="bench: "):
        remove(left)
    customers = Customer.objects.count() - 1
    table = Table(customers)
    measure_rules(table)
    measure_memberships(table, customers)


if __name__ == "__main__":
    main()
