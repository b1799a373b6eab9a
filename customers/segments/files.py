"""Segments as YAML files: written out, and read back into the same segments.

    segments:
      - id: pro-eu
        name: Pro customers in Europe
        rule: tag:EU and metadata.plan = pro
        pins: [{customer: ada, is_in: true, reason: Pays by invoice}]
      - name: Beta testers
        kind: static
        members: [ada, ben]

An entry with an `id` is the segment with this id, one without is the segment of this name. What an entry does not name
stays as it is; `pins` and `members` are the whole of them. Rules name tags and segments by their names.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import yaml
from django.db import transaction
from rest_framework import serializers

from customers.rules.faces import DatabaseNames, write_text
from customers.segments import listing
from customers.segments.circles import hold_references
from customers.segments.editing import SegmentInUse, amend, facts, make, remove
from customers.segments.given import given_rule
from customers.segments.models import REASON_LENGTH, Kind, Segment, SegmentPin
from customers.segments.pinning import pin, unpin
from customers.segments.publishing import publish, unpublish
from customers.segments.serializers import NewSegment
from parlant_site.common.errors import BadInput, NotFound, Refusal
from parlant_site.common.json import JSONValue, UnusableJSON, check
from parlant_site.common.serializers import Flag, Input, Text, Words
from tags.models import Tag

LARGEST_FILE = 10_000_000  # characters


class UnusableFile(Refusal):
    """The file is no list of segments."""


class Loader(yaml.SafeLoader):
    """Reads dates as texts, as JSON has them, and no aliases, by which a short file would be endless."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Answer the next node; UnusableFile for an alias."""
        if self.check_event(yaml.AliasEvent):
            raise UnusableFile(f"Line {self.peek_event().start_mark.line + 1}: write it out instead of an alias (*)")
        return super().compose_node(parent, index)

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


class PinEntry(Input):
    """A pin in a file."""

    customer = Text(min_length=1)
    is_in = Flag()
    reason = Text(min_length=1, max_length=REASON_LENGTH)


class SegmentEntry(NewSegment):
    """A segment in a file; `rule` is text, or JSON in react-querybuilder's shape."""

    kind = serializers.ChoiceField(Kind.choices, required=False)
    published_tag = Text(required=False, help_text="The name of a tag; empty: none")
    pins = PinEntry(many=True, required=False)
    members = Words(required=False)


@dataclass(frozen=True)
class Step:
    """What becomes of a segment: new, changed, same or deleted; of what changes, the old and the new."""

    action: str
    segment_id: str
    name: str
    before: dict[str, JSONValue] = field(default_factory=dict)
    after: dict[str, JSONValue] = field(default_factory=dict)

    def to_json(self) -> dict[str, JSONValue]:
        """Answer the step as commands print it."""
        return {
            "action": self.action,
            "id": self.segment_id,
            "name": self.name,
            "before": self.before,
            "after": self.after,
        }


def export_segments(segments: Iterable[Segment]) -> str:
    """Answer segments as a YAML file, with their pins, and the members of lists."""
    names = DatabaseNames()
    entries = [_entry(segment, names) for segment in segments]
    text: str = yaml.safe_dump({"segments": entries}, allow_unicode=True, sort_keys=False, width=120)
    return text


def import_segments(text: str, *, is_dry: bool = False, deletes_others: bool = False) -> list[Step]:
    """Make the segments be as a file says, all or nothing, and answer what that changed; a dry run changes nothing.

    `deletes_others` deletes the segments that the file does not name. UnusableFile, BadInput and InvalidRule say what
    is wrong, and where: ["segments", 2, "rule"...].
    """
    entries = _read(text)
    with transaction.atomic():
        hold_references()
        steps = _carry_out(entries)
        if deletes_others:
            steps += _delete_others({step.segment_id for step in steps})
        if is_dry:
            transaction.set_rollback(True)
    return steps


def _entry(segment: Segment, names: DatabaseNames) -> dict[str, Any]:
    entry: dict[str, Any] = {"id": segment.pk, "name": segment.name}
    if segment.description:
        entry["description"] = segment.description
    if segment.is_static:
        entry["kind"] = "static"
        entry["members"] = list(segment.members.order_by("customer_id").values_list("customer_id", flat=True))
    else:
        entry["rule"] = write_text(segment.tree, names)
    if segment.time_zone:
        entry["time_zone"] = segment.time_zone
    if segment.published_tag:
        entry["published_tag"] = segment.published_tag.name
    if pins := _pins(segment):
        entry["pins"] = [{"customer": key, **pinned} for key, pinned in pins.items()]
    return entry


def _pins(segment: Segment) -> dict[str, dict[str, JSONValue]]:
    rows = SegmentPin.objects.filter(segment=segment).order_by("customer_id")
    return {row.customer_id: {"is_in": row.is_in, "reason": row.reason} for row in rows}


def _read(text: str) -> list[dict[str, Any]]:
    if len(text) > LARGEST_FILE:
        raise UnusableFile(f"The file is larger than {LARGEST_FILE:,} characters")
    try:
        document = yaml.load(text, Loader)
        check(document)
    except yaml.YAMLError as error:
        raise UnusableFile(f"This is no YAML: {error}") from None
    except (UnusableJSON, RecursionError) as error:
        raise UnusableFile(f"The file holds what cannot be kept: {error}") from None
    given = document.get("segments") if isinstance(document, dict) else None
    if not isinstance(given, list):
        raise UnusableFile('Write "segments:" and under it a list')
    entries = []
    for number, entry in enumerate(given):
        if not isinstance(entry, dict):
            raise BadInput.at("segments", str(number), msg="Write an object: name, rule...")
        _refuse_unknown(entry, number)
        try:
            entries.append(SegmentEntry.read(_with_faces(entry), where=str(number)))
        except BadInput as bad:
            raise bad.under("segments") from None
    return entries


def _with_faces(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Say of a rule that is text that it is: in files both are called `rule`."""
    given = dict(entry)
    if isinstance(given.get("rule"), str) and "text" not in given:
        given["text"] = given.pop("rule")
    return given


def _refuse_unknown(entry: Mapping[str, Any], number: int) -> None:
    known = SegmentEntry().fields.keys()
    for key in entry:
        if key not in known:
            raise BadInput.at("segments", str(number), str(key), msg=f"Expected only {', '.join(sorted(known))}")


def _carry_out(entries: list[dict[str, Any]]) -> list[Step]:
    """Make and change segments; those whose rules name others that are yet to be made wait for them."""
    found: dict[int, Step] = {}
    waiting = dict(enumerate(entries))
    while waiting:
        refused = None
        before = len(waiting)
        for number, entry in list(waiting.items()):
            try:
                found[number] = _write(entry)
            except Refusal as error:
                refused = refused or _placed(error, number, entry["name"])
            else:
                del waiting[number]
        if refused is not None and len(waiting) == before:
            raise refused
    steps = [found[number] for number in sorted(found)]
    seen: set[str] = set()
    for step in steps:
        if step.segment_id in seen:
            raise UnusableFile(f"The segment {step.name!r} stands in the file twice")
        seen.add(step.segment_id)
    return steps


def _placed(error: Refusal, number: int, name: str) -> BadInput:
    """Answer a refusal with the entry that it is about."""
    if isinstance(error, BadInput):
        return error.under("segments", str(number))
    return BadInput.at("segments", str(number), msg=f"{name}: {error.detail}")


@transaction.atomic
def _write(entry: dict[str, Any]) -> Step:
    segment = _found(entry)
    rule = given_rule(entry, where="")
    if segment is None:
        kind = entry.get("kind", Kind.STATIC if "members" in entry else Kind.DYNAMIC)
        if rule is None and kind == Kind.DYNAMIC:
            raise BadInput.at("rule", msg="Write a rule, or members", type="missing")
        options = {name: entry[name] for name in ("id", "description", "time_zone") if name in entry}
        segment = make(name=entry["name"], rule=rule, is_static=kind == Kind.STATIC, **options)
        _match(segment, entry)
        return Step("new", segment.pk, segment.name, after=_state(segment))
    before = _state(segment)
    if "kind" in entry and entry["kind"] != segment.kind:
        raise BadInput.at("kind", msg=f"There is a {segment.kind} segment of this name or id: its kind cannot change")
    fields = {name: entry[name] for name in ("name", "description", "time_zone") if name in entry}
    amend(segment, **fields, **({} if rule is None else {"rule": rule}))
    _match(segment, entry)
    segment.refresh_from_db()
    after = _state(segment)
    changed = [name for name in after if after[name] != before[name]]
    return Step(
        "changed" if changed else "same",
        segment.pk,
        segment.name,
        {name: before[name] for name in changed},
        {name: after[name] for name in changed},
    )


def _found(entry: Mapping[str, Any]) -> Segment | None:
    rows = Segment.objects.filter(pk=entry["id"]) if "id" in entry else Segment.objects.filter(name=entry["name"])
    return rows.first()


def _match(segment: Segment, entry: Mapping[str, Any]) -> None:
    """Make tag, members and pins be those of an entry, where it names them."""
    if "published_tag" in entry:
        _match_tag(segment, entry["published_tag"])
    if "members" in entry:
        wanted, present = set(entry["members"]), set(segment.members.values_list("customer_id", flat=True))
        listing.add(segment, sorted(wanted - present))
        listing.take_off(segment, sorted(present - wanted))
    if "pins" in entry:
        wanted_pins = {one["customer"]: {"is_in": one["is_in"], "reason": one["reason"]} for one in entry["pins"]}
        present_pins = _pins(segment)
        for key, pinned in wanted_pins.items():
            if present_pins.get(key) != pinned:
                pin(segment, key, **pinned)
        for key in present_pins.keys() - wanted_pins.keys():
            unpin(segment, key)


def _match_tag(segment: Segment, name: str) -> None:
    if not name:
        unpublish(segment)
        return
    tag = Tag.objects.filter(name=name).first()
    if tag is None:
        raise NotFound("Tag", name)
    publish(segment, tag)


def _state(segment: Segment) -> dict[str, JSONValue]:
    names = DatabaseNames()
    shown = facts(segment)
    shown["rule"] = None if segment.is_static else write_text(segment.tree, names)
    shown["published_tag"] = segment.published_tag.name if segment.published_tag else None
    shown["pins"] = {**_pins(segment)}
    if segment.is_static:
        shown["members"] = [*segment.members.order_by("customer_id").values_list("customer_id", flat=True)]
    return shown


def _delete_others(kept: set[str]) -> list[Step]:
    """Delete segments; those that others name come after these."""
    waiting = list(Segment.objects.exclude(pk__in=kept).order_by("name"))
    steps: list[Step] = []
    while waiting:
        refused, left = None, []
        for segment in waiting:
            try:
                before = _state(segment)
                with transaction.atomic():
                    remove(segment)
                steps.append(Step("deleted", segment.pk, segment.name, before=before))
            except SegmentInUse as error:
                refused = error
                left.append(segment)
        if refused is not None and len(left) == len(waiting):
            raise refused
        waiting = left
    return steps
