"""Canned responses: what agents may say, written by people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from secrets import randbits
from typing import Any, ClassVar

from django.db import models, transaction
from django.db.models.signals import pre_delete
from django.dispatch import receiver

from parlant_site.common.audit import Act, differing, record
from parlant_site.common.errors import NotFound
from parlant_site.common.json import JSONValue, ReadableEncoder
from parlant_site.common.models import Identified, one_of
from sessions_app.events import Purpose
from tags.models import Tag

# What the audit keeps, besides the tags.
KEPT = ("value", "purpose", "signals", "fields", "field_dependencies", "metadata", "enabled")


def new_stamp() -> int:
    """Answer a number that tells this version of a response from every other; millions of them add up in 64 bits."""
    return randbits(40)


class CannedResponseQuerySet(models.QuerySet["CannedResponse"]):
    """Sets of canned responses."""

    def tagged_any(self, tag_ids: Iterable[str]) -> CannedResponseQuerySet:
        """Answer those that bear at least one of the tags."""
        bearers = CannedResponseTag.objects.filter(tag_id__in=list(tag_ids), canned_response_id=models.OuterRef("pk"))
        return self.filter(models.Exists(bearers))

    def search(self, words: str) -> CannedResponseQuerySet:
        """Answer those with every one of the words in what they say or answer."""
        found = self
        for word in words.split():
            found = found.filter(models.Q(value__icontains=word) | models.Q(signals__icontains=word))
        return found

    def version(self) -> tuple[int, int]:
        """Answer what is different as soon as any response was added, changed or deleted, whoever's clock is wrong."""
        seen = self.order_by().aggregate(number=models.Count("pk"), stamps=models.Sum("stamp"))
        return seen["number"], int(seen["stamps"] or 0)


class CannedResponse(Identified):
    """Something that agents may say.

    `value` is a template (engine/templates.py). `signals` are phrases that it answers: it is found by them and by its
    own words. With tags, it is said only where the customer or the agent bears one of them. `fields` is a list of
    {name, description, examples}, and `field_dependencies` names what has to be known for it to be said.
    """

    value = models.TextField(help_text="What to say, a template: Hello {{ customer.name }}!")
    purpose = models.CharField(max_length=10, choices=Purpose.choices, default=Purpose.ANSWER)
    signals = models.JSONField(
        default=list, blank=True, encoder=ReadableEncoder, help_text="Phrases that it answers, a JSON list of strings"
    )
    fields = models.JSONField(default=list, blank=True)
    field_dependencies = models.JSONField(default=list, blank=True)
    metadata = models.JSONField(default=dict, blank=True)
    enabled = models.BooleanField(default=True, db_default=True)
    stamp = models.BigIntegerField(default=new_stamp, db_default=0, editable=False, db_index=True)
    tags = models.ManyToManyField(Tag, through="CannedResponseTag", related_name="canned_responses", blank=True)

    objects: ClassVar[CannedResponseQuerySet] = CannedResponseQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["creation_utc", "id"]
        constraints = [one_of("purpose", Purpose, name="canned_response_purpose")]

    def __str__(self) -> str:
        return self.value if len(self.value) <= 80 else f"{self.value[:77]}..."

    @classmethod
    @transaction.atomic
    def create(cls, *, tags: Iterable[Tag] = (), **fields: Any) -> CannedResponse:
        """Create a canned response with its tags, all or nothing."""
        response = cls(**fields)
        response.save(force_insert=True)
        borne = list(dict.fromkeys(tags))
        CannedResponseTag.objects.bulk_create(CannedResponseTag(canned_response=response, tag=tag) for tag in borne)
        record(Act.CREATED, response, after=response.facts([tag.pk for tag in borne]))
        return response

    @transaction.atomic
    def amend(
        self,
        *,
        set_metadata: Mapping[str, JSONValue] | None = None,
        unset_metadata: Iterable[str] = (),
        add_tags: Iterable[str] = (),
        remove_tags: Iterable[str] = (),
        **fields: Any,
    ) -> CannedResponse:
        """Change fields, metadata (set, then unset) and tags (by id), all or nothing.

        NotFound for an unknown tag, and for a tag to remove that it does not bear.
        """
        current = CannedResponse.lock(self.pk)
        unset = set(unset_metadata)
        if set_metadata or unset:
            merged = {**current.metadata, **(set_metadata or {})}
            fields["metadata"] = {key: value for key, value in merged.items() if key not in unset}
        before: dict[str, JSONValue] = {}
        after: dict[str, JSONValue] = {}
        for field, value in fields.items():
            was = getattr(current, field)
            setattr(self, field, value)
            if was != value:
                before[field], after[field] = differing(was, value) if field == "metadata" else (was, value)
        changed = list(after)
        borne = set(self.tag_links.values_list("tag_id", flat=True))
        wanted = borne | {tag.pk for tag in Tag.objects.with_ids(list(add_tags))}
        for tag_id in remove_tags:
            if tag_id not in wanted:
                raise NotFound("Tag of the canned response", tag_id)
        wanted -= set(remove_tags)
        if wanted != borne:
            self.tag_links.filter(tag_id__in=borne - wanted).delete()
            new = sorted(wanted - borne)
            CannedResponseTag.objects.bulk_create(CannedResponseTag(canned_response=self, tag_id=one) for one in new)
            before["tags"], after["tags"] = [*sorted(borne - wanted)], [*new]
        if after:
            self.stamp = new_stamp()
            self.save(update_fields=[*changed, "stamp"])
            record(Act.CHANGED, self, before=before, after=after)
        return self

    @transaction.atomic
    def remove(self) -> None:
        """Delete the canned response; what was said stays said."""
        record(Act.DELETED, self, before=self.facts(self.tag_ids()))
        self.delete()

    def facts(self, tag_ids: Iterable[str]) -> dict[str, JSONValue]:
        """Answer what the audit keeps of a response that came or went."""
        return {**{name: getattr(self, name) for name in KEPT}, "purpose": str(self.purpose), "tags": [*tag_ids]}

    def tag_ids(self) -> list[str]:
        """Answer the ids of the tags, in the order in which they were put on; uses prefetched links."""
        return [link.tag_id for link in self.tag_links.all()]


class CannedResponseTag(models.Model):
    """A canned response bears a tag."""

    canned_response = models.ForeignKey(CannedResponse, on_delete=models.CASCADE, related_name="tag_links")
    tag = models.ForeignKey(Tag, on_delete=models.CASCADE, related_name="canned_response_links")

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["canned_response", "tag"], name="one_link_per_canned_response_and_tag")
        ]

    def __str__(self) -> str:
        return f"{self.canned_response_id} bears {self.tag_id}"


@receiver(pre_delete, sender=Tag)
def turn_off_what_only_this_tag_restricts(sender: type[Tag], instance: Tag, **_: Any) -> None:
    """Turn off the responses that bear this tag alone: without it, what was meant for few would be said to all."""
    others = CannedResponseTag.objects.filter(canned_response_id=models.OuterRef("pk")).exclude(tag_id=instance.pk)
    restricted = CannedResponse.objects.tagged_any([instance.pk]).filter(~models.Exists(others), enabled=True)
    for response in restricted:
        response.amend(enabled=False)
