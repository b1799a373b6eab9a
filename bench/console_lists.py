"""How long the console's list of customers takes at a million customers, in PARLANT_DATABASE_URL's database.

    PARLANT_DATABASE_URL=postgres://... python bench/console_lists.py [--customers 1000000]

Fills an empty, migrated database first (PostgreSQL only), then prints the median of five requests for each address
beside what it should be. A page with a filter or a rule says how many customers match.
"""

import argparse
import os
import statistics
import sys
import time
from pathlib import Path
from urllib.parse import urlencode

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "parlant_site.settings")
import django

django.setup()
from django.contrib.auth.models import User  # noqa: E402
from django.db import connection, transaction  # noqa: E402
from django.test import Client  # noqa: E402
from django.test.utils import setup_test_environment  # noqa: E402

from customers.insight.remembering import forget  # noqa: E402
from customers.models import GUEST_ID, Customer  # noqa: E402
from tags.models import Tag  # noqa: E402

FIRST_PAGE, FILTER = 300, 600  # milliseconds that are aimed at
LIST = "/admin/customers/customer/"
FILL = """
INSERT INTO customers_customer (id, creation_utc, name, metadata, last_seen, first_seen)
SELECT 'c' || lpad(n::text, 9, '0'), now() - n * interval '31 seconds',
       (ARRAY['Anna','Liam','Zoë','Mateo','Priya','Noah'])[1 + n %% 6] || ' ' || md5(n::text)::char(8),
       jsonb_build_object('plan', (ARRAY['free','starter','pro','enterprise'])[1 + n %% 4], 'mrr', (n %% 900)::text,
                          'country', (ARRAY['DE','FR','GB','US','ES'])[1 + n %% 5],
                          'email', 'x' || n || '@example.com'),
       CASE WHEN n / 7 %% 3 = 0 THEN NULL ELSE now() - (n::bigint * 7919 %% 31536000) * interval '1 second' END, NULL
FROM generate_series(1, %s) n
"""


@transaction.atomic
def fill(number: int) -> None:
    """Insert customers and tags."""
    tags = [Tag.add(name=name) for name in ("VIP", "Newsletter", "Rare")]
    with connection.cursor() as cursor:
        cursor.execute(FILL, [number])
        for tag, every in zip(tags, (50, 3, 100_000), strict=True):
            cursor.execute(
                "INSERT INTO customers_customertag (customer_id, tag_id)"
                " SELECT 'c' || lpad(n::text, 9, '0'), %s FROM generate_series(1, %s, %s) n",
                [tag.pk, number, every],
            )
        cursor.execute("ANALYZE")


def main() -> None:
    """Fill when empty, then measure."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--customers", type=int, default=1_000_000)
    arguments = parser.parse_args()
    if not Customer.objects.exclude(pk=GUEST_ID).exists():
        fill(arguments.customers)
    setup_test_environment()
    user, _ = User.objects.get_or_create(username="bench", is_superuser=True, is_staff=True)
    browser = Client()
    browser.force_login(user)
    tag = {tag.name: tag.pk for tag in Tag.objects.all()}
    if not tag.keys() >= {"VIP", "Newsletter", "Rare"}:
        sys.exit("The database holds other customers: name an empty, migrated one.")
    deep = LIST + browser.get(f"{LIST}?order=created").context["listing"].next_link
    for _ in range(5):
        deep = LIST + browser.get(deep).context["listing"].next_link

    def measure(name: str, address: str, wanted: int | None, *, afresh: bool = False) -> None:
        taken = []
        for _ in range(5):
            if afresh:
                forget()
            start = time.perf_counter()
            response = browser.get(address)
            assert response.status_code == 200, address
            taken.append((time.perf_counter() - start) * 1000)
        median = statistics.median(taken)
        aim = f"{wanted:7} ms" if wanted else ""
        print(f"{name:40} {median:7.0f} ms {aim}{'  NOT REACHED' if wanted and median > wanted else ''}", flush=True)

    print(f"{'':40} {'median':>10} {'wanted':>10}")
    measure("first page", LIST, FIRST_PAGE)
    measure("first page, filters counted afresh", LIST, FIRST_PAGE, afresh=True)
    measure("by creation", f"{LIST}?order=created", FIRST_PAGE)
    measure("by creation, 7th page", deep, FIRST_PAGE)
    measure("by name", f"{LIST}?order=name", FIRST_PAGE)
    measure("oldest seen", f"{LIST}?order=-seen", FIRST_PAGE)
    filters = {
        "common tag": f"tag={tag['Newsletter']}",
        "tag, 2 %": f"tag={tag['VIP']}",
        "rare tag": f"tag={tag['Rare']}",
        "two tags": f"tag={tag['VIP']}&tag={tag['Newsletter']}",
        "seen in 7 days": "seen=7",
        "never seen": "seen=never&order=created",
        "search, common": "q=Anna",
        "search, two words": "q=enterprise+DE",
        "search, one hit": "q=x424242@example.com",
        "search, no hit": "q=nobody+at+all",
    }
    rules = (
        "metadata.plan = pro",
        "metadata.mrr > 500",
        "metadata.mrr > 898",
        "tag:VIP and metadata.mrr > 500",
        "metadata.country in (DE, FR) and seen within 7 days",
        'metadata.email ends "99@example.com"',
        "name contains zzz",
    )
    for name, query in filters.items():
        measure(name, f"{LIST}?{query}", FILTER)
    for rule in rules:
        measure(rule, f"{LIST}?{urlencode({'q': rule})}", FILTER)
    measure("tags page", "/admin/tags/tag/", None)
    measure("home", "/admin/", None)


if __name__ == "__main__":
    main()
