"""A million customers with realistic metadata, tags and activity, for measurements; PostgreSQL and SQLite alike."""

from django.db import connection, transaction

from tags.models import Tag

TAGS = {"VIP": 50, "Newsletter": 3, "Rare": 100_000}  # name: every how many customers
NUMBERS = {
    "postgresql": "generate_series(1, %s) AS n",
    "sqlite": "(WITH RECURSIVE up(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM up WHERE n < %s) SELECT n FROM up)",
}
FILL = {
    "postgresql": """
INSERT INTO customers_customer (id, creation_utc, name, metadata, last_seen, first_seen, session_count,
                                customer_message_count, last_message_source)
SELECT 'c' || lpad(n::text, 9, '0'), now() - n * interval '31 seconds',
       (ARRAY['Anna','Liam','Zoë','Mateo','Priya','Noah'])[1 + n %% 6] || ' ' || md5(n::text)::char(8),
       jsonb_strip_nulls(jsonb_build_object(
           'plan', (ARRAY['free','starter','pro','enterprise'])[1 + n * 7 %% 4],
           'mrr', CASE WHEN n %% 20 <> 0 THEN (n::bigint * 7919 %% 1000)::text WHEN n %% 40 = 0 THEN 'unknown' END,
           'country', (ARRAY['DE','FR','GB','US','ES','IT','NL','PL','SE','JP'])[1 + n * 13 / 7 %% 10],
           'city', 'City ' || n * 31 %% 500,
           'email', 'x' || n || '@example.com',
           'renewal', CASE WHEN n %% 3 = 0 THEN (date '2026-01-01' + n %% 700)::text END,
           'beta', CASE WHEN n %% 5 = 0 THEN (n %% 2 = 0)::text END)),
       CASE WHEN n / 7 %% 3 <> 0 THEN now() - (n::bigint * 7919 %% 31536000) * interval '1 second' END,
       CASE WHEN n / 7 %% 3 <> 0 THEN now() - n * interval '31 seconds' END,
       CASE WHEN n / 7 %% 3 <> 0 THEN 1 + n %% 9 ELSE 0 END, CASE WHEN n / 7 %% 3 <> 0 THEN n %% 97 ELSE 0 END,
       CASE WHEN n / 7 %% 3 <> 0 THEN (ARRAY['customer','ai_agent','human_agent'])[1 + n %% 3] ELSE '' END
FROM """,
    "sqlite": """
INSERT INTO customers_customer (id, creation_utc, name, metadata, last_seen, first_seen, session_count,
                                customer_message_count, last_message_source)
SELECT printf('c%%09d', n), strftime('%%Y-%%m-%%d %%H:%%M:%%f', 'now', (-31 * n) || ' seconds'),
       substr('Anna Liam Zoë  MateoPriyaNoah ', 1 + n %% 6 * 5, 5) || ' ' || lower(hex(n * 7919)),
       json_patch('{}', json_object(
           'plan', CASE n * 7 %% 4 WHEN 0 THEN 'free' WHEN 1 THEN 'starter' WHEN 2 THEN 'pro' ELSE 'enterprise' END,
           'mrr', CASE WHEN n %% 20 <> 0 THEN CAST(n * 7919 %% 1000 AS TEXT) WHEN n %% 40 = 0 THEN 'unknown' END,
           'country', substr('DEFRGBUSESITNLPLSEJP', 1 + n * 13 / 7 %% 10 * 2, 2),
           'city', 'City ' || n * 31 %% 500,
           'email', 'x' || n || '@example.com',
           'renewal', CASE WHEN n %% 3 = 0 THEN date('2026-01-01', (n %% 700) || ' days') END,
           'beta', CASE WHEN n %% 5 = 0 THEN CASE WHEN n %% 2 = 0 THEN 'true' ELSE 'false' END END)),
       CASE WHEN n / 7 %% 3 <> 0
            THEN strftime('%%Y-%%m-%%d %%H:%%M:%%f', 'now', -(n * 7919 %% 31536000) || ' seconds') END,
       CASE WHEN n / 7 %% 3 <> 0 THEN strftime('%%Y-%%m-%%d %%H:%%M:%%f', 'now', (-31 * n) || ' seconds') END,
       CASE WHEN n / 7 %% 3 <> 0 THEN 1 + n %% 9 ELSE 0 END, CASE WHEN n / 7 %% 3 <> 0 THEN n %% 97 ELSE 0 END,
       CASE WHEN n / 7 %% 3 <> 0 THEN CASE n %% 3 WHEN 0 THEN 'customer' WHEN 1 THEN 'ai_agent' ELSE 'human_agent' END
            ELSE '' END
FROM """,
}
KEY = {"postgresql": "'c' || lpad(n::text, 9, '0')", "sqlite": "printf('c%%09d', n)"}


def fill(number: int) -> None:
    """Insert so many customers, with the tags VIP (2 %), Newsletter (33 %) and Rare, into an empty database."""
    vendor = connection.vendor
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(FILL[vendor] + NUMBERS[vendor], [number])
        for name, every in TAGS.items():
            tag = Tag.add(name=name)
            cursor.execute(
                f"INSERT INTO customers_customertag (customer_id, tag_id) SELECT {KEY[vendor]}, %s"
                f" FROM {NUMBERS[vendor]} WHERE n %% {every} = 0",
                [tag.pk, number],
            )
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE" if vendor == "postgresql" else "ANALYZE")
