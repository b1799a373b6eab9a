"""Erasing all customers of a selection, as a durable job."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.utils.translation import gettext_lazy as _

from customers.changing import Difference
from customers.jobs.bulk import OverCustomers
from customers.jobs.work import Batch, Outcome, kind
from customers.models import GUEST_ID, Customer
from customers.parts import Conversations
from customers.privacy.erasing import erase
from customers.querysets import CustomerQuerySet
from customers.selection import Selection
from parlant_site.common.audit import AuditEntry
from parlant_site.common.errors import BadInput
from parlant_site.common.json import JSONValue

CHUNK = 25  # an erasure also looks through all jobs and events, once per chunk


@kind
class EraseCustomers(OverCustomers):
    """Erase customers: parameters {"conversations": "delete" or "redact"}; the guest is left out."""

    kind = "erase"
    label = _("Erase")
    permission = "customers.erase"
    can_be_undone = False
    shows_changes: ClassVar[bool] = True
    chunk: ClassVar[int] = CHUNK

    @classmethod
    def checked(cls, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Answer what becomes of the conversations; BadInput when nobody said."""
        wanted = parameters.get("conversations")
        if wanted not in Conversations.values:
            raise BadInput.at("parameters", "conversations", msg=f"Say one of {', '.join(Conversations.values)}")
        return {"conversations": str(wanted)}

    @classmethod
    def describe(cls, parameters: Mapping[str, Any]) -> str:
        """Answer the title."""
        redacted = parameters["conversations"] == Conversations.REDACT
        return "Erase customers, " + ("redact" if redacted else "delete") + " their conversations"

    @classmethod
    def whom(cls, selection: Selection) -> CustomerQuerySet:
        """Answer all of them but the guest."""
        return selection.customers().exclude(pk=GUEST_ID)

    @classmethod
    def samples(cls, customers: list[Customer], parameters: Mapping[str, Any]) -> list[Difference]:
        """Answer who goes."""
        return [Difference(customer, {"customer": customer.name}, {"customer": None}) for customer in customers]

    def count(self) -> int | None:
        """Answer how many customers there are to erase."""
        return self.whom(self.selection()).count()

    def read(self, cursor: JSONValue) -> Batch | None:
        """Answer the next ones: whoever is erased is selected no longer, so no place needs to be kept."""
        rows = self.whom(self.selection()).order_by("pk")
        keys = list(rows.values_list("pk", flat=True)[: self.chunk])
        return Batch(keys, None) if keys else None

    def write(self, batch: Batch) -> Outcome:
        """Erase a chunk."""
        proofs = erase(batch.rows, conversations=Conversations(self.job.parameters["conversations"]))
        return Outcome(done=len(batch.rows), changed=len(proofs))

    def finish(self) -> None:
        """Forget whom the job was for: the words of the query, and the ids, may be personal."""
        self.job.selection = {"ids": [], "as_of": self.selection().as_of.isoformat()}
        self.job.save(update_fields=["selection"])
        AuditEntry.objects.about("datajob", self.job.pk).redact()
