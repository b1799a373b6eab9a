"""Carrying out rules in SQL: from the tree to a condition on customers.

SQL knows NULL; rules do not. A leaf's condition may be NULL where its value is missing. A filter takes NULL for false,
so that a leaf stands as it is and can use an index; a complement is never `NOT`, but `IS NOT TRUE` at the leaf, where
De Morgan brings it. Hence exactly the customers that a rule does not match match its complement.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from django.db.models import Exists, F, Model, OuterRef, Q
from django.db.models.expressions import Combinable

from customers.rules.asking import Asked, Bears, Contains, During, Equals, Known, Matches, Within, asked_by
from customers.rules.expressions import (
    Always,
    Compared,
    HasMetadata,
    IsNotTrue,
    IsText,
    IsTrue,
    MetadataText,
    NumberOf,
    PatternFound,
    TextContains,
    TextDuring,
    TextIn,
)
from customers.rules.fields import Field, Kind
from customers.rules.periods import Moment
from customers.rules.tree import Leaf, Node
from customers.rules.values import Span

Condition: TypeAlias = Any  # a Q or a conditional expression: Django has no common type for them
MOST_INDEXED_TEXTS = 10


def condition(node: Node, moment: Moment) -> Q:
    """Answer the condition under which a customer matches, for filter(); it is never true of NULL."""
    return Q(_compiled(node, moment, negated=False))


def truth(node: Node, moment: Moment) -> IsTrue:
    """Answer the same as a value that is true or false, for annotate()."""
    return IsTrue(condition(node, moment))


def complement(node: Node, moment: Moment) -> Q:
    """Answer the condition under which a customer does not match."""
    return Q(_compiled(node, moment, negated=True))


def _compiled(node: Node, moment: Moment, *, negated: bool) -> Condition:
    if isinstance(node, Leaf):
        asked = asked_by(node)
        holds = _test(asked, moment)
        if asked.negated is negated:
            return holds
        # EXISTS is never NULL, and NOT EXISTS is what databases know how to join.
        return ~holds if isinstance(asked.test, Bears) else IsNotTrue(holds)
    turned = node.negated is not negated
    every = (node.combinator == "and") is not turned
    if not node.rules:
        return Always(every)
    parts = [_compiled(child, moment, negated=turned) for child in sorted(node.rules, key=_cost)]
    return Q(*parts, _connector=Q.AND if every else Q.OR)


def _cost(node: Node) -> int:
    """Answer how dear a node is: databases ask in the order that is written, and stop when they know."""
    if not isinstance(node, Leaf):
        return max(map(_cost, node.rules), default=0)
    asked = asked_by(node)
    if asked.field.kind is not Kind.METADATA:
        is_elsewhere = isinstance(asked.test, Bears) or asked.field.name == "waiting_since"
        return 4 if is_elsewhere else _COST_OF_FIELDS.get(type(asked.test), 0)
    return _COST_OF_METADATA[type(asked.test)]


_COST_OF_FIELDS: dict[type, int] = {Contains: 1, Matches: 6}
_COST_OF_METADATA: dict[type, int] = {Equals: 2, Contains: 3, Known: 3, During: 5, Within: 7, Matches: 6}


def _test(asked: Asked, moment: Moment) -> Condition:
    field, test = asked.field, asked.test
    if field.kind is Kind.METADATA:
        return _of_metadata(field, test, moment)
    if isinstance(test, Bears):
        return _bears(field, test)
    if isinstance(test, During):
        return _during(field, test.span(moment))
    if isinstance(test, Within):
        return _compared(F(field.name), test)
    if isinstance(test, Known):
        if field.name == "waiting_since":
            return Exists(_waiting())
        return ~Q(**{field.name: ""}) if field.kind is Kind.TEXT else Q(**{f"{field.name}__isnull": False})
    return _of_text(F(field.name), test)


def _of_metadata(field: Field, test: object, moment: Moment) -> Condition:
    if isinstance(test, Equals) and len(test.texts) <= MOST_INDEXED_TEXTS:
        return Q(*(HasMetadata(field.key, wanted) for wanted in test.texts), _connector=Q.OR)
    text = MetadataText(field.key)
    if isinstance(test, Known):
        found = Q(IsNotTrue(_IsNull(text)))
    elif isinstance(test, During):
        found = Q(TextDuring(text, test.span(moment)))
    elif isinstance(test, Within):
        found = _compared(NumberOf(text), test)
    else:
        found = Q(_of_text(text, test))
    return found & Q(IsText(field.key))


class _IsNull(IsTrue):
    template = "((%(expressions)s) IS NULL)"


def _of_text(text: Combinable, test: object) -> Condition:
    if isinstance(test, Equals):
        return TextIn(text, test.texts)
    if isinstance(test, Contains):
        return TextContains(text, test)
    assert isinstance(test, Matches)
    return PatternFound(text, test.pattern.canonical)


def _compared(number: Combinable, test: Within) -> Q:
    if test.low is not None and test.low == test.high:
        return Q(Compared(number, "=", test.low))
    more, less = (">", "<") if test.is_open else (">=", "<=")
    found = Q()
    if test.low is not None:
        found &= Q(Compared(number, more, test.low))
    if test.high is not None:
        found &= Q(Compared(number, less, test.high))
    return found


def _during(field: Field, span: Span) -> Condition:
    if field.name != "waiting_since":
        return _between(field.name, span)
    # Since when somebody waits is the least over her sessions: none is earlier, one is within.
    found = Q(Exists(_waiting().filter(_between("waiting_since", span))))
    if span.start is not None:
        found &= Q(~Exists(_waiting().filter(waiting_since__lt=span.start.utc)))
    return found


def _between(column: str, span: Span) -> Q:
    found = Q()
    if span.start is not None:
        found &= Q(**{f"{column}__gte": span.start.utc})
    if span.end is not None:
        found &= Q(**{f"{column}__lt": span.end.utc})
    return found


def _waiting() -> Any:
    """The sessions in which the customer waits; the guest stands for many and waits for nobody."""
    sessions: type[Model] = _related("sessions")
    return sessions._default_manager.filter(customer=OuterRef("pk"), waiting_since__isnull=False).exclude(
        customer="guest"
    )


def _bears(field: Field, test: Bears) -> Q:
    tags = field.kind is Kind.TAGS
    links = _related("tag_links" if tags else "memberships")._default_manager.filter(customer_id=OuterRef("pk"))
    column = "tag_id" if tags else "segment_id"
    if not test.every:
        return Q(Exists(links.filter(**{f"{column}__in": test.ids})))
    found = Q()
    for key in test.ids:
        found &= Q(Exists(links.filter(**{column: key})))
    return found


def _related(name: str) -> Any:
    from customers.models import Customer

    return Customer._meta.get_field(name).related_model


def lying_in(field: Field, span: Span) -> Q:
    """Answer the condition that the date of a field lies in a stretch of time."""
    if field.kind is Kind.METADATA:
        return Q(TextDuring(MetadataText(field.key), span))
    return Q(_during(field, span))
