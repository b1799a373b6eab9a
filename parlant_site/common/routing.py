"""Paths of the API: no prefix, no trailing slash."""

from typing import Any

from django.urls import URLPattern, path
from rest_framework.viewsets import GenericViewSet


def collection(prefix: str, viewset: type[GenericViewSet[Any]]) -> list[URLPattern]:
    """Answer the paths `prefix` and `prefix/{id}` with those of the usual actions that the viewset has."""
    on_all = {"get": "list", "post": "create", "delete": "destroy_all"}
    on_one = {"get": "retrieve", "patch": "partial_update", "delete": "destroy"}
    return [
        path(route, viewset.as_view({method: name for method, name in actions.items() if hasattr(viewset, name)}))
        for route, actions in ((prefix, on_all), (f"{prefix}/<str:id>", on_one))
    ]
