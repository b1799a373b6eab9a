"""The filters of the list of customers; each is also a term of a selection, so that an action on all matches is for
exactly those whom the list shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from customers.models import CustomerTag, Segment, SegmentMember
from customers.querysets import CustomerQuerySet
from customers.searching import few_or_many
from customers.selection import narrowed
from parlant_site.common.console.listing import Filter, Listing
from parlant_site.common.json import JSONValue
from tags.models import Tag

if TYPE_CHECKING:
    from customers.insight.counting import Count

OFFERED_TAGS = 200
OFFERED_SEGMENTS = 200


def shown_counts(counts: Mapping[str, Count]) -> dict[str, str]:
    """Answer counts as a list shows them; estimated ones say so."""
    return {key: shown_count(count) for key, count in counts.items()}


def shown_count(count: Count) -> str:
    """Answer a count as a list shows it; none found in a sample are few."""
    if count.is_exact:
        return f"{count.number:,}"
    return f"≈ {count.number:,}" if count.number else str(_("few"))


class CustomerFilter(Filter):
    """A filter of customers that a selection can say: `term` is the name of the selection's term.

    Every filter of the list is one of these (a test asks): otherwise an action on "all matches" would ignore it.
    """

    term: ClassVar[str]

    def counts(self, listing: Listing) -> Mapping[str, str]:
        """Answer how many customers each choice would show."""
        from customers.admin.from_list import counts_of, rule_of
        from customers.admin.within import within

        values = [value for value, _label in self.choices()]
        if not listing.is_narrowed:
            return shown_counts(counts_of(self.term, values))
        wanted = {value: rule_of({self.term: value}) for value in values}
        return shown_counts(within(listing, but=self.name).matching(wanted))

    def value_of(self, values: list[str]) -> JSONValue:
        """Answer the term's value for the values in the list's address; None when the list ignores them."""
        return values[-1] if values[-1] in dict(self.choices()) else None

    def parameters(self, value: Any) -> list[str] | None:
        """Answer the values of the list's address that say what a term's value says; None when it cannot."""
        return [str(value)]

    def in_words(self, value: Any) -> str:
        """Answer what a term's value says, for people."""
        return f"{self.label}: {dict(self.choices()).get(value, value)}"

    def apply(self, rows: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Answer the rows for which the term holds."""
        said = self.value_of([value])
        if said is None:
            return rows
        assert isinstance(rows, CustomerQuerySet)
        return narrowed(rows, self.term, said, timezone.now())


class TagFilter(CustomerFilter):
    """Customers who bear every chosen tag."""

    name = "tag"
    label = _("Tag")
    term = "tags"
    many = True

    def choices(self) -> Sequence[tuple[str, Any]]:
        """Answer the tags by name."""
        return list(Tag.objects.order_by("name").values_list("pk", "name")[:OFFERED_TAGS])

    def counts(self, listing: Listing) -> Mapping[str, str]:
        """Answer how many bear each tag."""
        from customers.admin.from_list import counts_of_tags
        from customers.admin.within import within

        if not listing.is_narrowed:
            return shown_counts(counts_of_tags())
        return shown_counts(within(listing).tags(key for key, _name in self.choices()))

    def apply(self, rows: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Answer those who bear it."""
        assert isinstance(rows, CustomerQuerySet)
        return few_or_many(rows, CustomerTag.objects.filter(tag_id=value), "customer_id")

    def value_of(self, values: list[str]) -> JSONValue:
        """Answer that all of them are borne."""
        return {"all": [*dict.fromkeys(values)]}

    def parameters(self, value: Any) -> list[str] | None:
        """Answer the tags; the list can say only that all of them are borne."""
        return [str(key) for key in value["all"]] if set(value) == {"all"} else None

    def in_words(self, value: Any) -> str:
        """Answer the tags' names."""
        words = {"all": _("all of"), "any": _("any of"), "none": _("none of")}
        keys = [key for kind in words for key in value.get(kind, [])]
        names = dict(Tag.objects.filter(pk__in=keys).values_list("pk", "name"))
        parts = []
        for kind, word in words.items():
            if held := [names.get(key, key) for key in value.get(kind, [])]:
                several = kind == "none" or len(held) > 1
                parts.append(f"{word} {', '.join(held)}" if several else held[0])
        return f"{self.label}: {'; '.join(parts)}"


class SegmentFilter(CustomerFilter):
    """The members of a segment."""

    name = "segment"
    label = _("Segment")
    term = "segment"

    def choices(self) -> Sequence[tuple[str, Any]]:
        """Answer the segments by name."""
        return list(Segment.objects.order_by("name").values_list("pk", "name")[:OFFERED_SEGMENTS])

    def counts(self, listing: Listing) -> Mapping[str, str]:
        """Answer the sizes, or what of them the list would show."""
        if listing.is_narrowed:
            from customers.admin.within import within

            return shown_counts(within(listing, but=self.name).segments(key for key, _name in self.choices()))
        return {key: f"{size:,}" for key, size in Segment.objects.order_by().values_list("pk", "size")}

    def value_of(self, values: list[str]) -> JSONValue:
        """Answer the segment's id, also of one that is gone: it has no members, and nothing is done to everybody."""
        return values[-1]

    def apply(self, rows: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Answer its members."""
        assert isinstance(rows, CustomerQuerySet)
        return few_or_many(rows, SegmentMember.objects.filter(segment_id=value), "customer_id")


class LastSeenFilter(CustomerFilter):
    """Customers by when they last wrote."""

    name = "seen"
    label = _("Last seen")
    term = "seen"

    def choices(self) -> Sequence[tuple[str, Any]]:
        """Answer the spans."""
        return (
            ("1", _("In the last day")),
            ("7", _("In the last 7 days")),
            ("30", _("In the last 30 days")),
            ("-30", _("Not for 30 days")),
            ("-90", _("Not for 90 days")),
            ("never", _("Never")),
        )


class CreatedFilter(CustomerFilter):
    """Customers by when they were registered."""

    name = "created"
    label = _("Created")
    term = "created"

    def choices(self) -> Sequence[tuple[str, Any]]:
        """Answer the spans, in days."""
        return (("1", _("In the last day")), ("7", _("In the last 7 days")), ("30", _("In the last 30 days")))


class AnsweredByFilter(CustomerFilter):
    """Customers by who answers them now."""

    name = "with"
    label = _("Conversations")
    term = "conversations"

    def choices(self) -> Sequence[tuple[str, Any]]:
        """Answer the states."""
        return (("human", _("With an operator now")), ("any", _("Has had some")), ("none", _("Has had none")))
