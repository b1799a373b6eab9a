"""What asking for rules costs, measured by bench/segments.py."""

import statistics
import time
from collections.abc import Callable
from typing import Protocol
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection
from django.utils import timezone

from customers.insight.counting import preview
from customers.insight.limits import time_limited
from customers.insight.near import near_misses
from customers.insight.remembering import forget
from customers.models import Customer
from customers.rules.compiling import condition
from customers.rules.explaining import explain
from customers.rules.faces import DatabaseNames, read_text
from customers.rules.periods import Moment
from customers.segments import indexes

ALL = (
    "metadata.mrr > 500 and not seen within 7 days and name contains 1 and not tag:VIP"
    " and metadata.renewed within 6 months"
)
ANY = "metadata.mrr > 890 or seen within 7 days or name ends 77 or tag:VIP or metadata.renewed within 1 month"
KEYS = 'metadata.plan = pro and metadata.mrr = "77"'
NUMBER = "metadata.mrr > 898"


class Rows(Protocol):
    """Where figures go."""

    def row(self, name: str, seconds: float, wanted: float) -> None:
        """Print a figure beside what it should be."""


def median(work: Callable[[], object], times: int = 5) -> float:
    """Answer the median duration in seconds, after a first call that warms the caches."""
    work()
    taken = []
    for _ in range(times):
        forget()
        begun = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken)


def measure_rules(table: Rows) -> None:
    """Measure counting, explaining and previewing rules."""
    moment, names = Moment(timezone.now(), ZoneInfo(settings.TIME_ZONE)), DatabaseNames()
    rules = {text: read_text(text, names) for text in (ALL, ANY, KEYS, NUMBER)}

    def count(text: str) -> Callable[[], object]:
        def counted() -> int:
            with time_limited(60):
                return Customer.objects.order_by().filter(condition(rules[text], moment)).count()

        return counted

    table.row("count of five mixed leaves, all of them", median(count(ALL)), 0.4)
    table.row("count of five mixed leaves, any of them", median(count(ANY)), 0.4)
    table.row("count of two metadata keys", median(count(KEYS)), 0.05)
    table.row("count of one number", median(count(NUMBER)), 0.4)
    if connection.vendor == "postgresql":
        indexes.add_index("metadata.mrr", "number")
        table.row("  with an index of its own", median(count(NUMBER)), 0.05)
        indexes.remove_index("metadata.mrr", "number")
    customer = Customer.objects.order_by("-pk").exclude(pk="guest")[0].pk
    table.row("explaining one customer", median(lambda: explain(rules[ALL], customer, moment)), 0.02)
    table.row("preview of six nodes, with 20 customers", median(lambda: preview(rules[ALL], moment)), 1)
    table.row("near misses of five leaves, with 5 customers each", median(lambda: near_misses(rules[ALL], moment)), 2)
