"""The page between the list of customers and a bulk action: for whom, what, some before and after; then start."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _

from customers.admin.bulk_forms import BulkAction, action_named, actions_of
from customers.admin.selecting import FILTERS, in_words, selection_of
from customers.jobs.bulk import Preview, customer_work, preview
from customers.jobs.starting import may_start, start
from customers.selection import Selection
from parlant_site.common.console.changes import changes_between
from parlant_site.common.console.markup import change_lines, named, page_of
from parlant_site.common.errors import Refusal
from tags.models import Tag

# What says for whom: it travels from the list to this page and back.
CARRIED = ("q", *(each.name for each in FILTERS))


@dataclass(frozen=True)
class Offer:
    """An action as the list's menu shows it."""

    kind: str
    label: Any
    choices: list[tuple[str, Any]]
    is_grave: bool  # there is something to warn of


def offers(user: Any) -> list[Offer]:
    """Answer the actions that the list offers a user; those with choices open a menu."""
    made: list[Offer] = []
    asked: dict[Any, list[tuple[str, Any]]] = {}
    for action in actions_of(user):
        # Tag and untag offer the same tags: asked once.
        source = action.choices.__func__  # type: ignore[attr-defined]
        if source not in asked:
            asked[source] = list(action.choices())
        made.append(Offer(action.kind, action.label(), asked[source], bool(action.warning)))
    return made


def bulk_page(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """Show what an action would do; start it when that was asked for.

    `action` names the kind, and may name a choice of the menu: "tag:<id>". PermissionDenied for who may not.
    """
    data = request.POST if request.method == "POST" else request.GET
    kind, _colon, choice = data.get("action", "").partition(":")
    action = action_named(kind)
    if action is None:
        raise Http404
    if not may_start(request.user, kind):
        raise PermissionDenied
    form = _form(action, data, choice)
    shown: Preview | None = None
    selection: Selection | None = None
    problem = ""
    try:
        selection = selection_of(data)
        if form.is_bound and form.is_valid():
            if request.method == "POST" and "start" in data:
                job = start(kind, by=request.user, selection=selection, parameters=form.parameters())
                messages.success(request, _("Started. You may leave this page: the work goes on."))
                return HttpResponseRedirect(page_of(job))
            shown = preview(kind, selection=selection, parameters=form.parameters())
        total = shown.total if shown else customer_work(kind).whom(selection).count()
    except Refusal as refusal:
        problem, total = refusal.detail, 0
    kept = selection.to_json() if selection else {}
    context |= {
        "title": action.label(),
        "action": action,
        "form": form,
        "problem": problem,
        "total": total,
        "button": action.button % {"n": f"{total:,}", "count": total},
        "carried": carried(data, kept),
        "said": in_words(kept),
        "chosen": len(selection.ids) if selection and selection.ids is not None else 0,
        "samples": _samples(shown),
        "previewed": shown is not None,
        "can_preview": customer_work(kind).shows_changes,
        "back": f"../?{_back(data)}",
    }
    return TemplateResponse(request, "admin/customers/customer/bulk.html", context)


def carried_by(data: QueryDict) -> list[tuple[str, str]]:
    """Answer what of a list's address says for whom, as the list's form of actions sends it on."""
    return [(name, value) for name in CARRIED for value in data.getlist(name) if value]


def carried(data: QueryDict, kept: dict[str, Any]) -> list[tuple[str, str]]:
    """Answer the hidden fields that say for whom."""
    if "ids" in kept:
        return [("ids", key) for key in kept["ids"]]
    fields = carried_by(data)
    return [*fields, ("as_of", kept["as_of"])] if kept else fields


def _back(data: QueryDict) -> str:
    back = QueryDict(mutable=True)
    for name in CARRIED:
        back.setlist(name, data.getlist(name))
    return back.urlencode()


def _form(action: type[BulkAction], data: QueryDict, choice: str) -> BulkAction:
    """Answer the form: as it was sent, or filled by the menu's choice, or blank."""
    if "form" in data:
        return action(data)
    if choice:
        filled = {f"{action.prefix}-{name}": value for name, value in action.chosen(choice).items()}
        return action(filled) if filled else action()
    return action() if action.base_fields else action({})


def _samples(shown: Preview | None) -> list[dict[str, Any]]:
    if shown is None:
        return []
    sides = [one.before for one in shown.samples] + [one.after for one in shown.samples]
    keys = {str(key) for side in sides for key in (side.get("tags") or [])}  # type: ignore[union-attr]
    names = dict(Tag.objects.filter(pk__in=keys).values_list("pk", "name"))
    return [
        {
            "customer": named(one.customer.name, one.customer.pk, page_of(one.customer)),
            "changes": change_lines(changes_between(one.before, one.after, names)) if one else "",
        }
        for one in shown.samples
    ]
