"""Tags divide customers and agents into groups."""

from __future__ import annotations

from typing import ClassVar

from django.db import IntegrityError, models, transaction

from parlant_site.common.audit import Act, record
from parlant_site.common.errors import NotFound, Refusal
from parlant_site.common.models import Identified, length_between

NAME_LENGTH = 50


class TagNameTaken(Refusal):
    """A tag of this name exists already."""


class TagQuerySet(models.QuerySet["Tag"]):
    """Sets of tags."""

    def with_ids(self, ids: list[str]) -> list[Tag]:
        """Answer the tags with these ids, in their order, without duplicates; NotFound names the first unknown id."""
        found = self.in_bulk(list(dict.fromkeys(ids)))
        for key in ids:
            if key not in found:
                raise NotFound("Tag", key)
        return [found[key] for key in dict.fromkeys(ids)]


class Tag(Identified):
    """A name under which customers and agents are grouped."""

    name = models.CharField(max_length=NAME_LENGTH)

    objects: ClassVar[models.Manager[Tag]] = TagQuerySet.as_manager()

    class Meta:
        ordering = ["creation_utc", "id"]
        constraints = [
            models.UniqueConstraint(fields=["name"], name="one_tag_per_name"),
            length_between("name", 1, NAME_LENGTH, name="tag_name_length"),
        ]

    def __str__(self) -> str:
        return self.name

    @classmethod
    def add(cls, *, name: str) -> Tag:
        """Create a tag; TagNameTaken when the name is in use."""
        return cls(name=name)._write()

    def rename(self, name: str) -> Tag:
        """Give the tag another name; TagNameTaken when the name is in use."""
        before, self.name = self.name, name
        return self if name == before else self._write(before=before)

    @transaction.atomic
    def remove(self) -> None:
        """Delete the tag and take it off everything that bears it."""
        record(Act.DELETED, self, before={"name": self.name})
        self.delete()

    def _write(self, before: str | None = None) -> Tag:
        try:
            with transaction.atomic():
                if before is None:
                    self.save(force_insert=True)
                    record(Act.CREATED, self, after={"name": self.name})
                else:
                    self.save(update_fields=["name"])
                    record(Act.CHANGED, self, before={"name": before}, after={"name": self.name})
        except IntegrityError as error:
            if Tag.objects.filter(name=self.name).exclude(pk=self.pk).exists():
                raise TagNameTaken(f"A tag named {self.name!r} exists already") from error
            raise
        return self
