"""Bulk actions: the same change for every customer of a selection."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from django.utils.translation import gettext_lazy as _

from customers.changing import Change, Difference, change_many, difference, tags_of
from customers.jobs.models import DataJob, JobProblem, problem
from customers.jobs.work import Batch, Outcome, Work, kind, work_class
from customers.models import Customer
from customers.querysets import CustomerQuerySet
from customers.segments.publishing import refuse_reserved
from customers.selection import Selection
from parlant_site.common.errors import BadInput
from parlant_site.common.json import JSONValue, UnusableJSON, check
from parlant_site.common.personal import Sight, personal_keys, sight
from tags.models import Tag

CHUNK = 500
SAMPLES = 3
LOOKED_AT_FOR_SAMPLES = 200


class OverCustomers(Work):
    """Work on each customer of the job's selection, by id, in chunks."""

    permission: ClassVar[str] = "customers.bulk_change"
    chunk: ClassVar[int] = CHUNK
    shows_changes: ClassVar[bool] = False  # whether `samples` has something to say

    @classmethod
    def whom(cls, selection: Selection) -> CustomerQuerySet:
        """Answer the customers of a selection on whom the work is done."""
        return selection.customers()

    @classmethod
    def samples(cls, customers: list[Customer], parameters: Mapping[str, Any]) -> list[Difference]:
        """Answer what would become of each of some customers, in the shape of the audit; checked parameters."""
        return []

    def selection(self) -> Selection:
        """Answer whom the job is for."""
        return Selection.from_json(self.job.selection or {})

    def count(self) -> int | None:
        """Answer how many customers there are to do."""
        return self.selection().count()

    def read(self, cursor: JSONValue) -> Batch | None:
        """Answer the ids of the next customers: those after the cursor, so that none is done twice.

        Those who were chosen one by one are in it even if they are gone: who chose them is told.
        """
        selection = self.selection()
        if selection.ids is not None:
            chosen = sorted(set(selection.ids))
            keys = [key for key in chosen if not isinstance(cursor, str) or key > cursor][: self.chunk]
            return Batch(keys, keys[-1]) if keys else None
        rows = self.whom(selection).order_by("pk")
        if isinstance(cursor, str):
            rows = rows.filter(pk__gt=cursor)
        keys = list(rows.values_list("pk", flat=True)[: self.chunk])
        return Batch(keys, keys[-1]) if keys else None

    def gone_of(self, batch: Batch, found: Iterable[str]) -> list[JobProblem]:
        """Answer the problem with each customer of a chunk who was chosen and not found; to ask under the job's lock.

        The selection is read again: an erasure takes out of it whom no problem may name from then on.
        """
        missing = set(batch.rows).difference(found)
        if not missing:
            return []
        selection = DataJob.objects.values_list("selection", flat=True).get(pk=self.job.pk)
        gone = sorted(missing.intersection(Selection.from_json(selection or {}).ids or ()))
        return [problem(self.job, "The customer was deleted, or merged into another one", ref=key) for key in gone]


class BulkChange(OverCustomers):
    """A bulk action that is a Change; subclasses say which."""

    shows_changes: ClassVar[bool] = True

    @classmethod
    def samples(cls, customers: list[Customer], parameters: Mapping[str, Any]) -> list[Difference]:
        """Answer what changes."""
        change, borne = cls.change(parameters), tags_of(customers)
        return [difference(customer, borne[customer.pk], change) for customer in customers]

    @classmethod
    def change(cls, parameters: Mapping[str, Any]) -> Change:
        """Answer what is changed of each customer."""
        raise NotImplementedError

    def write(self, batch: Batch) -> Outcome:
        """Change the customers of a chunk."""
        rows = list(Customer.objects.select_for_update().filter(pk__in=batch.rows).order_by("pk"))
        borne = tags_of(rows)
        # Asked again: what the parameters name, such as a tag, may be gone by now.
        change = self.change(self.checked(self.job.parameters))
        changed = change_many(difference(customer, borne[customer.pk], change) for customer in rows)
        gone = self.gone_of(batch, (customer.pk for customer in rows))
        return Outcome(done=len(batch.rows), changed=changed, problems=gone)


def _tag(parameters: Mapping[str, Any]) -> dict[str, Any]:
    tag = Tag.objects.with_ids([str(parameters.get("tag", ""))])[0]
    refuse_reserved([tag.pk])
    return {"tag": tag.pk, "tag_name": tag.name}


@kind
class AddTag(BulkChange):
    """Put a tag on: parameters {"tag": id}."""

    kind = "tag"
    label = _("Tag")

    @classmethod
    def checked(cls, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Answer the tag; NotFound for an unknown one."""
        return _tag(parameters)

    @classmethod
    def describe(cls, parameters: Mapping[str, Any]) -> str:
        """Answer the title."""
        return f"Tag {parameters['tag_name']}"

    @classmethod
    def change(cls, parameters: Mapping[str, Any]) -> Change:
        """Answer the change."""
        return Change(add_tags=frozenset([parameters["tag"]]))


@kind
class RemoveTag(AddTag):
    """Take a tag off: parameters {"tag": id}."""

    kind = "untag"
    label = _("Untag")

    @classmethod
    def describe(cls, parameters: Mapping[str, Any]) -> str:
        """Answer the title."""
        return f"Untag {parameters['tag_name']}"

    @classmethod
    def change(cls, parameters: Mapping[str, Any]) -> Change:
        """Answer the change."""
        return Change(remove_tags=frozenset([parameters["tag"]]))


def _refuse_hidden(keys: Iterable[str]) -> None:
    """Refuse keys whose values who asks may not see: nobody writes over them blindly."""
    if hidden := [key for key in keys if sight().hides(key)]:
        raise BadInput.at("parameters", msg=f"Personal data, which you may not see or change: {', '.join(hidden)}")


@kind
class SetMetadata(BulkChange):
    """Set keys of the metadata: parameters {"set": {key: text}}."""

    kind = "set_metadata"
    label = _("Set metadata")

    @classmethod
    def checked(cls, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Answer the keys; BadInput when there are none, or a value is no text."""
        keys = parameters.get("set")
        if not isinstance(keys, Mapping) or not keys:
            raise BadInput.at("parameters", "set", msg="Name a key and its value")
        for key, value in keys.items():
            if not isinstance(key, str) or not key or not isinstance(value, str):
                raise BadInput.at("parameters", "set", str(key), msg="Keys and values of metadata are texts")
            try:
                check({key: value})
            except UnusableJSON as error:
                raise BadInput.at("parameters", "set", key, msg=str(error)) from None
        _refuse_hidden(keys)
        return {"set": dict(keys)}

    @classmethod
    def describe(cls, parameters: Mapping[str, Any]) -> str:
        """Answer the title."""
        shown = Sight(personal_keys()).metadata(parameters["set"])
        return "Set " + ", ".join(f"{key} = {value}" for key, value in shown.items())

    @classmethod
    def change(cls, parameters: Mapping[str, Any]) -> Change:
        """Answer the change."""
        return Change(set_metadata=parameters["set"])


@kind
class UnsetMetadata(BulkChange):
    """Unset keys of the metadata: parameters {"unset": [key]}."""

    kind = "unset_metadata"
    label = _("Unset metadata")

    @classmethod
    def checked(cls, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Answer the keys; BadInput when there are none."""
        keys = parameters.get("unset")
        if not isinstance(keys, (list, tuple)) or not keys or not all(isinstance(key, str) for key in keys):
            raise BadInput.at("parameters", "unset", msg="Name the keys")
        _refuse_hidden(keys)
        return {"unset": [*dict.fromkeys(keys)]}

    @classmethod
    def describe(cls, parameters: Mapping[str, Any]) -> str:
        """Answer the title."""
        return "Unset " + ", ".join(parameters["unset"])

    @classmethod
    def change(cls, parameters: Mapping[str, Any]) -> Change:
        """Answer the change."""
        return Change(unset_metadata=frozenset(parameters["unset"]))


@dataclass(frozen=True)
class Preview:
    """What a bulk action would come to: for how many, and some of them before and after (shapes of the audit)."""

    total: int
    samples: list[Difference]


def preview(kind_name: str, *, selection: Selection, parameters: Mapping[str, Any]) -> Preview:
    """Answer how many customers an action is for, and up to 3 whom it changes; of those it leaves as they are, if none.

    Of an export there is no before and after.
    """
    work = customer_work(kind_name)
    kept, customers = work.checked(parameters), work.whom(selection)
    rows = list(customers.order_by("-creation_utc", "-pk")[:LOOKED_AT_FOR_SAMPLES]) if work.shows_changes else []
    seen = work.samples(rows, kept)
    return Preview(customers.count(), ([one for one in seen if one] or seen)[:SAMPLES])


def customer_work(kind_name: str) -> type[OverCustomers]:
    """Answer the class of a kind of work on customers; BadInput for any other."""
    work = work_class(kind_name)
    if not issubclass(work, OverCustomers):
        raise BadInput.at("kind", msg=f"{kind_name} is no work on chosen customers")
    return work
