"""Importing customers: a durable job over the rows of a file, or, as a dry run, what it would come to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import IO, Any, ClassVar

from django.core.files.storage import default_storage
from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from customers.changing import Change, Difference, change_many, difference, register_many, tags_of
from customers.jobs.models import JobProblem, file_path, problem
from customers.jobs.work import Batch, Outcome, Work, kind
from customers.models import Customer, CustomerAlias, GuestKeepsName
from customers.segments.publishing import reserved_among
from customers.transfer.mapping import checked_mapping, guess
from customers.transfer.reading import Said, Unusable, said
from customers.transfer.rejects import Rejects
from customers.transfer.sources import CannotBeRead
from customers.transfer.tables import Row, Table, open_table
from customers.transfer.tagging import Tagging
from parlant_site.common.acting import current
from parlant_site.common.audit import Values
from parlant_site.common.errors import BadInput
from parlant_site.common.json import JSONValue
from parlant_site.common.personal import sight

CHUNK = 1000
LARGEST_CHUNK = 4 << 20  # bytes of the file: so much at once is in memory, however long its rows are
SAMPLES = {"new": 5, "changed": 20, "error": 20}
EMPTY = ("keep", "clear")
TAGS = ("add", "replace")
NEW_TAGS = ("refuse", "create")


@kind
class ImportCustomers(Work):
    """Make customers of the rows of a file, or change those whose id a row names.

    Parameters: name (of the file), form, delimiter, columns, mapping (column -> id, name, tags, metadata, metadata.KEY,
    or ""),
    empty (keep, clear), tags (add, replace), new_tags (refuse, create), dry_run, fingerprint.
    """

    kind = "import"
    label = _("Import")
    permission: ClassVar[str] = "customers.import_customers"

    @classmethod
    def checked(cls, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Answer the parameters; BadInput for a mapping that cannot be, or an unknown choice."""
        kept = dict(parameters)
        kept["mapping"] = checked_mapping(kept.get("mapping") or {}, kept.get("columns") or [])
        for name, choices in (("empty", EMPTY), ("tags", TAGS), ("new_tags", NEW_TAGS)):
            kept[name] = kept.get(name) or choices[0]
            if kept[name] not in choices:
                raise BadInput.at("parameters", name, msg=f"Should be one of {', '.join(choices)}")
        user = current().user
        if kept["new_tags"] == "create" and user is not None and not user.has_perm("tags.add_tag"):
            raise BadInput.at("parameters", "new_tags", msg="You may not make tags")
        kept["dry_run"] = bool(kept.get("dry_run"))
        return kept

    @classmethod
    def describe(cls, parameters: Mapping[str, Any]) -> str:
        """Answer the title."""
        return f"{'Check' if parameters['dry_run'] else 'Import'} {parameters['name']}"

    @property
    def dry_run(self) -> bool:
        """Whether nothing is written."""
        return bool(self.job.parameters["dry_run"])

    def count(self) -> int | None:
        """Answer how many lines the file has, less the headings: rows that span lines make it fewer."""
        lines = self.job.parameters.get("lines")
        return max(0, int(lines) - (self.job.parameters["form"] == "csv")) if lines is not None else None

    def read(self, cursor: JSONValue) -> Batch | None:
        """Answer the next rows: the cursor says at which byte they begin, and how many there were before."""
        with self._open() as file:
            table = self._table(file)
            place = cursor if isinstance(cursor, dict) else {"offset": table.start, "row": 0, "rejected": 0}
            offset = int(place["offset"])  # type: ignore[arg-type]
            rows: list[Row] = []
            for row in table.rows(file, offset, int(place["row"])):  # type: ignore[arg-type]
                rows.append(row)
                if len(rows) == CHUNK or row.end - offset >= LARGEST_CHUNK:
                    break
        if not rows:
            return None
        return Batch(rows, {"offset": rows[-1].end, "row": rows[-1].number, "rejected": place["rejected"]})

    def write(self, batch: Batch) -> Outcome:
        """Register and change; rows that cannot be are written to the rejects."""
        rejected: list[tuple[Row, str]] = []
        usable: list[Said] = []
        mapping = dict(self.job.parameters["mapping"])
        clear, exact = self.job.parameters["empty"] == "clear", self.job.parameters["form"] == "jsonl"
        for row in batch.rows:
            for column in row.cells:  # of JSON lines, later lines may have keys that the first ones lacked
                if column not in mapping:
                    mapping[column] = guess(column)
            try:
                one = said(row, mapping, clear_empty=clear, exact=exact)
                _refuse_hidden(one)
            except Unusable as refusal:
                rejected.append((row, str(refusal)))
            else:
                usable.append(one)
        tagging = Tagging(
            (name for one in usable for name in one.tags or ()),
            create=self.job.parameters["new_tags"] == "create",
            dry_run=self.dry_run,
        )
        counts = {"new": 0, "changed": 0, "same": 0}
        rows = tagging.resolve(usable, rejected)
        self._find(rows)
        for group in _without_repetition(rows):
            self._write(group, counts, rejected)
        return self._outcome(batch, counts, rejected, tagging)

    def _find(self, rows: Iterable[Said]) -> None:
        """Put for old ids those to whom they lead; whom the rows name is locked, and merged no more."""
        while True:
            wanted = {one.id for one in rows if one.id}
            locked = set() if self.dry_run else set(Customer.lock_all(wanted))
            aliases = dict(CustomerAlias.objects.filter(pk__in=wanted - locked).values_list("pk", "customer_id"))
            if not aliases:
                return
            for one in rows:
                one.id = aliases.get(one.id or "", one.id)

    def _write(self, group: list[Said], counts: dict[str, int], rejected: list[tuple[Row, str]]) -> None:
        """Do rows that name different customers; again, when somebody registers one of them meanwhile."""
        for attempt in range(3):
            refused: list[tuple[Row, str]] = []
            try:
                with transaction.atomic():
                    newcomers, changes = self._sorted_out(group, refused)
                    if not self.dry_run:
                        register_many((customer, tags) for customer, tags, _row in newcomers)
                        change_many(change for change, _row in changes)
                break
            except IntegrityError:
                if attempt == 2:
                    raise
        rejected += refused
        changing = [(change, row) for change, row in changes if change]
        counts["new"] += len(newcomers)
        counts["changed"] += len(changing)
        counts["same"] += len(changes) - len(changing)
        for customer, tags, row in newcomers:
            self._show("new", row, customer, {}, customer.facts(tags))
        for change, row in changing:
            self._show("changed", row, change.customer, change.before, change.after)

    def _sorted_out(
        self, group: list[Said], refused: list[tuple[Row, str]]
    ) -> tuple[list[tuple[Customer, list[str], Row]], list[tuple[Difference, Row]]]:
        """Answer who is new, and what changes of whom."""
        known = Customer.objects.filter(pk__in={one.id for one in group if one.id}).order_by("pk")
        found = {customer.pk: customer for customer in (known if self.dry_run else known.select_for_update())}
        borne = tags_of(found.values())
        reserved = (
            reserved_among({key for tags in borne.values() for key in tags}) if self._replaces_tags else set[str]()
        )
        newcomers: list[tuple[Customer, list[str], Row]] = []
        changes: list[tuple[Difference, Row]] = []
        for one in group:
            customer = found.get(one.id) if one.id else None
            if customer is None and one.name is None:
                refused.append((one.row, "name: a new customer needs a name"))
                continue
            if customer is None:
                made = Customer(name=one.name or "", metadata=one.metadata)
                made.id = one.id or made.id
                newcomers.append((made, one.tags or [], one.row))
                continue
            if customer.is_guest and one.name not in (None, customer.name):
                refused.append((one.row, f"name: {GuestKeepsName.__doc__}"))
                continue
            replaced = borne[customer.pk] - reserved if one.tags is not None and self._replaces_tags else set[str]()
            change = Change(
                name=one.name,
                set_metadata=one.metadata,
                unset_metadata=frozenset(one.unset),
                add_tags=frozenset(one.tags or ()),
                remove_tags=frozenset(replaced) - frozenset(one.tags or ()),
            )
            changes.append((difference(customer, borne[customer.pk], change), one.row))
        return newcomers, changes

    @property
    def _replaces_tags(self) -> bool:
        return bool(self.job.parameters["tags"] == "replace")

    def _outcome(
        self, batch: Batch, counts: dict[str, int], rejected: list[tuple[Row, str]], tagging: Tagging
    ) -> Outcome:
        report = self.job.report
        for name, number in counts.items():
            report[name] = report.get(name, 0) + number
        report["error"] = report.get("error", 0) + len(rejected)
        if tagging.made:
            report["new_tags"] = [*dict.fromkeys([*report.get("new_tags", []), *tagging.made])][:200]
        rejected.sort(key=lambda one: one[0].number)
        problems: list[JobProblem] = []
        for row, reason in rejected:
            key = row.cells.get(self._id_column or "", "")
            problems.append(problem(self.job, reason, position=row.number, ref=str(key)))
        if rejected:
            batch.cursor = self._reject(batch.cursor, rejected)
        changed = 0 if self.dry_run else counts["new"] + counts["changed"]
        return Outcome(len(batch.rows), changed=changed, problems=problems)

    def _reject(self, cursor: JSONValue, rejected: list[tuple[Row, str]]) -> JSONValue:
        assert isinstance(cursor, dict)
        parameters = self.job.parameters
        name = self.job.result.name or file_path(self.job, f"rejects.{parameters['form']}")
        rejects = Rejects(name, parameters["form"], parameters.get("delimiter") or ",", parameters["columns"])
        self.job.result.name = name
        return {**cursor, "rejected": rejects.append(rejected, int(cursor["rejected"]))}  # type: ignore[arg-type]

    def finish(self) -> None:
        """Set the total right: rows that span lines were counted as several."""
        self.job.total = self.job.done
        self.job.save(update_fields=["total"])

    def _show(self, what: str, row: Row, customer: Customer, before: Values, after: Values) -> None:
        samples = self.job.report.setdefault("samples", {}).setdefault(what, [])
        if len(samples) < SAMPLES[what]:
            shown = {"row": row.number, "id": customer.pk, "name": customer.name}
            if what == "new" and "id" not in self.job.parameters["mapping"].values():
                shown["id"] = ""
            samples.append({**shown, "before": dict(before), "after": dict(after)})

    @property
    def _id_column(self) -> str | None:
        return next((name for name, target in self.job.parameters["mapping"].items() if target == "id"), None)

    def _open(self) -> IO[bytes]:
        try:
            return default_storage.open(str(self.job.source.name))
        except FileNotFoundError:
            raise CannotBeRead("The file is no longer kept: take it again.") from None

    def _table(self, file: IO[bytes]) -> Table:
        return open_table(file, self.job.parameters["form"], self.job.parameters.get("delimiter") or "")


def _refuse_hidden(one: Said) -> None:
    """Refuse keys that who imports may not see: later lines of a file may have others than the first ones."""
    if hidden := sorted(key for key in {*one.metadata, *one.unset} if sight().hides(key)):
        raise Unusable(f"metadata: personal data, which you may not see or change: {', '.join(hidden)}")


def _without_repetition(rows: Iterable[Said]) -> list[list[Said]]:
    """Answer the rows in groups, none of which names a customer twice: a later row changes what an earlier one made."""
    groups: list[list[Said]] = []
    places: dict[str, int] = {}
    for one in rows:
        place = places.get(one.id, 0) if one.id else 0
        if one.id:
            places[one.id] = place + 1
        while len(groups) <= place:
            groups.append([])
        groups[place].append(one)
    return groups
