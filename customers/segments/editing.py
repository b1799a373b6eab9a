"""Making, editing and deleting segments. Each is one transaction with its audit entry; whoever is to move, a run
moves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.db import IntegrityError, transaction
from django.utils import timezone

from customers.rules.reading import check_rule, read_rule
from customers.rules.tree import Group, to_json
from customers.segments.circles import hold_references, refuse_circle
from customers.segments.history import Cause, MembershipEvent, SegmentDay
from customers.segments.models import NAME_LENGTH, Kind, Segment, SegmentMember
from customers.segments.publishing import take_tag_off
from customers.segments.running import queue
from parlant_site.common.audit import Act, record
from parlant_site.common.errors import BadInput, Refusal
from parlant_site.common.json import JSONValue

# What stands in the place of an id in the paths of the API.
RESERVED_IDS = {"preview", "overlap", "backtest", "new"}


class SegmentNameTaken(Refusal):
    """A segment of this name exists already."""


class SegmentInUse(Refusal):
    """The rules of other segments name this one."""


@transaction.atomic
def make(
    *,
    name: str,
    rule: Group | JSONValue = None,
    is_static: bool = False,
    description: str = "",
    time_zone: str = "",
    id: str | None = None,
) -> Segment:
    """Make a segment: dynamic with a rule (a tree, or its JSON), or static, an empty list. A run counts the members.

    InvalidRule for a bad rule, BadInput for another bad field, SegmentNameTaken.
    """
    if is_static and rule is not None:
        raise BadInput.at("rule", msg="A list has no rule")
    if id in RESERVED_IDS:
        raise BadInput.at("id", msg="This word has a meaning of its own in addresses", input=id)
    segment = Segment(
        name=_name(name),
        description=description,
        kind=Kind.STATIC if is_static else Kind.DYNAMIC,
        rule=None if is_static else _rule(rule),
        time_zone=time_zone_named(time_zone),
    )
    hold_references()
    if id is not None:
        segment.id = id
        refuse_circle(segment, segment.tree)
    _save(segment, force_insert=True)
    record(Act.CREATED, segment, after=facts(segment))
    if not is_static:
        queue(segment, Cause.MADE)
    return segment


@transaction.atomic
def amend(segment: Segment, **fields: Any) -> Segment:
    """Change some of name, description, rule (a tree, or its JSON) and time_zone, and answer the segment as it is now.

    Another rule is another version of it, and a run moves who does not belong any more or belongs from now on.
    RuleInCircle when the rule would depend on its own segment.
    """
    hold_references()
    current = Segment.lock(segment.pk)
    before = facts(current)
    read: dict[str, Callable[[Any], Any]] = {
        "name": _name,
        "description": str,
        "rule": _rule,
        "time_zone": time_zone_named,
    }
    for field, value in fields.items():
        if field == "rule" and current.is_static:
            raise BadInput.at("rule", msg="A list has no rule")
        setattr(current, field, read[field](value))
    after = facts(current)
    changed = [field for field in read if before[field] != after[field]]
    if not changed:
        return current
    if "rule" in changed:
        refuse_circle(current, current.tree)
    counts_again = not current.is_static and ("rule" in changed or "time_zone" in changed)
    if counts_again:
        current.rule_version += 1
        current.timed_utc = max(current.timed_utc, timezone.now())
    _save(current, update_fields=[*changed, "rule_version", "timed_utc"])
    record(
        Act.CHANGED,
        current,
        before={field: before[field] for field in changed},
        after={field: after[field] for field in changed},
    )
    if counts_again:
        queue(current, Cause.RULE)
    return current


@transaction.atomic
def remove(segment: Segment) -> None:
    """Delete a segment with its members and its past; its tag stays, and nobody bears it by the segment any more.

    SegmentInUse when the rule of another segment names it.
    """
    hold_references()
    current = Segment.lock(segment.pk)
    if users := list(Segment.objects.referring_to(current.pk).values_list("name", flat=True)[:5]):
        raise SegmentInUse(f"The rules of other segments name this one: {', '.join(users)}")
    take_tag_off(current)
    record(Act.DELETED, current, before=facts(current))
    for part in (SegmentMember, MembershipEvent, SegmentDay):
        part._base_manager.filter(segment_id=current.pk).delete()
    current.delete()


def refresh(segment: Segment, cause: Cause = Cause.REFRESH) -> Any:
    """Queue a run that counts a segment again (Cause.REFRESH) or looks for drift (Cause.RECONCILE), and answer it."""
    with transaction.atomic():
        return queue(Segment.lock(segment.pk), cause)


def facts(segment: Segment) -> dict[str, JSONValue]:
    """Answer what the audit keeps of a segment that came or went."""
    return {
        "name": segment.name,
        "description": segment.description,
        "kind": str(segment.kind),
        "rule": segment.rule,
        "time_zone": segment.time_zone,
    }


def _save(segment: Segment, **options: Any) -> None:
    try:
        with transaction.atomic():
            segment.save(**options)
    except IntegrityError as error:
        if Segment.objects.filter(name=segment.name).exclude(pk=segment.pk).exists():
            raise SegmentNameTaken(f"A segment named {segment.name!r} exists already") from error
        raise


def _name(name: Any) -> str:
    if not isinstance(name, str) or not 1 <= len(name.strip()) <= NAME_LENGTH:
        raise BadInput.at("name", msg=f"Write 1 to {NAME_LENGTH} characters")
    return name.strip()


def _rule(rule: Any) -> dict[str, JSONValue]:
    return to_json(check_rule(rule) if isinstance(rule, Group) else read_rule(rule))


def time_zone_named(name: Any) -> str:
    """Answer the name of a time zone, empty for that of the settings; BadInput for any other text."""
    try:
        return str(name) if not name or ZoneInfo(str(name)) else ""
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise BadInput.at("time_zone", msg='Write the name of a time zone such as "Europe/Berlin"') from None
