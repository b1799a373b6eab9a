"""How long the console's list of customers takes at a million customers, in PARLANT_DATABASE_URL's database.

    PARLANT_DATABASE_URL=postgres://... python bench/console_lists.py [--customers 1000000]

Fills an empty, migrated database first (PostgreSQL only), then prints the median of five requests for each address.
"""

import argparse
import os
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "parlant_site.settings")
import django

django.setup()
from django.contrib.auth.models import User  # noqa: E402
from django.db import connection, transaction  # noqa: E402
from django.test import Client  # noqa: E402
from django.test.utils import setup_test_environment  # noqa: E402

from customers.models import Customer  # noqa: E402
from tags.models import Tag  # noqa: E402

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
    if Customer.objects.count() < 10:
        fill(arguments.customers)
    setup_test_environment()
    user, _ = User.objects.get_or_create(username="bench", is_superuser=True, is_staff=True)
    browser = Client()
    browser.force_login(user)
    tag = {tag.name: tag.pk for tag in Tag.objects.all()}
    deep = LIST + browser.get(f"{LIST}?order=created").context["listing"].next_link
    for _ in range(5):
        deep = LIST + browser.get(deep).context["listing"].next_link
    addresses = {
        "first page": LIST,
        "by creation": f"{LIST}?order=created",
        "by creation, 7th page": deep,
        "by name": f"{LIST}?order=name",
        "oldest seen": f"{LIST}?order=-seen",
        "common tag": f"{LIST}?tag={tag['Newsletter']}",
        "tag, 2 %": f"{LIST}?tag={tag['VIP']}",
        "rare tag": f"{LIST}?tag={tag['Rare']}",
        "two tags": f"{LIST}?tag={tag['VIP']}&tag={tag['Newsletter']}",
        "seen in 7 days": f"{LIST}?seen=7",
        "never seen": f"{LIST}?seen=never&order=created",
        "search, common": f"{LIST}?q=Anna",
        "search, two words": f"{LIST}?q=enterprise+DE",
        "search, one hit": f"{LIST}?q=x424242@example.com",
        "search, no hit": f"{LIST}?q=nobody+at+all",
        "tags page": "/admin/tags/tag/",
        "home": "/admin/",
    }
    for name, address in addresses.items():
        taken = []
        for _ in range(5):
            start = time.perf_counter()
            response = browser.get(address)
            assert response.status_code == 200, address
            taken.append((time.perf_counter() - start) * 1000)
        print(f"{name:24} {statistics.median(taken):8.1f} ms")


if __name__ == "__main__":
    main()
