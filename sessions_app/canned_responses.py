"""Canned responses: what agents may say, written by people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from django.db import models, transaction

from parlant_site.common.errors import NotFound
from parlant_site.common.json import JSONValue
from parlant_site.common.models import Identified, one_of
from sessions_app.events import Purpose
from tags.models import Tag


class CannedResponse(Identified):
    """Something that agents may say.

    `value` is a template (engine/templates.py). `signals` are phrases that it answers: it is found by them and by its
    own words. With tags, it is said only to customers, and only by agents, who bear one of them. `fields` is a list of
    {name, description, examples} and `field_dependencies` names the fields without which it is not said.
    """

    value = models.TextField(help_text="What to say, a template: Hello {{ customer.name }}!")
    purpose = models.CharField(max_length=10, choices=Purpose.choices, default=Purpose.ANSWER)
    signals = models.JSONField(default=list, blank=True, help_text="Phrases that it answers, a JSON list of strings")
    fields = models.JSONField(default=list, blank=True)
    field_dependencies = models.JSONField(default=list, blank=True)
    metadata = models.JSONField(default=dict, blank=True)
    changed_utc = models.DateTimeField("changed", auto_now=True, db_index=True)
    tags = models.ManyToManyField(Tag, through="CannedResponseTag", related_name="canned_responses", blank=True)

    objects: ClassVar[models.Manager[CannedResponse]] = models.Manager()

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
        links = (CannedResponseTag(canned_response=response, tag=tag) for tag in dict.fromkeys(tags))
        CannedResponseTag.objects.bulk_create(links)
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
        current = CannedResponse.objects.select_for_update().get(pk=self.pk)
        unset = set(unset_metadata)
        if set_metadata or unset:
            merged = {**current.metadata, **(set_metadata or {})}
            fields["metadata"] = {key: value for key, value in merged.items() if key not in unset}
        for field, value in fields.items():
            setattr(self, field, value)
        borne = set(self.tag_links.values_list("tag_id", flat=True))
        wanted = borne | {tag.pk for tag in Tag.objects.with_ids(list(add_tags))}
        for tag_id in remove_tags:
            if tag_id not in wanted:
                raise NotFound("Tag of the canned response", tag_id)
        wanted -= set(remove_tags)
        self.tag_links.filter(tag_id__in=borne - wanted).delete()
        new = sorted(wanted - borne)
        CannedResponseTag.objects.bulk_create(CannedResponseTag(canned_response=self, tag_id=one) for one in new)
        self.save(update_fields=[*fields, "changed_utc"])
        return self

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
