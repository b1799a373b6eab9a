"""What all views of the API share."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from django.db.models import QuerySet
from django.utils import translation
from rest_framework.request import Request
from rest_framework.viewsets import GenericViewSet

from parlant_site.common.bodies import json_body
from parlant_site.common.errors import NotFound, Refusal
from parlant_site.common.json import JSONValue
from parlant_site.common.models import Identified
from parlant_site.common.pagination import Page, PageQuery, cut
from parlant_site.common.permissions import Restricted
from parlant_site.common.serializers import Input


class ContractViewSet(Restricted, GenericViewSet[Any]):
    """A viewset that looks up, validates, calls and answers."""

    http_method_names = ["get", "post", "patch", "delete"]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Check the path before anything is looked up: no database can keep a NUL character, so no id has one.

        Programs read the answers: their language does not follow the caller's.
        """
        translation.activate("en")
        for value in kwargs.values():
            if "\0" in str(value):
                raise NotFound("The path", value)
        super().initial(request, *args, **kwargs)

    def body(self, serializer: type[Input]) -> dict[str, Any]:
        """Answer the validated body; BadInput otherwise."""
        return serializer.read(self.sent)

    @cached_property
    def sent(self) -> dict[str, JSONValue]:
        """What was sent, parsed once: the policy and the action both ask. BadInput when it is no JSON object."""
        return json_body(self.request)

    def peek(self) -> dict[str, JSONValue] | None:
        """Answer what was sent; None when it cannot be used: the action refuses it with its reason a moment later."""
        try:
            return self.sent
        except Refusal:
            return None

    def query(self, serializer: type[Input]) -> dict[str, Any]:
        """Answer the validated query parameters (the last of each name); BadInput otherwise."""
        return serializer.read(self.request.query_params.dict(), where="query")

    def page(self, rows: QuerySet[Any], *, first: str | None = None) -> Page:
        """Answer the page of the rows that the query parameters ask for."""
        return cut(rows, self.query(PageQuery), first=first)

    @staticmethod
    def find(rows: QuerySet[Any], key: str) -> Any:
        """Answer the row with this id; NotFound names it."""
        model: type[Identified] = rows.model
        return model.found_in(rows, key)
