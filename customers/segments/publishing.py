"""Segments that publish a tag: their members bear it, and nobody else sets it or takes it off."""

from __future__ import annotations

from collections.abc import Iterable

from django.db import connection, transaction

from customers.segments.circles import hold_references
from customers.segments.history import Cause
from customers.segments.models import Segment
from customers.segments.running import queue
from parlant_site.common.audit import Act, record
from parlant_site.common.errors import Refusal
from tags.models import Tag


class TagReserved(Refusal):
    """A segment publishes this tag: its members alone bear it."""


class TagInUse(Refusal):
    """Customers bear this tag already."""


class PublishesInCircle(Refusal):
    """The segment's own rule asks for this tag, directly or through other segments."""


@transaction.atomic
def publish(segment: Segment, tag: Tag) -> Segment:
    """Let the members of a segment bear a tag, and nobody else; a run puts it on them. Another published tag is given
    up.

    TagReserved when another segment publishes it, TagInUse when customers bear it, PublishesInCircle.
    """
    hold_references()
    current = Segment.lock(segment.pk)
    Tag.lock(tag.pk)
    if current.published_tag_id == tag.pk:
        return current
    if other := Segment.objects.filter(published_tag=tag).first():
        raise TagReserved(f"The segment {other.name!r} publishes this tag")
    if tag.customer_links.exists():
        raise TagInUse(f"Customers bear the tag {tag.name!r} already: take it off them, or publish another one")
    if tag.pk in all_references(current):
        raise PublishesInCircle
    before = current.published_tag_id
    take_tag_off(current)
    current.published_tag = tag
    current.save(update_fields=["published_tag"])
    record(Act.CHANGED, current, before={"published_tag": before}, after={"published_tag": tag.pk})
    queue(current, Cause.PUBLISH)
    return current


@transaction.atomic
def unpublish(segment: Segment) -> Segment:
    """Let a segment publish no tag any more: it is taken off everybody, and is a tag like any other."""
    current = Segment.lock(segment.pk)
    before = current.published_tag_id
    if before is not None:
        take_tag_off(current)
        record(Act.CHANGED, current, before={"published_tag": before}, after={"published_tag": None})
    return current


def take_tag_off(segment: Segment) -> None:
    """Take the tag of a locked segment off all who bear it; whoever asks for the tag is counted again."""
    from customers.models import CustomerTag

    tag_id = segment.published_tag_id
    if tag_id is None:
        return
    segment.published_tag = None
    segment.save(update_fields=["published_tag"])
    CustomerTag.objects.filter(tag_id=tag_id).order_by().delete()
    for dependent in Segment.objects.referring_to(tag_id).order_by("pk"):
        queue(dependent, Cause.SEGMENT)


def refuse_reserved(tag_ids: Iterable[str]) -> None:
    """Refuse to set tags, or to take them off, when a segment publishes one of them (TagReserved).

    Until the transaction ends, no segment can begin to publish them.
    """
    wanted = set(tag_ids)
    if not wanted:
        return
    hold_tags(wanted)
    publisher = Segment.objects.filter(published_tag_id__in=wanted).select_related("published_tag").first()
    if publisher is not None and publisher.published_tag is not None:
        raise TagReserved(
            f"The tag {publisher.published_tag.name!r} shows who is in the segment {publisher.name!r}:"
            " it cannot be set or taken off otherwise"
        )


def hold_tags(tag_ids: Iterable[str]) -> None:
    """Keep segments from publishing tags until the transaction ends; others may set them meanwhile.

    `publish` locks its tag before it looks who bears it: so either sees what the other wrote. On SQLite transactions
    come one after the other anyway.
    """
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(
                f"SELECT 1 FROM {Tag._meta.db_table} WHERE id = ANY(%s::text[]) ORDER BY id FOR KEY SHARE",
                [sorted(tag_ids)],
            )


def reserved_among(tag_ids: Iterable[str]) -> set[str]:
    """Answer which of the tags are published by segments."""
    rows = Segment.objects.filter(published_tag_id__in=set(tag_ids)).order_by()
    return {str(key) for key in rows.values_list("published_tag_id", flat=True)}


def all_references(segment: Segment) -> set[str]:
    """Answer the ids of all segments and tags on which the members of a segment depend, through whatever others."""
    rows = {row.pk: row for row in Segment.objects.all()}
    by_tag = {row.published_tag_id: row.pk for row in rows.values() if row.published_tag_id}
    found: set[str] = set()
    waiting = list(segment.refers)
    while waiting:
        key = waiting.pop()
        if key not in found:
            found.add(key)
            if other := rows.get(by_tag.get(key, key)):
                waiting += [other.pk, *other.refers]
    return found
