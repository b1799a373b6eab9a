"""Customers: anyone who interacts with an agent, what is known of them, and their activity."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

from django.db import IntegrityError, models, transaction
from django.db.models import F

from customers.changes import Changed
from customers.querysets import CustomerQuerySet
from parlant_site.common.audit import Act, differing, record
from parlant_site.common.errors import NotFound, Refusal
from parlant_site.common.json import JSONValue, ReadableEncoder
from parlant_site.common.models import Identified, length_between
from tags.models import Tag

GUEST_ID = "guest"
NAME_LENGTH = 100


class CustomerIdTaken(Refusal):
    """A customer of this id exists already."""


class GuestStays(Refusal):
    """The guest stands for everybody who is not registered, and cannot be deleted."""


class GuestKeepsName(Refusal):
    """The guest stands for everybody who is not registered, and is always called Guest."""


class TagNotBorne(NotFound):
    """The customer does not bear the tag that was to be removed."""

    def __init__(self, tag_id: str) -> None:
        super().__init__("Tag of the customer", tag_id)


class Customer(Identified):
    """Anyone who interacts with an agent: a person, a bot, a human agent; `guest` for everybody who is not registered.

    `metadata` maps str to str. The activity columns are kept by the statements that append events, in the same
    transaction (sessions_app/appending); nothing else writes them. The guest stands for many people at once and has no
    activity of its own: counting on that one row would make all guests wait for each other.
    """

    name = models.CharField(max_length=NAME_LENGTH)
    metadata = models.JSONField(default=dict, blank=True, encoder=ReadableEncoder)
    tags = models.ManyToManyField(Tag, through="CustomerTag", related_name="customers")

    first_seen = models.DateTimeField(null=True, editable=False)
    last_seen = models.DateTimeField(null=True, editable=False)
    session_count = models.PositiveIntegerField(default=0, db_default=0, editable=False)
    manual_session_count = models.PositiveIntegerField(default=0, db_default=0, editable=False)
    customer_message_count = models.PositiveIntegerField(default=0, db_default=0, editable=False)
    ai_message_count = models.PositiveIntegerField(default=0, db_default=0, editable=False)
    human_message_count = models.PositiveIntegerField(default=0, db_default=0, editable=False)
    last_message_source = models.CharField(max_length=40, default="", db_default="", editable=False)
    last_message_utc = models.DateTimeField(null=True, editable=False)
    stale = models.PositiveSmallIntegerField(default=0, db_default=0, editable=False)

    objects: ClassVar[CustomerQuerySet] = CustomerQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["creation_utc", "id"]
        permissions = [
            ("import_customers", "Can import customers"),
            ("bulk_change", "Can change many customers at once"),
            ("merge", "Can merge customers"),
            ("export", "Can export customers and their data"),
            ("erase", "Can erase customers and their data"),
            ("view_pii", "Can see personal data"),
        ]
        constraints = [
            models.CheckConstraint(condition=~models.Q(id=""), name="customer_id_not_empty"),
            length_between("name", 1, NAME_LENGTH, name="customer_name_length"),
        ]
        indexes = [
            models.Index(fields=["creation_utc", "id"], name="customer_by_creation"),
            models.Index(fields=["last_seen", "id"], name="customer_by_last_seen"),
            models.Index(fields=["name", "id"], name="customer_by_name"),
            models.Index(fields=["id"], name="customer_stale", condition=models.Q(stale__gt=0)),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_guest(self) -> bool:
        """Whether this is the customer who stands for everybody who is not registered."""
        return self.pk == GUEST_ID

    @classmethod
    def register(
        cls,
        *,
        name: str,
        id: str | None = None,
        metadata: Mapping[str, str] | None = None,
        tags: Iterable[Tag] = (),
    ) -> Customer:
        """Create a customer with metadata and tags, all or nothing; CustomerIdTaken when the id is in use."""
        from customers.segments.publishing import refuse_reserved

        customer = cls(name=name, metadata=dict(metadata or {}), stale=sum(Changed))
        if id is not None:
            customer.id = id
            if CustomerAlias.objects.filter(pk=id).exists():
                raise CustomerIdTaken(f"A customer with the id {id!r} was merged into another one")
        try:
            with transaction.atomic():
                borne = set_of(tags)
                refuse_reserved(tag.pk for tag in borne)
                customer.save(force_insert=True)
                CustomerTag.objects.bulk_create(CustomerTag(customer=customer, tag=tag) for tag in borne)
                record(Act.CREATED, customer, after=customer.facts([tag.pk for tag in borne]))
        except IntegrityError as error:
            if id is not None and cls.objects.filter(pk=id).exists():
                raise CustomerIdTaken(f"A customer with the id {id!r} exists already") from error
            raise
        return customer

    @transaction.atomic
    def amend(
        self,
        *,
        name: str | None = None,
        set_metadata: Mapping[str, str] | None = None,
        unset_metadata: Iterable[str] = (),
        add_tags: Iterable[str] = (),
        remove_tags: Iterable[str] = (),
        replace_tags: Iterable[str] | None = None,
    ) -> Customer:
        """Change some of name, metadata (set, then unset) and tags (by id), all or nothing.

        NotFound for an unknown tag and for a tag to remove that the customer does not bear.
        """
        # Two who amend at once each change what they named: the second reads what the first wrote.
        current = Customer.lock(self.pk)
        changed, fields = 0, ["stale"]
        before: dict[str, JSONValue] = {}
        after: dict[str, JSONValue] = {}
        if name is not None and name != current.name:
            if self.is_guest:
                raise GuestKeepsName
            before["name"], after["name"] = current.name, name
            current.name = name
            changed |= Changed.PROFILE
            fields.append("name")
        unset = set(unset_metadata)
        if set_metadata or unset:
            merged = {**current.metadata, **(set_metadata or {})}
            metadata = {key: value for key, value in merged.items() if key not in unset}
            before_keys, after_keys = differing(current.metadata, metadata)
            if after_keys:
                before["metadata"], after["metadata"] = before_keys, after_keys
                current.metadata = metadata
                changed |= Changed.METADATA
                fields.append("metadata")
        taken_off, put_on = current._change_tags(add_tags, remove_tags, replace_tags)
        if taken_off or put_on:
            before["tags"], after["tags"] = [*taken_off], [*put_on]
            changed |= Changed.TAGS
        if changed:
            current.stale |= changed
            current.save(update_fields=fields)
            record(Act.CHANGED, current, before=before, after=after)
        self.name, self.metadata, self.stale = current.name, current.metadata, current.stale
        return self

    def _change_tags(
        self, add: Iterable[str], remove: Iterable[str], replace: Iterable[str] | None
    ) -> tuple[list[str], list[str]]:
        from customers.segments.publishing import refuse_reserved

        borne = set(self.tag_links.values_list("tag_id", flat=True))
        wanted = borne if replace is None else {tag.pk for tag in Tag.objects.with_ids(list(replace))}
        wanted = wanted | {tag.pk for tag in Tag.objects.with_ids(list(add))}
        for tag_id in remove:
            if tag_id not in wanted:
                raise TagNotBorne(tag_id)
        wanted = wanted - set(remove)
        taken_off, put_on = sorted(borne - wanted), sorted(wanted - borne)
        refuse_reserved([*taken_off, *put_on])
        self.tag_links.filter(tag_id__in=taken_off).delete()
        CustomerTag.objects.bulk_create(CustomerTag(customer=self, tag_id=tag_id) for tag_id in put_on)
        return taken_off, put_on

    @transaction.atomic
    def remove(self) -> None:
        """Delete the customer; the sessions stay, under the id that they were opened with. GuestStays for the guest."""
        if self.is_guest:
            raise GuestStays
        record(Act.DELETED, self, before=self.facts(self.tag_ids()))
        self.delete()

    @transaction.atomic
    def delete(self, *args: Any, **options: Any) -> tuple[int, dict[str, int]]:
        """Delete the row; the customer leaves her segments in the same transaction."""
        from customers.segments.leaving import leave_segments

        leave_segments([self.pk])
        # Before her tags go, as whoever deletes a tag locks her before he takes it off: else each waits for the other.
        Customer.lock_all([self.pk])
        return super().delete(*args, **options)

    def facts(self, tag_ids: Iterable[str]) -> dict[str, JSONValue]:
        """Answer what the audit keeps of a customer who came or went."""
        return {"name": self.name, "metadata": dict(self.metadata), "tags": [*tag_ids]}

    def tag_ids(self) -> list[str]:
        """Answer the ids of the tags, in the order in which they were put on; uses prefetched links."""
        return [link.tag_id for link in self.tag_links.all()]

    @classmethod
    def guest(cls) -> Customer:
        """Answer the guest, who always exists."""
        return cls.objects.get(pk=GUEST_ID)

    @classmethod
    def lock_all(cls, ids: Iterable[str]) -> dict[str, Customer]:
        """Answer those of these customers who exist, locked in order until the transaction ends."""
        rows = cls.objects.select_for_update().filter(pk__in=list(ids)).order_by("pk")
        return {customer.pk: customer for customer in rows}

    @classmethod
    def at(cls, customer_id: str, within: models.QuerySet[Customer] | None = None) -> Customer:
        """Answer the customer of an id, or the one into whom she was merged; NotFound when there is neither."""
        rows = cls.objects.all() if within is None else within
        customer: Customer | None = rows.filter(pk=customer_id).first()
        if customer is None:
            customer = rows.filter(aliases=customer_id).first()
        if customer is None:
            raise NotFound("Customer", customer_id)
        return customer

    @classmethod
    def mark_stale(cls, ids: Iterable[str], changed: int) -> None:
        """Say that something of these customers changed, so that their segments are looked at again."""
        cls.objects.filter(pk__in=list(ids)).update(stale=F("stale").bitor(changed))


def set_of(tags: Iterable[Tag]) -> list[Tag]:
    """Answer the tags without duplicates, in order."""
    return list(dict.fromkeys(tags))


class CustomerTag(models.Model):
    """A customer bears a tag."""

    customer = models.ForeignKey(Customer, on_delete=models.CASCADE, related_name="tag_links")
    tag = models.ForeignKey(Tag, on_delete=models.CASCADE, related_name="customer_links")

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["customer", "tag"], name="one_link_per_customer_and_tag")]

    def __str__(self) -> str:
        return f"{self.customer_id} bears {self.tag_id}"


class CustomerText(models.Model):
    """What a search looks at on PostgreSQL, where a trigger alone writes it (see searching.py)."""

    customer = models.OneToOneField(
        Customer, primary_key=True, on_delete=models.DO_NOTHING, db_constraint=False, related_name="+"
    )
    text = models.TextField()

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return self.text


# Models that live in modules of their own, and import from this one.
from customers.insight.catalogue import CatalogueState, MetadataKey  # noqa: E402
from customers.jobs.models import DataJob, JobProblem  # noqa: E402
from customers.merging.models import CustomerAlias, CustomerMerge  # noqa: E402
from customers.privacy.models import Erasure  # noqa: E402
from customers.segments.history import DeletedCustomer, Lease, MembershipEvent, SegmentDay, SegmentRun  # noqa: E402
from customers.segments.models import Segment, SegmentMember, SegmentPin  # noqa: E402

__all__ = [
    "CatalogueState",
    "Changed",
    "Customer",
    "CustomerAlias",
    "CustomerMerge",
    "CustomerTag",
    "CustomerText",
    "DataJob",
    "DeletedCustomer",
    "Erasure",
    "JobProblem",
    "Lease",
    "MembershipEvent",
    "MetadataKey",
    "Segment",
    "SegmentDay",
    "SegmentMember",
    "SegmentPin",
    "SegmentRun",
]
