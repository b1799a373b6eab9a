"""Undoing a job: its audit entries, read backwards, say what to put back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext_lazy as _

from customers.changing import Change, change_many, difference, patched, tags_of
from customers.jobs.models import JobProblem, problem
from customers.jobs.work import Batch, Outcome, Work, kind
from customers.merging.models import CustomerAlias
from customers.models import Customer
from customers.segments.publishing import reserved_among
from parlant_site.common.audit import Act, AuditEntry, record_many
from parlant_site.common.json import JSONValue
from tags.models import Tag

CHUNK = 500


@kind
class Undo(Work):
    """Put back what a job changed, except for customers whom somebody changed in the same places since.

    Customers whom an import made are deleted, unless they changed, began to talk, or took in somebody else by a merge.
    """

    kind = "undo"
    label = _("Undo")
    permission = "customers.bulk_change"
    can_be_undone = False

    @classmethod
    def checked(cls, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Answer the parameters."""
        return {"job": str(parameters["job"]), "title": str(parameters["title"])}

    @classmethod
    def describe(cls, parameters: Mapping[str, Any]) -> str:
        """Answer the title."""
        return f"Undo: {parameters['title']}"

    def entries(self) -> Any:
        """Answer what the job did to customers, the latest first."""
        acts = [Act.CHANGED, Act.CREATED]
        return AuditEntry.objects.of_job(self.job.parameters["job"]).filter(kind="customer", act__in=acts)

    def count(self) -> int | None:
        """Answer how many changes there are to take back."""
        return int(self.entries().count())

    def read(self, cursor: JSONValue) -> Batch | None:
        """Answer the next entries; each customer at most once, so that each sees what came after her."""
        rows = self.entries().order_by("-id")
        if isinstance(cursor, int):
            rows = rows.filter(id__lt=cursor)
        chunk: dict[str, AuditEntry] = {}
        for entry in rows[:CHUNK]:
            if entry.object_id in chunk:
                break
            chunk[entry.object_id] = entry
        entries = list(chunk.values())
        return Batch(entries, entries[-1].pk) if entries else None

    def write(self, batch: Batch) -> Outcome:
        """Take back a chunk."""
        # Read again, under the job's lock: an erasure may have taken somebody out of them since.
        ids = [entry.pk for entry in batch.rows]
        entries = list(AuditEntry.objects.filter(pk__in=ids).order_by("-id"))
        keys = [entry.object_id for entry in entries]
        found = {row.pk: row for row in Customer.objects.select_for_update().filter(pk__in=keys).order_by("pk")}
        borne = tags_of(found.values())
        sides = [side or {} for entry in entries for side in (entry.before, entry.after)]
        wanted_tags = {tag_id for side in sides for tag_id in _words(side.get("tags"))}
        # Tags that a segment publishes by now are its own to set.
        tags = set(Tag.objects.filter(pk__in=wanted_tags, published_by=None).values_list("pk", flat=True))
        # That segments put theirs on since is no change that somebody made.
        reserved = reserved_among({tag_id for each in borne.values() for tag_id in each})
        joined = set(CustomerAlias.objects.filter(customer_id__in=keys).values_list("customer_id", flat=True))
        problems: list[JobProblem] = []
        differences, going = [], []
        for entry in entries:
            customer = found.get(entry.object_id)
            if customer is None:
                problems.append(problem(self.job, "The customer was deleted since", ref=entry.object_id))
            elif entry.redacted:
                problems.append(problem(self.job, "What she was before was erased", ref=entry.object_id))
            elif not _is_as_left(customer, borne[customer.pk] - reserved, entry):
                problems.append(problem(self.job, "Changed since", ref=entry.object_id))
            elif entry.act == Act.CREATED:
                if customer.session_count:
                    problems.append(problem(self.job, "She has conversations since", ref=entry.object_id))
                elif customer.pk in joined:
                    problems.append(problem(self.job, "Another customer was merged into her since", ref=customer.pk))
                else:
                    going.append(customer)
            else:
                differences.append(difference(customer, borne[customer.pk], _way_back(entry, tags)))
        changed = change_many(differences)
        record_many(Act.DELETED, ((row, row.facts(sorted(borne[row.pk])), None) for row in going))
        Customer.objects.filter(pk__in=[row.pk for row in going]).delete()
        return Outcome(len(ids), changed=changed + len(going), skipped=len(problems), problems=problems)


def _is_as_left(customer: Customer, borne: set[str], entry: AuditEntry) -> bool:
    """Answer whether what the job wrote still stands."""
    after, before = entry.after or {}, entry.before or {}
    if entry.act == Act.CREATED:
        return bool(customer.facts(sorted(borne)) == {**after, "tags": sorted(_words(after.get("tags")))})
    return (
        after.get("name", customer.name) == customer.name
        and patched(customer.metadata, after.get("metadata")) == customer.metadata
        and borne.issuperset(_words(after.get("tags")))
        and borne.isdisjoint(_words(before.get("tags")))
    )


def _way_back(entry: AuditEntry, tags: set[str]) -> Change:
    before, after = entry.before or {}, entry.after or {}
    keys: dict[str, Any] = before.get("metadata") or {}
    return Change(
        name=before.get("name"),
        set_metadata={key: value for key, value in keys.items() if value is not None},
        unset_metadata=frozenset(key for key, value in keys.items() if value is None),
        add_tags=frozenset(_words(before.get("tags"))) & tags,
        remove_tags=frozenset(_words(after.get("tags"))) & tags,
    )


def _words(value: Any) -> list[str]:
    return list(value or [])
