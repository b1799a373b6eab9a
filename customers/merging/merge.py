"""Merging: one customer takes over what another one has, and the other's id leads to her from then on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from customers.changing import Change, Difference, difference, tags_of, write_differences
from customers.merging.choices import Choices, state_of
from customers.merging.models import CustomerAlias, CustomerMerge
from customers.models import Changed, Customer, CustomerTag
from customers.parts import parts
from customers.privacy.subjects import GuestIsNobody
from customers.segments.publishing import hold_tags, reserved_among
from parlant_site.common.acting import current
from parlant_site.common.audit import Act, record
from parlant_site.common.errors import NotFound, Refusal
from parlant_site.common.json import JSONValue
from tags.models import Tag


class SameCustomer(Refusal):
    """A customer cannot be merged with herself."""


class MergeOutdated(Refusal):
    """One of the two was changed meanwhile: look again, and choose again."""


class MergeStays(Refusal):
    """The merge cannot be undone."""


@transaction.atomic
def merge(survivor_id: str, other_id: str, choices: Choices, *, seen: str | None = None) -> CustomerMerge:
    """Merge the other customer into the survivor; both ids may be old ones of theirs.

    `seen` is state_of() what was chosen from; MergeOutdated when it is so no longer. NotFound, GuestIsNobody,
    SameCustomer. Callers check who may: the permission customers.merge.
    """
    survivor_id, other_id = Customer.at(survivor_id).pk, Customer.at(other_id).pk
    if survivor_id == other_id:
        raise SameCustomer
    for each in parts():
        each.lock([other_id])
    locked = Customer.lock_all([survivor_id, other_id])
    for key in (survivor_id, other_id):
        if key not in locked:
            raise NotFound("Customer", key)
    survivor, other = locked[survivor_id], locked[other_id]
    if survivor.is_guest or other.is_guest:
        raise GuestIsNobody
    tags = tags_of(locked.values())
    if seen is not None and seen != state_of(survivor, other, tags):
        raise MergeOutdated
    return _join(survivor, other, difference(survivor, tags[survivor_id], choices.change(survivor, other, tags)), tags)


def _join(survivor: Customer, other: Customer, change: Difference, tags: dict[str, set[str]]) -> CustomerMerge:
    who = current()
    facts = other.facts(sorted(tags[other.pk]))
    made = CustomerMerge(
        survivor_id=survivor.pk,
        gone_id=other.pk,
        gone={**facts, "creation_utc": other.creation_utc.isoformat()},
        before=change.before,
        after=change.after,
        aliases=list(other.aliases.order_by("pk").values_list("pk", flat=True)),
        actor=who.user,
        actor_name=who.name,
        channel=who.channel,
    )
    made.save(force_insert=True)
    made.moved = {each.name: kept for each in parts() if (kept := each.move(made)) is not None}
    made.save(update_fields=["moved"])
    write_differences([change])
    Customer.mark_stale([survivor.pk], sum(Changed))
    record(Act.MERGED, other, before=facts, after={"into": survivor.pk})
    record(Act.MERGED, survivor, before=change.before, after={**change.after, "merged": other.pk})
    other.aliases.update(customer=survivor)
    old_id = other.pk
    other.delete()
    CustomerAlias.objects.create(pk=old_id, customer=survivor)
    return made


@transaction.atomic
def unmerge(merge_id: str) -> CustomerMerge:
    """Undo a merge: the other customer comes back with what she had; `left` says what changed since, and so stays.

    Of the survivor, fields that nobody changed since become as they were. What was done under the old id since stays
    with the survivor. MergeStays says why not.
    """
    made = CustomerMerge.lock(merge_id)
    if reason := made.why_not_undo():
        raise MergeStays(reason)
    for each in parts():
        each.lock([made.survivor_id])
    survivor = Customer.lock_all([made.survivor_id])[made.survivor_id]
    CustomerAlias.objects.filter(pk=made.gone_id).delete()
    other = _bring_back(made)
    CustomerAlias.objects.filter(pk__in=made.aliases, customer=survivor).update(customer=other)
    borne = tags_of([survivor])[survivor.pk]
    made.left = list(_changed_since(made, survivor, borne))
    back = difference(survivor, borne, _way_back(made, survivor, borne))
    write_differences([back])
    for each in parts():
        if each.name in made.moved:
            made.left += each.put_back(made, made.moved[each.name])
    Customer.mark_stale([survivor.pk], sum(Changed))
    made.undone_utc = timezone.now()
    made.save(update_fields=["undone_utc", "left"])
    record(Act.UNMERGED, other, after=other.facts(other.tag_ids()))
    record(Act.UNMERGED, survivor, before=back.before, after={**back.after, "unmerged": other.pk})
    return made


def _bring_back(made: CustomerMerge) -> Customer:
    gone: dict[str, Any] = made.gone
    created = parse_datetime(gone["creation_utc"]) or timezone.now()
    other = Customer(
        id=made.gone_id, name=gone["name"], metadata=gone["metadata"], creation_utc=created, stale=sum(Changed)
    )
    other.save(force_insert=True)
    hold_tags(gone["tags"])
    still = Tag.objects.filter(pk__in=gone["tags"], published_by=None).order_by("pk").values_list("pk", flat=True)
    CustomerTag.objects.bulk_create(CustomerTag(customer=other, tag_id=key) for key in still)
    return other


def _way_back(made: CustomerMerge, survivor: Customer, borne: set[str]) -> Change:
    """Answer what makes of the survivor's fields that are as the merge left them what they were before."""
    before: dict[str, Any] = made.before
    after: dict[str, Any] = made.after
    keys: dict[str, JSONValue] = {
        key: (before.get("metadata") or {}).get(key)
        for key, value in (after.get("metadata") or {}).items()
        if survivor.metadata.get(key) == value
    }
    put_on, taken_off = set(after.get("tags") or ()), set(before.get("tags") or ())
    existing = set(Tag.objects.filter(pk__in=taken_off, published_by=None).values_list("pk", flat=True))
    return Change(
        name=before["name"] if "name" in after and survivor.name == after["name"] else None,
        set_metadata={key: str(value) for key, value in keys.items() if value is not None},
        unset_metadata=frozenset(key for key, value in keys.items() if value is None),
        add_tags=frozenset(existing - borne),
        remove_tags=frozenset(put_on & borne - reserved_among(put_on)),
    )


def _changed_since(made: CustomerMerge, survivor: Customer, borne: set[str]) -> Iterator[str]:
    after: dict[str, Any] = made.after
    if "name" in after and survivor.name != after["name"]:
        yield "The name was changed since"
    for key, value in (after.get("metadata") or {}).items():
        if survivor.metadata.get(key) != value:
            yield f"The metadata key {key} was changed since"
    if set(after.get("tags") or ()) - borne or set((made.before or {}).get("tags") or ()) & borne:
        yield "Tags were changed since"
