"""A segment's rule in its three faces: the tree, the text and the sentence."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from customers.admin.segments.drafts import KINDS
from customers.models import Segment
from customers.segments.faces import DatabaseNames, Names, write_leaf, write_sentence, write_text
from customers.segments.rules import Group, Node


def rule_page(request: HttpRequest, context: dict[str, Any], segment: Segment) -> HttpResponse:
    """Show the rule; it is edited on a page of its own."""
    names = DatabaseNames()
    if not segment.is_static:
        context |= {
            "tree": shown(segment.tree, names),
            "text": write_text(segment.tree, names),
            "sentence": write_sentence(segment.tree, names),
        }
    return TemplateResponse(request, "admin/customers/segment/rule.html", {**context, "tab": "rule"})


def shown(node: Node, names: Names) -> dict[str, Any]:
    """Answer a node for the template of trees: its kind and parts, or its words."""
    if isinstance(node, Group):
        return {"kind": KINDS[node.combinator, node.negated], "parts": [shown(child, names) for child in node.rules]}
    return {"words": write_leaf(node, names, sentence=True)}
