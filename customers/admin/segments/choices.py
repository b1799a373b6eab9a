"""What the rule editor offers: fields by group, and the operators that a field takes, in people's words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _

from customers.rules.fields import FIELDS, METADATA_PREFIX, Field, Kind, field_named
from customers.rules.operators import OPERATORS, Operator, Shape, operators_of

OTHER_KEY = METADATA_PREFIX  # "another key": its name is written beside it
_CONVERSATION = {
    "last_message_utc",
    "waiting_since",
    "last_message_source",
    "session_count",
    "manual_session_count",
    "customer_message_count",
    "ai_message_count",
    "human_message_count",
}
GROUPS = {
    "Identity": _("Identity"),
    "Tags": _("Tags"),
    "Metadata": _("Metadata"),
    "Activity": _("Activity"),
    "Conversation": _("Conversation"),
    "Segments": _("Segments"),
}
FIELD_LABELS = {
    "id": _("Id"),
    "name": _("Name"),
    "creation_utc": _("Created"),
    "tags": _("Tags"),
    "last_seen": _("Last seen"),
    "first_seen": _("First seen"),
    "last_message_utc": _("Last message"),
    "waiting_since": _("Waiting since"),
    "last_message_source": _("Last message from"),
    "session_count": _("Number of conversations"),
    "manual_session_count": _("Conversations with an operator"),
    "customer_message_count": _("Messages by the customer"),
    "ai_message_count": _("Messages by agents"),
    "human_message_count": _("Messages by operators"),
    "segments": _("Segments"),
}
OPERATOR_LABELS = {
    "=": _("is"),
    "!=": _("is not"),
    "=~number": _("is the number"),
    "!=~number": _("is not the number"),
    "<": _("is less than"),
    "<=": _("is at most"),
    ">": _("is more than"),
    ">=": _("is at least"),
    "between": _("is between"),
    "notBetween": _("is not between"),
    "between~number": _("is between the numbers"),
    "notBetween~number": _("is not between the numbers"),
    "between~date": _("is between the dates"),
    "notBetween~date": _("is not between the dates"),
    "contains": _("contains"),
    "doesNotContain": _("does not contain"),
    "beginsWith": _("starts with"),
    "doesNotBeginWith": _("does not start with"),
    "endsWith": _("ends with"),
    "doesNotEndWith": _("does not end with"),
    "in": _("is one of"),
    "notIn": _("is none of"),
    "matches": _("matches the pattern"),
    "doesNotMatch": _("does not match the pattern"),
    "empty": _("is an empty text"),
    "notEmpty": _("is not an empty text"),
    "exists": _("is known"),
    "missing": _("is missing"),
    "isTrue": _("is true"),
    "isFalse": _("is false"),
    "before": _("is before"),
    "after": _("is after"),
    "on": _("is on"),
    "withinLast": _("is within the last"),
    "moreThanAgo": _("is longer ago than"),
    "this": _("is in this"),
    "last": _("is in the last"),
    "any": _("any of"),
    "all": _("all of"),
    "none": _("none of"),
}
_NUMBERS = ("=", "!=", "<", "<=", ">", ">=", "between", "notBetween")
_DATES = ("before", "after", "on", "between", "notBetween", "withinLast", "moreThanAgo", "this", "last")
_FAMILIES = {
    "text": _("As text"),
    "number": _("As a number"),
    "date": _("As a date"),
    "boolean": _("As yes or no"),
    "presence": _("Known or not"),
}


@dataclass(frozen=True)
class OperatorChoice:
    """An operator as the editor offers it. `reads` says what its value is read as: text, number or date."""

    key: str
    operator: Operator
    reads: str
    family: str

    @property
    def label(self) -> Any:
        """Answer its words."""
        return OPERATOR_LABELS.get(self.key) or OPERATOR_LABELS.get(self.operator.name, self.operator.sentence)

    @property
    def shape(self) -> Shape:
        """Answer what its value looks like."""
        return self.operator.shape


def operator_choices(field: Field) -> list[OperatorChoice]:
    """Answer the operators of a field; one that reads text or numbers, or numbers or dates, is offered as both."""
    names = operators_of(field)
    if field.kind is not Kind.METADATA:
        reads = {Kind.NUMBER: "number", Kind.MOMENT: "date"}.get(field.kind, "text")
        return [OperatorChoice(name, OPERATORS[name], reads, "") for name in names]
    made = []
    for name in names:
        operator = OPERATORS[name]
        if name in ("exists", "missing"):
            made.append(OperatorChoice(name, operator, "text", "presence"))
        elif name in ("isTrue", "isFalse"):
            made.append(OperatorChoice(name, operator, "text", "boolean"))
        elif operator.shape is Shape.LITERAL:
            made.append(OperatorChoice(name, operator, "text", "text"))
            made.append(OperatorChoice(f"{name}~number", operator, "number", "number"))
        elif operator.shape is Shape.RANGE:
            made.append(OperatorChoice(f"{name}~number", operator, "number", "number"))
            made.append(OperatorChoice(f"{name}~date", operator, "date", "date"))
        elif name in _NUMBERS:
            made.append(OperatorChoice(name, operator, "number", "number"))
        elif name in _DATES:
            made.append(OperatorChoice(name, operator, "date", "date"))
        else:
            made.append(OperatorChoice(name, operator, "text", "text"))
    return made


def by_family(choices: Sequence[OperatorChoice], first: str = "text") -> list[tuple[Any, list[OperatorChoice]]]:
    """Answer the operators of a metadata key family by family, that of its usual type first."""
    order = [first, *(family for family in _FAMILIES if family != first)]
    found = [(family, [choice for choice in choices if choice.family == family]) for family in order]
    return [(_FAMILIES[family], members) for family, members in found if members]


def choice_of(field: Field, key: str, *, usual: str = "text") -> OperatorChoice:
    """Answer the operator of a key; for one that the field does not take, its most usual operator."""
    choices = operator_choices(field)
    for choice in choices:
        if choice.key == key:
            return choice
    preferred = {Kind.MOMENT: "withinLast", Kind.NUMBER: ">="}.get(field.kind, "")
    if field.kind is Kind.METADATA:
        preferred = {"number": ">=", "date": "withinLast", "boolean": "isTrue"}.get(usual, "=")
    return next((choice for choice in choices if choice.key == preferred), choices[0])


def fields_by_group() -> list[tuple[str, Any, list[tuple[str, Any]]]]:
    """Answer the fields that are not metadata: (group, its label, [(name, label)])."""
    found: dict[str, list[tuple[str, Any]]] = {group: [] for group in GROUPS}
    for name, field in FIELDS.items():
        group = "Conversation" if name in _CONVERSATION else field.group
        found.setdefault(group, []).append((name, FIELD_LABELS.get(name, field.label)))
    return [(group, GROUPS.get(group, group), members) for group, members in found.items()]


def label_of(name: str) -> Any:
    """Answer how a field is called."""
    field = field_named(name)
    if field is not None and field.kind is Kind.METADATA:
        return field.key
    return FIELD_LABELS.get(name, name)
