"""What all models share."""

from typing import TYPE_CHECKING, Any, Self

from django.db import models
from django.db.models.functions import Length
from django.utils import timezone

from parlant_site.common.errors import NotFound
from parlant_site.common.ids import new_id

ID_LENGTH = 200

# Lengths are checked by the database itself: SQLite does not enforce varchar(n).
models.CharField.register_lookup(Length)


class Identified(models.Model):
    """A row with a string id (its own or the caller's) and the instant of its creation."""

    id = models.CharField(primary_key=True, max_length=ID_LENGTH, default=new_id, editable=False)
    creation_utc = models.DateTimeField("created", default=timezone.now, editable=False)

    if TYPE_CHECKING:
        pk: str

    class Meta:
        abstract = True

    @classmethod
    def found_in(cls, rows: models.QuerySet[Any], key: str) -> Any:
        """Answer the row with this id; NotFound names it."""
        row = rows.filter(pk=key).first()
        if row is None:
            raise NotFound(str(cls._meta.verbose_name).capitalize(), key)
        return row

    @classmethod
    def lock(cls, key: str) -> Self:
        """Answer the row as it is now, locked until the transaction ends; NotFound when it is gone."""
        row: Self = cls.found_in(cls._base_manager.select_for_update(), key)
        return row


def length_between(field: str, least: int, most: int, *, name: str) -> models.CheckConstraint:
    """Answer a constraint on the number of characters of a text field."""
    return models.CheckConstraint(
        condition=models.Q(**{f"{field}__length__gte": least, f"{field}__length__lte": most}), name=name
    )


def one_of(field: str, choices: type[models.TextChoices], *, name: str) -> models.CheckConstraint:
    """Answer a constraint that a field holds one of the choices."""
    return models.CheckConstraint(condition=models.Q(**{f"{field}__in": choices.values}), name=name)
