"""Which metadata keys there are: how many customers have each, what its values look like, and the most frequent ones.

The audit tells what changed, so that a change is in the catalogue within seconds, whatever the number of customers. All
customers are read once, at first and again every night, a few thousand at a time; until that is done the numbers of
many customers are estimated from a sample, and say so. Only the worker that leads writes here (segments/worker.py).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.db import DEFAULT_DB_ALIAS, models, transaction
from django.utils import timezone

from customers.rules.explaining import type_of_text
from parlant_site.common.audit import Act, AuditEntry, record
from parlant_site.common.json import JSONValue, ReadableEncoder
from parlant_site.common.personal import sight

LONGEST_KEY = 500
LONGEST_VALUE = 100
MOST_KEYS = 2000
MOST_VALUES = 50
TYPES = ("number", "date", "boolean", "empty", "text")
STEP = 2000
# Entries get their numbers before they are committed: one that comes late is waited for.
LAG = timedelta(seconds=5)


class MetadataKey(models.Model):
    """A metadata key: `counts` maps each type (number, date, boolean, empty, text) to how many values are of it.

    `values` maps frequent values to how many customers have them. `personal`: who may not see personal data sees masks.
    """

    key = models.CharField(max_length=LONGEST_KEY, unique=True)
    personal = models.BooleanField(default=False)
    customers = models.PositiveBigIntegerField(default=0)
    counts = models.JSONField(default=dict)
    values = models.JSONField(default=dict, encoder=ReadableEncoder)
    is_estimated = models.BooleanField(default=False)

    objects: ClassVar[models.Manager[MetadataKey]] = models.Manager()

    class Meta:
        ordering = ["-customers", "key"]
        default_permissions = ("view", "change")

    def __str__(self) -> str:
        return self.key

    @property
    def types(self) -> list[str]:
        """Answer the types seen, the most frequent first."""
        return [name for name, count in Counter(self.counts).most_common() if count > 0]

    def top_values(self, number: int = 10) -> list[tuple[str, int]]:
        """Answer frequent values and how many have them; none to those who may not see them."""
        return [] if sight().hides(self.key) else Counter(self.values).most_common(number)

    def to_json(self, total: int) -> dict[str, JSONValue]:
        """Answer {key, personal, customers, fill_rate, types, top_values: [{value, count}], estimated}."""
        return {
            "key": self.key,
            "personal": self.personal,
            "customers": self.customers,
            "fill_rate": round(self.customers / total, 4) if total else 0,
            "types": [*self.types],
            "top_values": [{"value": value, "count": count} for value, count in self.top_values()],
            "estimated": self.is_estimated,
        }

    def forget(self, value: str, type: str, *, counted: bool, alone: bool) -> None:
        """Take out a value that somebody had who is erased: counted of her until now, alone: nobody else has it."""
        if counted:
            self.counts = {name: count - (name == type) for name, count in self.counts.items()}
            self.customers = max(0, self.customers - 1)
        if alone:
            self.values.pop(value, None)
        elif counted and value in self.values:
            self.values[value] = max(1, self.values[value] - 1)
        self.save(update_fields=["counts", "customers", "values"])

    @classmethod
    @transaction.atomic
    def mark_personal(cls, key: str, personal: bool = True) -> MetadataKey:
        """Say whether a key holds personal data; in force everywhere within seconds. Who may: change_metadatakey."""
        cls.objects.get_or_create(key=key)
        found = cls.objects.select_for_update().get(key=key)
        if found.personal != personal:
            found.personal = personal
            found.save(update_fields=["personal"])
            record(Act.CHANGED, found, before={"personal": not personal}, after={"personal": personal})
        return found


class CatalogueState(models.Model):
    """How far the catalogue is: the audit entry read last, and the customer up to whom all are being read (or null)."""

    entry = models.BigIntegerField(default=0)
    customers = models.BigIntegerField(default=0)
    read_up_to = models.CharField(max_length=200, null=True)  # noqa: DJ001 - null: nobody is being read
    found = models.JSONField(default=dict, encoder=ReadableEncoder)
    found_customers = models.BigIntegerField(default=0)
    built_utc = models.DateTimeField(null=True)

    objects: ClassVar[models.Manager[CatalogueState]] = models.Manager()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"up to entry {self.entry}"


class Tally:
    """Numbers of customers per key, type and value; they may be less than 0 where customers changed."""

    def __init__(self, found: Mapping[str, Any] | None = None) -> None:
        self.keys: dict[str, tuple[Counter[str], Counter[str]]] = {
            key: (Counter(counts), Counter(values)) for key, (counts, values) in (found or {}).items()
        }

    def add(self, metadata: object, number: int = 1) -> None:
        """Count a customer's metadata, or so much of it as came (1) or went (-1)."""
        for key, value in metadata.items() if isinstance(metadata, dict) else ():
            if not isinstance(value, str) or len(key) > LONGEST_KEY:
                continue
            if key not in self.keys and len(self.keys) >= MOST_KEYS:
                continue
            counts, values = self.keys.setdefault(key, (Counter(), Counter()))
            counts[type_of_text(value)] += number
            if len(value) <= LONGEST_VALUE:
                values[value] += number

    def to_json(self) -> dict[str, Any]:
        """Answer what is kept between steps: the most frequent values alone."""
        most = 4 * MOST_VALUES
        return {key: [counts, dict(values.most_common(most))] for key, (counts, values) in self.keys.items()}


def metadata_keys(keys: Iterable[str] | None = None) -> list[MetadataKey]:
    """Answer the keys that customers have or that were marked, the most frequent first."""
    rows = MetadataKey.objects.all()
    return list(rows if keys is None else rows.filter(key__in=list(keys)))


def total_customers() -> int:
    """Answer how many customers the catalogue is about."""
    return CatalogueState.objects.values_list("customers", flat=True).first() or 0


def keep_current(now: datetime | None = None) -> bool:
    """Take in what changed, and read on where all customers are being read; answer whether there is more to do now."""
    state, _ = CatalogueState.objects.get_or_create(pk=1)
    if state.built_utc is None and state.read_up_to is None:
        _begin(state)
        _estimate(state)
    more = _take_in(state, now or timezone.now())
    return _read_on(state) if state.read_up_to is not None else more


def rebuild_if_older_than(instant: datetime) -> None:
    """Read all customers again, beginning with the next step, when they were read before an instant."""
    old = CatalogueState.objects.filter(pk=1, read_up_to=None, built_utc__lt=instant)
    old.update(read_up_to="", found={}, found_customers=0)


def _begin(state: CatalogueState) -> None:
    last = AuditEntry.objects.order_by("-id").values_list("id", flat=True).first()
    state.entry, state.read_up_to, state.found, state.found_customers = last or 0, "", {}, 0
    state.save()


@transaction.atomic
def _take_in(state: CatalogueState, now: datetime) -> bool:
    entries = AuditEntry.objects.filter(kind="customer", id__gt=state.entry, at__lt=now - LAG).order_by("id")
    read = list(entries.values_list("id", "object_id", "before", "after", "act")[:STEP])
    if not read:
        return False
    tally, reading, newcomers = Tally(), Tally(state.found), 0
    for _, customer_id, before, after, act in read:
        newcomers += _newcomers(act, before, after)
        for part, number in ((before, -1), (after, 1)):
            changed = part.get("metadata") if isinstance(part, dict) else None
            tally.add(changed, number)
            if state.read_up_to is not None and customer_id <= state.read_up_to:
                reading.add(changed, number)
    rows = {row.key: row for row in metadata_keys(tally.keys)}
    for key, (counts, values) in tally.keys.items():
        row = rows.get(key) or MetadataKey(key=key)
        _write(row, Counter(row.counts) + Counter(), counts, Counter(row.values) + Counter(), values)
    state.entry = read[-1][0]
    state.customers = max(0, state.customers + newcomers)
    state.found = reading.to_json() if state.read_up_to is not None else {}
    state.save(update_fields=["entry", "customers", "found"])
    return len(read) == STEP


def _newcomers(act: str, before: Any, after: Any) -> int:
    """Answer how many customers more there are by an act, or fewer; a merge and its undoing write two entries."""
    if act == "merged":
        return -1 if isinstance(after, dict) and "into" in after else 0
    if act == "unmerged":
        return 1 if before is None else 0
    if act == "erased":
        return -1 if isinstance(after, dict) and after.get("customers") else 0
    return {"created": 1, "deleted": -1}.get(act, 0)


def _write(
    row: MetadataKey, counts: Counter[str], more: Counter[str], values: Counter[str], more_values: Counter[str]
) -> None:
    counts.update(more)
    for value, number in more_values.items():
        if value in values or len(values) < MOST_VALUES:
            values[value] += number
    row.counts = {name: count for name, count in counts.items() if count > 0}
    row.customers = sum(row.counts.values())
    # What one customer of many has says nothing of the key, but perhaps who she is.
    least = 2 if row.customers > MOST_VALUES else 1
    row.values = {value: count for value, count in values.most_common(MOST_VALUES) if count >= least}
    # Whether it is personal is said by people, perhaps at this moment, and is not written here.
    if row.pk and not row.customers:
        deleted, _ = MetadataKey.objects.filter(pk=row.pk, personal=False).delete()
        if deleted:
            return
    if row.pk:
        row.save(update_fields=["counts", "customers", "values", "is_estimated"])
    elif row.customers:
        row.save()


def _read_on(state: CatalogueState) -> bool:
    """Read the next customers; with the last of them the numbers become those of all. Answer whether more follow."""
    from customers.models import Customer

    rows = Customer.objects.filter(pk__gt=state.read_up_to or "").order_by("pk")
    read = list(rows.values_list("pk", "metadata")[:STEP])
    tally = Tally(state.found)
    for _, metadata in read:
        tally.add(metadata)
    state.found_customers += len(read)
    if len(read) == STEP:
        state.read_up_to, state.found = read[-1][0], tally.to_json()
        state.save(update_fields=["read_up_to", "found", "found_customers"])
        return True
    with transaction.atomic():
        _replace(tally, 1, is_estimated=False)
        state.customers, state.found, state.read_up_to = state.found_customers, {}, None
        state.found_customers, state.built_utc = 0, timezone.now()
        state.save()
    return False


def _estimate(state: CatalogueState) -> None:
    from customers.insight.sampling import are_few, sample_of

    if are_few(DEFAULT_DB_ALIAS):
        return
    sample = sample_of(DEFAULT_DB_ALIAS)
    tally = Tally()
    for metadata in sample.customers.values_list("metadata", flat=True):
        tally.add(metadata)
    with transaction.atomic():
        _replace(tally, sample.total / max(1, len(sample.ids)), is_estimated=True)
        CatalogueState.objects.filter(pk=state.pk).update(customers=sample.total)
    state.customers = sample.total


def _replace(tally: Tally, scale: float, *, is_estimated: bool) -> None:
    rows = {row.key: row for row in metadata_keys()}
    for key, (counts, values) in tally.keys.items():
        row = rows.pop(key, None) or MetadataKey(key=key)
        row.is_estimated = is_estimated
        scaled = (Counter({name: round(scale * count) for name, count in part.items()}) for part in (counts, values))
        _write(row, Counter(), next(scaled), Counter(), Counter(dict(next(scaled).most_common(MOST_VALUES))))
    for gone in rows.values():
        _write(gone, Counter(), Counter(), Counter(), Counter())
