"""Subcommands that only read."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from rich.text import Text
from rich.tree import Tree

from customers.insight.catalogue import MetadataKey, metadata_keys, total_customers
from customers.insight.counting import preview
from customers.models import Customer
from customers.rules.explaining import Explanation, explain
from customers.rules.faces import DatabaseNames, read_text, write_leaf
from customers.rules.fields import field_named
from customers.rules.periods import instant_named
from customers.rules.tree import Group, Leaf
from customers.segments.backtesting import backtest
from customers.segments.commands.output import Output, WrongCommandLine
from customers.segments.editing import time_zone_named
from customers.segments.members import Member, read_members
from customers.segments.models import Segment
from customers.segments.overlapping import overlap
from customers.segments.serializers import MemberBody, SegmentBody
from parlant_site.common.errors import BadInput, NotFound

PAGE = 1000


def named(text: str) -> Segment:
    """Answer the segment of a name, or of an id; NotFound."""
    found = Segment.objects.filter(name=text).first() or Segment.objects.filter(pk=text).first()
    if found is None:
        raise NotFound("Segment", text)
    return found


def list_(out: Output, **_: Any) -> None:
    """List all segments."""
    rows = SegmentBody.show(Segment.objects.all())
    shown = ([row["name"], row["kind"], row["size"], _state(row), row["text"], row["id"]] for row in rows)
    out.table(["Name", "Kind", "Size", "State", "Rule", "Id"], shown, rows, empty="There are no segments.")


def show(out: Output, *, segment: str, **_: Any) -> None:
    """Show a segment."""
    body = SegmentBody.one(named(segment))
    lines = [(key.replace("_", " "), value) for key, value in body.items() if key != "rule" and value not in ("", None)]
    out.table(["", ""], lines, body, empty="")


def _state(body: dict[str, Any]) -> str:
    return "being counted" if body["is_counting"] else f"as of {body['as_of'][:19]}Z"


def preview_(out: Output, *, rule: str, time_zone: str, **_: Any) -> None:
    """Count the customers whom a rule matches, in all and for each leaf, and show some."""
    tree = read_text(rule, DatabaseNames())
    found = preview(tree, _in_zone(time_zone).moment())
    if out.is_json:
        out.data(found.to_json())
        return
    names = DatabaseNames()
    top = Tree(f"{_count(found.count)} of {_count(found.total)} customers")
    _grow(top, tree, (), lambda node, path: f"{_count(found.nodes[path]):>12}  {_text(node, names)}")
    out.show(top)
    out.say("For example: " + ", ".join(one.name for one in found.sample) if found.sample else "Nobody.")


def backtest_(out: Output, *, rule: str, days: int, time_zone: str, **_: Any) -> None:
    """Say how large a rule's segment would have been on each of the last days, from what was recorded."""
    found = backtest(read_text(rule, DatabaseNames()), zone=_in_zone(time_zone).zone, days=days)
    rows = [[f"{day.day}", day.size, day.entered, day.left] for day in found.days]
    data = {**asdict(found), "is_exact": found.is_exact}
    out.table(["Day", "Size", "Entered", "Left"], rows, data, empty="Nothing.")
    if not out.is_json and found.sampled < found.customers:
        out.say(f"Estimated: {found.sampled:,} of {found.customers:,} customers were asked.")
    if not out.is_json and found.as_of_today:
        out.say(f"Of no past is known, and so as today on all days: {', '.join(found.as_of_today)}.")


def _in_zone(name: str) -> Segment:
    """Answer a segment that is not kept, whose days begin in a time zone."""
    try:
        return Segment(time_zone=time_zone_named(name))
    except BadInput as bad:
        raise WrongCommandLine(f"--time-zone: {bad.problems[0]['msg']}") from None


def _count(count: Any) -> str:
    return f"{'' if count.is_exact else 'about '}{count.number:,}"


def _text(node: Any, names: DatabaseNames) -> str:
    if isinstance(node, Group):
        kind = "all of" if node.combinator == "and" else "any of"
        return f"not {kind}" if node.negated else kind
    return write_leaf(node, names)


def _grow(branch: Tree, group: Group, path: tuple[int, ...], label: Any) -> None:
    for index, node in enumerate(group.rules):
        below = branch.add(Text(label(node, (*path, index))), highlight=False)
        if isinstance(node, Group):
            _grow(below, node, (*path, index), label)


def explain_(out: Output, *, segment: str, customer: str, **_: Any) -> int:
    """Say why a customer is, or is not, in a segment; exit code 0 when she is, 3 when she is not."""
    row = named(segment)
    who = Customer.at(customer)
    is_in = row.members.filter(customer=who).exists()
    pin = row.pins.filter(customer=who).first()
    explained = None if row.is_static else explain(row.tree, who.pk, row.moment())
    if out.is_json:
        out.data(
            {
                "is_in": is_in,
                "pin": {"is_in": pin.is_in, "reason": pin.reason} if pin else None,
                "rule": explained.to_json() if explained else None,
            }
        )
        return 0 if is_in else 3
    out.say(f"{who.name} is {'' if is_in else 'not '}in {row.name}.")
    if pin:
        out.say(f"She is pinned {'in' if pin.is_in else 'out'}: {pin.reason}")
    if explained:
        names = DatabaseNames()
        tree = Tree(Text(_answer(explained, names)), highlight=False)
        _branch(tree, explained, names)
        out.show(tree)
    return 0 if is_in else 3


def _branch(tree: Tree, explained: Explanation, names: DatabaseNames) -> None:
    for part in explained.parts:
        _branch(tree.add(Text(_answer(part, names)), highlight=False), part, names)


def _answer(part: Explanation, names: DatabaseNames) -> str:
    text = f"{'yes' if part.holds else 'no '}  {_text(part.node, names)}"
    if isinstance(part.node, Group):
        return text
    return f"{text}  ({_actual(part, names)})"


def _actual(part: Explanation, names: DatabaseNames) -> str:
    """Answer what a customer has; of tags and segments their names."""
    assert isinstance(part.node, Leaf)
    field = field_named(part.node.field)
    if part.actual is None:
        return "missing"
    if field is None or not isinstance(part.actual, list):
        return f"is {part.actual!r}"
    called = [names.name_of(field.kind, str(key)) or f"#{key}" for key in part.actual]
    return f"has {', '.join(called)}" if called else "has none"


def members(out: Output, *, segment: str, at: str | None, limit: int, **_: Any) -> None:
    """List members, now or as of an instant."""
    row = named(segment)
    instant = None if at is None else _instant(at, row)
    found: list[Member] = []
    after = None
    while True:
        page = read_members(row, at=instant, after=after, limit=min(PAGE, limit - len(found)) if limit else PAGE)
        found += page.items
        if not page.has_more or (limit and len(found) >= limit):
            break
        after = page.items[-1].customer_id
    data = {"total_count": page.total_count, "as_of": page.as_of, "items": MemberBody(found, many=True).data}
    rows = ([one.customer_id, one.name, one.since, one.via] for one in found)
    out.table(["Id", "Name", "Since", "Via"], rows, data, empty="It has no members.")
    if not out.is_json and len(found) < page.total_count:
        out.say(f"... and {page.total_count - len(found):,} more: --limit 0 lists all.")


def _instant(text: str, segment: Segment) -> datetime:
    """Answer an instant; a day is its end, in the segment's time zone."""
    try:
        return instant_named(text, segment.moment())
    except ValueError as error:
        raise WrongCommandLine(f"--at: {error}") from None


def overlap_(out: Output, *, segments: list[str], **_: Any) -> None:
    """Count the members that segments have in common: every combination of up to 4."""
    found = overlap([named(text) for text in segments])
    rows = ([" and ".join(row.name for row in one.segments), one.members, one.only] for one in found)
    out.table(["Segments", "Members", "In no other of these"], rows, [one.to_json() for one in found], empty="")


def keys(out: Output, *, personal: list[str], not_personal: list[str], **_: Any) -> None:
    """List the metadata keys that customers have, as the catalogue knows them."""
    for marked, is_personal in ((personal, True), (not_personal, False)):
        for key in marked:
            MetadataKey.mark_personal(key, is_personal)
    total = total_customers()
    found = metadata_keys()
    rows = (
        [
            one.key,
            one.customers,
            f"{one.customers / (total or 1):.1%}",
            ", ".join(one.types),
            "yes" if one.personal else "",
        ]
        for one in found
    )
    data = [one.to_json(total) for one in found]
    out.table(["Key", "Customers", "Filled", "Types", "Personal"], rows, data, empty="No customer has metadata.")
