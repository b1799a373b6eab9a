"""Exporting customers: a durable job that writes a file, chunk by chunk."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from django.db import connection
from django.utils.translation import gettext_lazy as _

from customers.jobs.bulk import OverCustomers
from customers.jobs.models import JobProblem, file_path, problem
from customers.jobs.work import Batch, Outcome, kind
from customers.models import Customer, CustomerTag
from customers.querysets import CustomerQuerySet
from customers.transfer.growing import append_to
from customers.transfer.mapping import METADATA
from customers.transfer.spreadsheets import shown
from parlant_site.common.audit import Act, record
from parlant_site.common.errors import BadInput
from parlant_site.common.json import JSONValue
from parlant_site.common.personal import sight
from parlant_site.common.rendering import dumps
from tags.models import Tag

CHUNK = 2000
FORMATS = ("csv", "jsonl")
MOST_COLUMNS = 1000
FIXED = ("id", "name", "tags", "creation_utc", "first_seen", "last_seen", "conversations")
REST = "metadata"  # a last column with all keys, as JSON, when there are too many for a column each


@kind
class ExportCustomers(OverCustomers):
    """Write customers to a file: parameters {"form": "csv" or "jsonl", "mark": bool}.

    `mark` puts a byte order mark before CSV, by which spreadsheets see that it is UTF-8. Values of personal keys are
    masked as for the user who asked.
    """

    kind = "export"
    label = _("Export")
    permission: ClassVar[str] = "customers.export"
    can_be_undone = False
    chunk: ClassVar[int] = CHUNK

    @classmethod
    def checked(cls, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Answer the format; BadInput for an unknown one."""
        form = parameters.get("form", "csv")
        if form not in FORMATS:
            raise BadInput.at("parameters", "form", msg=f"Should be one of {', '.join(FORMATS)}")
        return {"form": form, "mark": bool(parameters.get("mark")) and form == "csv"}

    @classmethod
    def describe(cls, parameters: Mapping[str, Any]) -> str:
        """Answer the title."""
        return f"Export customers as {'CSV' if parameters['form'] == 'csv' else 'JSON lines'}"

    def read(self, cursor: JSONValue) -> Batch | None:
        """Answer the next customers with their tags; the first time, which columns there are."""
        place: dict[str, Any] = dict(cursor) if isinstance(cursor, dict) else {"after": "", "bytes": 0}
        if "keys" not in self.job.report and self.job.parameters["form"] == "csv":
            self.job.report["keys"] = _keys_of(self.selection().customers())
        rows = self.selection().customers().filter(pk__gt=place["after"]).order_by("pk")[: self.chunk]
        found = list(rows.only(*_COLUMNS))
        if not found:
            return None
        return Batch(found, {**place, "after": found[-1].pk})

    def write(self, batch: Batch) -> Outcome:
        """Append the customers to the file."""
        customers: list[Customer] = batch.rows
        names = _tag_names(customers)
        place: dict[str, Any] = batch.cursor  # type: ignore[assignment]
        self.job.result.name = self.job.result.name or file_path(self.job, f"customers.{self.job.parameters['form']}")
        problems: list[JobProblem] = []
        if self.job.parameters["form"] == "csv":
            content = self._csv(customers, names, problems, with_heading=not place["bytes"])
        else:
            content = b"".join(dumps(_object(one, names[one.pk])) + b"\n" for one in customers)
        place["bytes"] = append_to(self.job.result.name, place["bytes"], content)
        return Outcome(len(customers), problems=problems)

    def finish(self) -> None:
        """Make an empty file when nobody matched, and say in the audit what was taken out."""
        if not self.job.result.name:
            self.job.result.name = file_path(self.job, f"customers.{self.job.parameters['form']}")
            self.job.report.setdefault("keys", [])
            content = self._csv([], {}, [], with_heading=True) if self.job.parameters["form"] == "csv" else b""
            append_to(self.job.result.name, 0, content)
        record(Act.EXPORTED, self.job, after={"customers": self.job.done, "form": self.job.parameters["form"]})

    def _csv(
        self,
        customers: Iterable[Customer],
        names: Mapping[str, list[str]],
        problems: list[JobProblem],
        *,
        with_heading: bool,
    ) -> bytes:
        keys: list[str] | None = self.job.report["keys"]
        text = io.StringIO()
        writer = csv.writer(text)
        if with_heading:
            text.write("\ufeff" if self.job.parameters["mark"] else "")
            writer.writerow(
                [shown(name) for name in (*FIXED, *(f"{METADATA}{key}" for key in keys or ()))]
                + [REST] * (keys is None)
            )
        known = frozenset(keys or ())
        for one in customers:
            fixed = [one.pk, one.name, _joined(names[one.pk]), *map(_time, _times(one)), str(one.session_count)]
            metadata = sight().metadata(one.metadata)
            if keys is None:
                cells = [dumps(metadata).decode()]
            else:
                cells = [metadata.get(key, "") for key in keys]
                if missing := [key for key in metadata if key not in known]:
                    reason = f"Got new metadata while the export ran, which it does not have: {', '.join(missing)}"
                    problems.append(problem(self.job, reason, ref=one.pk))
            writer.writerow([shown(cell) for cell in (*fixed, *cells)])
        return text.getvalue().encode()


_COLUMNS = ("id", "name", "metadata", "creation_utc", "first_seen", "last_seen", "session_count")


def _keys_of(customers: CustomerQuerySet) -> list[str] | None:
    """Answer all metadata keys of the customers, sorted; None when there are too many for a column each."""
    sql, parameters = customers.values("metadata").query.sql_with_params()
    keys = "jsonb_object_keys(metadata)" if connection.vendor == "postgresql" else "each.key"
    more = "" if connection.vendor == "postgresql" else ", json_each(chosen.metadata) AS each"
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT DISTINCT {keys} FROM ({sql}) AS chosen{more} LIMIT {MOST_COLUMNS + 1}", parameters)
        found = sorted(str(row[0]) for row in cursor.fetchall())
    return found if len(found) <= MOST_COLUMNS else None


def _tag_names(customers: Iterable[Customer]) -> dict[str, list[str]]:
    borne: dict[str, list[str]] = {customer.pk: [] for customer in customers}
    links = CustomerTag.objects.filter(customer_id__in=list(borne)).order_by("id").values_list("customer_id", "tag_id")
    pairs = list(links)
    names = dict(Tag.objects.filter(pk__in={tag for _customer, tag in pairs}).values_list("pk", "name"))
    for customer, tag in pairs:
        borne[customer].append(names.get(tag, tag))
    return borne


def _joined(names: list[str]) -> str:
    """Answer names in one cell, as an import reads them."""
    text = io.StringIO()
    csv.writer(text, delimiter=";", lineterminator="").writerow(names)
    return text.getvalue()


def _times(one: Customer) -> tuple[Any, Any, Any]:
    return one.creation_utc, one.first_seen, one.last_seen


def _time(instant: Any) -> str:
    return "" if instant is None else dumps(instant).decode().strip('"')


def _object(one: Customer, names: list[str]) -> dict[str, Any]:
    created, first_seen, last_seen = _times(one)
    return {
        "id": one.pk,
        "name": one.name,
        "tags": names,
        "metadata": sight().metadata(one.metadata),
        "creation_utc": created,
        "first_seen": first_seen,
        "last_seen": last_seen,
        "conversations": one.session_count,
    }
