"""Changing many customers at once, with the same result, and the same audit, as changing each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from operator import or_

from customers.models import Changed, Customer, CustomerTag
from customers.segments.publishing import refuse_reserved
from parlant_site.common.audit import Act, Values, differing, record_many
from parlant_site.common.json import JSONValue

BATCH = 1000


@dataclass(frozen=True)
class Change:
    """What to change of a customer: what is not said stays. Unsetting comes after setting, removing after adding."""

    name: str | None = None
    set_metadata: Mapping[str, str] = field(default_factory=dict)
    unset_metadata: frozenset[str] = frozenset()
    add_tags: frozenset[str] = frozenset()
    remove_tags: frozenset[str] = frozenset()


@dataclass
class Difference:
    """What a change comes to for one customer, in the shape of the audit; both empty when it changes nothing."""

    customer: Customer
    before: dict[str, JSONValue]
    after: dict[str, JSONValue]

    def __bool__(self) -> bool:
        return bool(self.after)


def tags_of(customers: Iterable[Customer]) -> dict[str, set[str]]:
    """Answer the ids of the tags of each of these customers, with one statement."""
    borne: dict[str, set[str]] = {customer.pk: set() for customer in customers}
    links = CustomerTag.objects.order_by().filter(customer_id__in=list(borne)).values_list("customer_id", "tag_id")
    for customer_id, tag_id in links:
        borne[customer_id].add(tag_id)
    return borne


def difference(customer: Customer, borne: set[str], change: Change) -> Difference:
    """Answer what a change would come to for a customer who bears these tags; changes nothing."""
    before: dict[str, JSONValue] = {}
    after: dict[str, JSONValue] = {}
    if change.name is not None and change.name != customer.name:
        before["name"], after["name"] = customer.name, change.name
    if change.set_metadata or change.unset_metadata:
        merged = {**customer.metadata, **change.set_metadata}
        wanted = {key: value for key, value in merged.items() if key not in change.unset_metadata}
        old, new = differing(customer.metadata, wanted)
        if new:
            before["metadata"], after["metadata"] = old, new
    put_on = sorted(change.add_tags - borne - change.remove_tags)
    taken_off = sorted(change.remove_tags & borne)
    if put_on or taken_off:
        before["tags"], after["tags"] = [*taken_off], [*put_on]
    return Difference(customer, before, after)


def change_many(differences: Iterable[Difference]) -> int:
    """Write what changes, and record it; answer for how many customers.

    Inside a transaction, of customers that were read in it for update. A few statements per thousand customers.
    """
    changing = write_differences(differences)
    record_many(Act.CHANGED, ((one.customer, one.before, one.after) for one in changing))
    return len(changing)


def write_differences(differences: Iterable[Difference]) -> list[Difference]:
    """Write what changes, as change_many does, and answer it; to record it is left to the caller."""
    changing = [one for one in differences if one]
    refuse_reserved(
        tag_id for one in changing for side in (one.before, one.after) for tag_id in _words(side.get("tags"))
    )
    rewritten, links, gone = [], [], []
    for one in changing:
        customer, after = one.customer, one.after
        customer.stale = or_(customer.stale, _bits(after))
        if "name" in after:
            customer.name = str(after["name"])
        if "metadata" in after:
            customer.metadata = patched(customer.metadata, after["metadata"])
        if "tags" in after:
            links += [CustomerTag(customer=customer, tag_id=tag_id) for tag_id in _words(after["tags"])]
            gone += [(customer.pk, tag_id) for tag_id in _words(one.before["tags"])]
        rewritten.append(customer)
    # Measured: an upsert of whole rows is far cheaper than bulk_update's CASE WHEN; the rows are locked and exist.
    Customer.objects.bulk_create(
        rewritten,
        batch_size=BATCH,
        update_conflicts=True,
        unique_fields=["id"],
        update_fields=["name", "metadata", "stale"],
    )
    CustomerTag.objects.bulk_create(links, batch_size=BATCH)
    for tag_id in sorted({tag_id for _, tag_id in gone}):
        bearers = [key for key, gone_id in gone if gone_id == tag_id]
        CustomerTag.objects.filter(tag_id=tag_id, customer_id__in=bearers).delete()
    return changing


def register_many(newcomers: Iterable[tuple[Customer, Iterable[str]]]) -> int:
    """Insert customers with the ids of their tags, as Customer.register does one; inside a transaction."""
    rows = [(customer, sorted(set(tag_ids))) for customer, tag_ids in newcomers]
    refuse_reserved(tag_id for _, tag_ids in rows for tag_id in tag_ids)
    for customer, _ in rows:
        customer.stale = sum(Changed)
    Customer.objects.bulk_create([customer for customer, _ in rows], batch_size=BATCH)
    CustomerTag.objects.bulk_create(
        [CustomerTag(customer=customer, tag_id=tag_id) for customer, tag_ids in rows for tag_id in tag_ids],
        batch_size=BATCH,
    )
    created: list[tuple[Customer, Values | None, Values | None]] = [
        (customer, None, customer.facts(tag_ids)) for customer, tag_ids in rows
    ]
    record_many(Act.CREATED, created)
    return len(rows)


def patched(metadata: Mapping[str, str], keys: JSONValue) -> dict[str, str]:
    """Answer metadata with these keys set; null unsets."""
    changes = keys if isinstance(keys, dict) else {}
    merged = {**metadata, **changes}
    return {key: str(value) for key, value in merged.items() if value is not None}


def _bits(after: Values) -> int:
    bits = {"name": Changed.PROFILE, "metadata": Changed.METADATA, "tags": Changed.TAGS}
    return sum(bits[field_name] for field_name in after)


def _words(value: JSONValue) -> list[str]:
    return [str(word) for word in value] if isinstance(value, list) else []
