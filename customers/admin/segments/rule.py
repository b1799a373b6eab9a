"""A segment's rule in its three faces: the tree, the text and the sentence."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.translation import gettext as _

from customers.admin.segments.drafts import KINDS
from customers.admin.segments.explaining import said
from customers.models import CustomerTag, Segment
from customers.rules.faces import DatabaseNames, Names, write_leaf, write_sentence, write_text
from customers.rules.tree import Group, Node
from customers.segments.given import masked
from customers.segments.publishing import publish, unpublish
from parlant_site.common.errors import NotFound, Refusal
from tags.models import NAME_LENGTH, Tag

OFFERED = 300


def rule_page(request: HttpRequest, context: dict[str, Any], segment: Segment) -> HttpResponse:
    """Show the rule, which is edited on a page of its own, and the published tag, which is chosen here."""
    if request.method == "POST":
        return _publish(request, segment)
    names = DatabaseNames()
    if context["may_change"]:
        context["tags"] = _publishable(segment)
    if not segment.is_static:
        tree = masked(segment.tree)
        context |= {
            "tree": shown(tree, names),
            "text": write_text(tree, names),
            "sentence": write_sentence(tree, names),
        }
    return TemplateResponse(request, "admin/customers/segment/rule.html", {**context, "tab": "rule"})


def _publishable(segment: Segment) -> list[Tag]:
    """Answer the tags that nobody bears and no other segment publishes."""
    borne = CustomerTag.objects.filter(tag_id=OuterRef("pk"))
    free = Tag.objects.filter(~Exists(borne), published_by__isnull=True)
    return list(free.order_by("name")[:OFFERED])


def _publish(request: HttpRequest, segment: Segment) -> HttpResponseRedirect:
    """Publish the chosen tag, a new tag of the written name, or none."""
    name = request.POST.get("name", "").replace("\0", "").strip()
    try:
        with transaction.atomic():
            if request.POST.get("do") == "unpublish":
                unpublish(segment)
                messages.success(request, _("No tag is published any more."))
            else:
                tag = Tag.objects.filter(pk=request.POST.get("tag", "").replace("\0", "")).first()
                if tag is None and name:
                    if not request.user.has_perm("tags.add_tag"):
                        raise PermissionDenied
                    tag = Tag.add(name=name[:NAME_LENGTH])
                if tag is None:
                    raise NotFound("Tag", "")
                publish(segment, tag)
                messages.success(request, _("Its members bear the tag %s from now on.") % tag.name)
    except Refusal as refusal:
        messages.error(request, said(refusal))
    return HttpResponseRedirect(request.path)


def shown(node: Node, names: Names) -> dict[str, Any]:
    """Answer a node for the template of trees: its kind and parts, or its words."""
    if isinstance(node, Group):
        return {"kind": KINDS[node.combinator, node.negated], "parts": [shown(child, names) for child in node.rules]}
    return {"words": write_leaf(node, names, sentence=True)}
