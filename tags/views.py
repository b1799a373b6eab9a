"""REST: tags."""

from typing import Any, ClassVar

from django.db.models import QuerySet
from django_filters import FilterSet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from parlant_site.common.filters import TextFilter
from parlant_site.common.schema import answers
from parlant_site.common.views import ContractViewSet
from tags.models import Tag
from tags.serializers import TagBody, TagName


def _named(rows: QuerySet[Any], name: str) -> QuerySet[Any]:
    return rows.filter(name=name)


class TagFilter(FilterSet):
    """Which tags to list."""

    name = TextFilter(_named, help_text="The exact name")


class TagViewSet(ContractViewSet):
    """Tags divide customers and agents into groups."""

    queryset = Tag.objects.all()
    serializer_class = TagBody
    filterset_class = TagFilter
    needs: ClassVar[dict[str, str]] = {
        "list": "tags.view_tag",
        "retrieve": "tags.view_tag",
        "create": "tags.add_tag",
        "partial_update": "tags.change_tag",
        "destroy": "tags.delete_tag",
    }

    @extend_schema(responses=answers(200, TagBody(many=True)))
    def list(self, request: Request) -> Response:
        """List tags, by creation."""
        return Response(TagBody(self.filter_queryset(self.get_queryset()), many=True).data)

    @extend_schema(request=TagName, responses=answers(201, TagBody))
    def create(self, request: Request) -> Response:
        """Create a tag; 422 when the name is taken."""
        return Response(TagBody(Tag.add(**self.body(TagName))).data, status=201)

    @extend_schema(responses=answers(200, TagBody, refusals=(404,)))
    def retrieve(self, request: Request, id: str) -> Response:
        """Read a tag."""
        return Response(TagBody(self.find(Tag.objects.all(), id)).data)

    @extend_schema(request=TagName, responses=answers(200, TagBody, refusals=(404,)))
    def partial_update(self, request: Request, id: str) -> Response:
        """Rename a tag; 422 when the name is taken."""
        tag = self.find(Tag.objects.all(), id)
        return Response(TagBody(tag.rename(**self.body(TagName))).data)

    @extend_schema(responses=answers(204, refusals=(404,)))
    def destroy(self, request: Request, id: str) -> Response:
        """Delete a tag and take it off its customers and agents."""
        self.find(Tag.objects.all(), id).remove()
        return Response(status=204)
