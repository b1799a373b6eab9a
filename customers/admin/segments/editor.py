"""The rule editor: one form whose every button is a round trip, so that it works without scripts.

What is edited travels in the form: the tree in its inputs, and what it was before in hidden fields, for undo.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _

from customers.admin.segments.draft_acts import ACTS
from customers.admin.segments.draft_forms import packed, read_form, read_path, unpacked
from customers.admin.segments.drafts import DraftGroup, DraftLeaf, draft_of, path_text
from customers.admin.segments.looking import Look, look_at
from customers.admin.segments.rows import rows_of, settle
from customers.models import Segment
from customers.rules.faces import DatabaseNames, UnreadableRule, read_text, write_text
from customers.rules.tree import Group, to_json
from customers.segments.editing import amend, make
from customers.segments.given import masked
from customers.segments.models import NAME_LENGTH
from parlant_site.common.console.markup import page_of
from parlant_site.common.errors import BadInput, Refusal

MOST_STEPS = 30
LONGEST_PAST = 200_000


@dataclass
class Edited:
    """All that the form holds."""

    name: str = ""
    description: str = ""
    time_zone: str = ""
    version: int = 0
    draft: DraftGroup = field(default_factory=DraftGroup)
    text: str | None = None  # while the text is edited
    past: list[Any] = field(default_factory=list)
    future: list[Any] = field(default_factory=list)
    errors: dict[str, list[str]] = field(default_factory=dict)
    focus: str = ""  # the path of the row that was just made or moved

    @classmethod
    def of(cls, segment: Segment) -> Edited:
        """Answer what the form shows of a segment at first."""
        draft = draft_of(masked(segment.tree)) if segment.rule is not None else DraftGroup(nodes=[DraftLeaf()])
        return cls(segment.name, segment.description, segment.time_zone, segment.rule_version, draft)

    @classmethod
    def read(cls, data: Any, segment: Segment) -> Edited:
        """Answer what was sent."""
        texts = {name: data.get(name, "").replace("\0", "") for name in ("name", "description", "time_zone")}
        made = cls(**texts, past=_steps(data.get("past", "")), future=_steps(data.get("future", "")))
        made.version = int(version) if (version := data.get("version", "")).isdigit() and len(version) < 9 else 0
        if segment.is_static:
            return made
        shown = unpacked(_json(data.get("shown", "")))
        if "rule_text" in data:
            made.text = data["rule_text"].replace("\r\n", "\n")
            made.draft = shown if isinstance(shown, DraftGroup) else DraftGroup()
            try:
                made.draft = draft_of(read_text(made.text, DatabaseNames()))
            except UnreadableRule as unreadable:
                made.errors["rule_text"] = [str(problem["msg"]) for problem in unreadable.problems]
        else:
            made.draft = settle(read_form(data))
        if shown is not None and packed(shown) != packed(made.draft):
            made.remember(packed(shown))
        return made

    def remember(self, step: Any) -> None:
        """Keep what the tree was, for undo."""
        self.past = [*self.past, step][-MOST_STEPS:]
        while len(json.dumps(self.past)) > LONGEST_PAST:
            del self.past[0]
        self.future = []

    def act(self, command: str) -> None:
        """Do what a button says: leaf:r.0, undo, text, tree..."""
        before = packed(self.draft)
        name, _colon, where = command.partition(":")
        if name == "undo" and self.past:
            self.future, step = [*self.future, before], self.past.pop()
            self._go_to(step)
        elif name == "redo" and self.future:
            self.past, step = [*self.past, before], self.future.pop()
            self._go_to(step)
        elif name == "tree" and not self.errors:
            self.text = None
        elif name in ACTS and self.text is None and (path := read_path(where)) is not None:
            moved = ACTS[name](self.draft, path)
            if moved is not None:
                self.focus = path_text(moved)
                self.remember(before)

    def _go_to(self, step: Any) -> None:
        draft = unpacked(step)
        if isinstance(draft, DraftGroup):
            self.draft, self.errors = draft, {}
            if self.text is not None:
                self.text = ""


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _steps(text: str) -> list[Any]:
    read = _json(text) if len(text) <= LONGEST_PAST * 2 else None
    return read[-MOST_STEPS:] if isinstance(read, list) else []


def edit_page(request: HttpRequest, context: dict[str, Any], segment: Segment) -> HttpResponse:
    """Show the editor; do what one of its buttons asks; save."""
    command = request.POST.get("do", "update") if request.method == "POST" else ""
    if request.method == "POST":
        edited = Edited.read(request.POST, segment)
        edited.act(command)
    else:
        edited = Edited.of(segment)
        edited.name = edited.name or request.GET.get("name", "").replace("\0", "")[:NAME_LENGTH]
        _begin_with(request.GET.get("text", ""), edited)
    look = Look() if segment.is_static else look_at(edited.draft, segment)
    if look.rule is not None and (command == "text" or (edited.text == "" and command in ("undo", "redo"))):
        edited.text = write_text(look.rule, DatabaseNames())
    if command == "save" and (saved := _save(request, segment, edited, look)):
        messages.success(request, _("%s was saved.") % saved.name)
        return HttpResponseRedirect(page_of(saved))
    return TemplateResponse(
        request,
        "admin/customers/segment/edit.html",
        {
            **context,
            "segment": segment,
            "edited": edited,
            "look": look,
            "root": rows_of(edited.draft, look, strict=command == "save"),
            "shown": json.dumps(packed(edited.draft)),
            "past": json.dumps(edited.past),
            "future": json.dumps(edited.future),
            "name_length": NAME_LENGTH,
        },
    )


def _begin_with(text: str, edited: Edited) -> None:
    """Begin a new rule with the text that the address holds, as the list of customers writes it."""
    if text:
        try:
            edited.draft = draft_of(read_text(text, DatabaseNames()))
        except UnreadableRule as unreadable:
            edited.text = text
            edited.errors["rule_text"] = [str(problem["msg"]) for problem in unreadable.problems]


def _save(request: HttpRequest, segment: Segment, edited: Edited, look: Look) -> Segment | None:
    """Write the segment; None when something is wrong, which the page then says."""
    if edited.errors or (look.rule is None and not segment.is_static):
        return None
    if not segment._state.adding and edited.version != segment.rule_version:
        edited.version = segment.rule_version
        edited.errors["rule"] = [
            _("Somebody changed the rule while you edited it. Save again to put yours in its place.")
        ]
        return None
    try:
        return _write(segment, edited, look.rule)
    except BadInput as refusal:
        for problem in refusal.problems:
            loc = problem["loc"]
            place = str(loc[0]) if isinstance(loc, list) and loc else "rule"
            edited.errors.setdefault(place, []).append(str(problem["msg"]))
    except Refusal as refusal:
        edited.errors["name" if "named" in refusal.detail else "rule"] = [refusal.detail]
    return None


def _write(segment: Segment, edited: Edited, rule: Group | None) -> Segment:
    fields: dict[str, Any] = {
        "name": edited.name,
        "description": edited.description,
        "time_zone": edited.time_zone.strip(),
    }
    if not segment._state.adding:
        return amend(segment, **fields, **({} if rule is None else {"rule": to_json(rule)}))
    return make(**fields, rule=None if rule is None else to_json(rule), is_static=segment.is_static)
