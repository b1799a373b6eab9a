"""The rows and groups of the rule editor as its template shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from customers.admin.segments.choices import (
    OTHER_KEY,
    OperatorChoice,
    by_family,
    choice_of,
    fields_by_group,
    operator_choices,
)
from customers.admin.segments.drafts import DraftGroup, DraftLeaf, DraftNode, Path, path_text, walk
from customers.admin.segments.keys import Key, known_keys
from customers.admin.segments.looking import Look
from customers.insight.counting import Count
from customers.models import Segment
from customers.rules.fields import METADATA_PREFIX, Kind
from customers.rules.operators import Shape
from customers.rules.periods import PERIODS, UNITS
from tags.models import Tag

PERIOD_LABELS = {
    "day": gettext_lazy("day"),
    "week": gettext_lazy("week"),
    "month": gettext_lazy("month"),
    "year": gettext_lazy("year"),
}
UNIT_LABELS = {
    "minutes": gettext_lazy("minutes"),
    "hours": gettext_lazy("hours"),
    "days": gettext_lazy("days"),
    "weeks": gettext_lazy("weeks"),
    "months": gettext_lazy("months"),
    "years": gettext_lazy("years"),
}
OFFERED_NAMES = 500


class Offers:
    """What all rows offer, asked for once a page."""

    @cached_property
    def keys(self) -> dict[str, Key]:
        """Answer the metadata keys."""
        return known_keys()

    @cached_property
    def groups(self) -> list[tuple[str, Any, list[tuple[str, Any]]]]:
        """Answer the fields by group, the keys with how many customers bear them and examples."""
        found = []
        for group, label, members in fields_by_group():
            if group == "Metadata":
                members = [(METADATA_PREFIX + key, self.described(entry)) for key, entry in self.keys.items()]
                members.append((OTHER_KEY, _("Another key…")))
            found.append((group, label, members))
        return found

    @staticmethod
    def described(entry: Key) -> str:
        """Answer a key with its fill rate and an example, in one line."""
        examples = ", ".join(entry.examples[:2])
        return f"{entry.key} · {entry.filled}" + (f" · {examples}" if examples else "")

    @cached_property
    def tags(self) -> list[tuple[str, str]]:
        """Answer the tags by name."""
        return list(Tag.objects.order_by("name").values_list("pk", "name")[:OFFERED_NAMES])

    @cached_property
    def segments(self) -> list[tuple[str, str]]:
        """Answer the segments by name."""
        return list(Segment.objects.order_by("name").values_list("pk", "name")[:OFFERED_NAMES])


@dataclass
class Row:
    """A node as it is shown. `path` is its name in the form, `number` its place for people: 2.1."""

    path: str
    number: str
    depth: int
    is_first: bool
    is_last: bool
    count: Count | None
    problems: Sequence[str]

    @property
    def id(self) -> str:
        """Answer the element's id."""
        return self.path.replace(".", "-")


@dataclass
class GroupRow(Row):
    """A group and the rows in it."""

    kind: str = "all"
    rows: list[Row] = field(default_factory=list)
    is_group = True


@dataclass
class LeafRow(Row):
    """A leaf and what its inputs offer."""

    leaf: DraftLeaf = field(default_factory=DraftLeaf)
    offers: Offers = field(default_factory=Offers)
    is_group = False

    @property
    def is_metadata(self) -> bool:
        """Whether a key of the metadata is asked for."""
        return self.leaf.field.startswith(METADATA_PREFIX)

    @property
    def key(self) -> str:
        """Answer the key of the metadata."""
        return self.leaf.field.removeprefix(METADATA_PREFIX)

    @property
    def known(self) -> Key | None:
        """Answer what is known of the key."""
        return self.offers.keys.get(self.key) if self.is_metadata else None

    @property
    def shown_field(self) -> str:
        """Answer the value of the field's select; a key that nobody bears is "another"."""
        return OTHER_KEY if self.is_metadata and self.known is None else self.leaf.field

    @property
    def choice(self) -> OperatorChoice:
        """Answer the operator."""
        return self.leaf.choice

    @property
    def families(self) -> list[tuple[Any, list[OperatorChoice]]]:
        """Answer the operators, those that fit the key's type first."""
        if not self.is_metadata:
            return [("", operator_choices(self.leaf.asked))]
        usual = self.known.type if self.known else "text"
        return by_family(operator_choices(self.leaf.asked), usual if usual in ("number", "date", "boolean") else "text")

    @property
    def input(self) -> str:
        """Answer which kind of input the value has."""
        shape = self.choice.shape
        if not self.leaf.field or shape is Shape.NOTHING:
            return "nothing"
        if shape is Shape.NAMES or (shape is Shape.TEXTS and self.leaf.asked.choices):
            return "ticks"
        if self.leaf.asked.choices and shape is Shape.LITERAL:
            return "select"
        if shape is Shape.RANGE:
            return "range"
        if shape is Shape.DATE:
            return "date"
        return {Shape.TEXTS: "lines", Shape.LENGTH: "length", Shape.PERIOD: "period"}.get(
            shape, "number" if self.choice.reads == "number" else "text"
        )

    @property
    def options(self) -> list[tuple[str, Any, bool]]:
        """Answer what can be ticked or chosen: (value, label, whether it is)."""
        asked, chosen = self.leaf.asked, self.leaf.values
        if self.input == "period":
            pairs: list[tuple[str, Any]] = [(name, PERIOD_LABELS[name]) for name in PERIODS]
        elif asked.kind is Kind.TAGS:
            pairs = [*self.offers.tags]
        elif asked.kind is Kind.SEGMENTS:
            pairs = [*self.offers.segments]
        else:
            pairs = [(name, name) for name in asked.choices]
        known = {key for key, _label in pairs}
        pairs += [(key, _("unknown: %s") % key) for key in chosen if key not in known]
        return [(key, label, key in chosen) for key, label in pairs]

    @property
    def chosen(self) -> str:
        """Answer the names of what is ticked."""
        return ", ".join(str(label) for _key, label, is_chosen in self.options if is_chosen)

    @property
    def units(self) -> list[tuple[str, Any, bool]]:
        """Answer the units of a length of time."""
        return [(unit, UNIT_LABELS[unit], (self.second or "days") == unit) for unit in UNITS]

    @property
    def first(self) -> str:
        """Answer the text of the first input."""
        return self.leaf.value(0)

    @property
    def second(self) -> str:
        """Answer the text of the second input."""
        return self.leaf.value(1)

    @property
    def date_inputs(self) -> list[tuple[str, str, str]]:
        """Answer (type, value, label) of each input of a date or a range."""
        labels = [_("from"), _("to")] if self.input == "range" else [_("date")]
        texts = [self.first, self.second]
        if self.choice.reads == "number":
            return [("text", texts[place], label) for place, label in enumerate(labels)]
        return [
            ("date" if len(texts[place]) in (0, 10) else "text", texts[place], label)
            for place, label in enumerate(labels)
        ]

    @property
    def examples(self) -> tuple[str, ...]:
        """Answer values that customers have."""
        return self.known.examples if self.known else ()


def rows_of(draft: DraftGroup, look: Look, *, strict: bool) -> GroupRow:
    """Answer the rows of a draft with what was found out about each; only strictly, also what is to be filled in."""
    offers = Offers()

    def row(node: DraftNode, path: Path, last: int) -> Row:
        place = path[-1] if path else 0
        common: dict[str, Any] = {
            "path": path_text(path),
            "number": ".".join(str(step + 1) for step in path),
            "depth": len(path),
            "is_first": place == 0,
            "is_last": place == last,
            "count": look.counts.get(path),
            "problems": look.problems.get(path, ()) if strict or path not in look.unfinished else (),
        }
        if isinstance(node, DraftLeaf):
            return LeafRow(**common, leaf=node, offers=offers)
        inner = [row(child, (*path, index), len(node.nodes) - 1) for index, child in enumerate(node.nodes)]
        return GroupRow(**common, kind=node.kind, rows=inner)

    made = row(draft, (), 0)
    assert isinstance(made, GroupRow)
    return made


def settle(draft: DraftGroup) -> DraftGroup:
    """Give rows whose field was just chosen the usual operator of what customers have there; answer the draft."""
    offers = Offers()
    for _path, node in walk(draft):
        if isinstance(node, DraftLeaf) and node.field and not node.operator:
            known = offers.keys.get(node.asked.key) if node.asked.key else None
            node.operator = choice_of(node.asked, "", usual=known.type if known else "text").key
    return draft
