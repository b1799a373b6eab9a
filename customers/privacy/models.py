"""The proof that a customer was erased, which says nothing of her."""

from __future__ import annotations

from typing import Any, ClassVar, NoReturn

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.crypto import constant_time_compare, salted_hmac

from customers.parts import Conversations
from parlant_site.common.acting import Channel, current
from parlant_site.common.audit import WrittenOnce
from parlant_site.common.models import ID_LENGTH, one_of
from parlant_site.common.rendering import dumps, utc_text

PSEUDONYM_LENGTH = 24


def fingerprint(customer_id: str) -> str:
    """Answer what stands for an id in a proof: a hash under the site's secret key, so that guessing ids is no use."""
    return salted_hmac("customers.erasure", customer_id, algorithm="sha256").hexdigest()


def pseudonym(customer_id: str) -> str:
    """Answer the name under which what remains of an erased customer, such as redacted conversations, is kept."""
    return f"erased-{fingerprint(customer_id)[:PSEUDONYM_LENGTH]}"


class ErasureQuerySet(models.QuerySet["Erasure"]):
    """Sets of proofs; the newest come first."""

    def of(self, customer_id: str) -> ErasureQuerySet:
        """Answer the proofs that the customer of this id was erased."""
        return self.filter(subject=fingerprint(customer_id))

    def update(self, **_: Any) -> NoReturn:
        """Refuse."""
        raise WrittenOnce

    def delete(self) -> NoReturn:
        """Refuse."""
        raise WrittenOnce


class Erasure(models.Model):
    """A customer was erased: by whom, when, how many rows of which sort. Written once, never changed.

    `subject` is the hash of her id: who knows the id can find the proof, who reads the proof learns nothing of her.
    `seal` is a hash of all of it under the site's secret key, so that a forged or changed proof shows.
    """

    at = models.DateTimeField(default=timezone.now, editable=False)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    actor_name = models.CharField(max_length=150, blank=True)
    channel = models.CharField(max_length=10, choices=Channel.choices)
    job_id = models.CharField(max_length=ID_LENGTH, null=True)  # noqa: DJ001 - null: not by a job
    subject = models.CharField(max_length=64, db_index=True)
    conversations = models.CharField(max_length=10, choices=Conversations.choices)
    counts = models.JSONField()
    seal = models.CharField(max_length=64)

    objects: ClassVar[ErasureQuerySet] = ErasureQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["-id"]
        default_permissions = ("view",)
        constraints = [one_of("conversations", Conversations, name="erasure_conversations")]

    def __str__(self) -> str:
        return f"erased-{self.subject[:PSEUDONYM_LENGTH]}"

    def save(self, *args: Any, **options: Any) -> None:
        """Insert; refuse to change."""
        if not self._state.adding:
            raise WrittenOnce
        super().save(*args, **options)

    def delete(self, *_: Any, **__: Any) -> NoReturn:
        """Refuse."""
        raise WrittenOnce

    @classmethod
    def write(cls, customer_id: str, *, conversations: Conversations, counts: dict[str, int]) -> Erasure:
        """Write the proof in the transaction of the erasure; who acts is asked of the context."""
        who = current()
        proof = cls(
            actor=who.user,
            actor_name=who.name,
            channel=who.channel,
            job_id=who.job_id,
            subject=fingerprint(customer_id),
            conversations=conversations,
            counts=counts,
        )
        proof.seal = proof._sealed()
        proof.save(force_insert=True)
        return proof

    @property
    def is_genuine(self) -> bool:
        """Whether the proof is as it was written, under the secret key that the site has now."""
        return constant_time_compare(self.seal, self._sealed())

    def _sealed(self) -> str:
        said = [utc_text(self.at), self.actor_name, self.channel, self.subject, self.conversations]
        counts = sorted(self.counts.items())
        return salted_hmac("customers.erasure.seal", dumps([*said, counts]), algorithm="sha256").hexdigest()
