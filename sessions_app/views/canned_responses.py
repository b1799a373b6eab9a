"""REST: canned responses."""

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from parlant_site.common.pagination import PageQuery, page_of
from parlant_site.common.schema import answers
from parlant_site.common.serializers import MetadataPatch
from parlant_site.common.views import ContractViewSet
from sessions_app.canned_serializers import CannedResponseBody, CannedResponseChange, NewCannedResponse
from sessions_app.filters import CannedResponseFilter
from sessions_app.models import CannedResponse
from tags.models import Tag


class CannedResponseViewSet(ContractViewSet):
    """Canned responses are what agents may say, written by people."""

    queryset = CannedResponse.objects.prefetch_related("tag_links")
    serializer_class = CannedResponseBody
    filterset_class = CannedResponseFilter
    needs: ClassVar[dict[str, str]] = {
        "list": "sessions_app.view_cannedresponse",
        "retrieve": "sessions_app.view_cannedresponse",
        "create": "sessions_app.add_cannedresponse",
        "partial_update": "sessions_app.change_cannedresponse",
        "destroy": "sessions_app.delete_cannedresponse",
    }

    @extend_schema(parameters=[PageQuery], responses=answers(200, page_of(CannedResponseBody, "CannedResponse")))
    def list(self, request: Request) -> Response:
        """List canned responses, by creation."""
        page = self.page(self.filter_queryset(self.get_queryset()))
        return Response(page.render(CannedResponseBody(page.rows, many=True).data))

    @extend_schema(request=NewCannedResponse, responses=answers(201, CannedResponseBody, refusals=(404,)))
    def create(self, request: Request) -> Response:
        """Create a canned response; 404 for an unknown tag, 422 for a template that cannot be used."""
        given = self.body(NewCannedResponse)
        tags = Tag.objects.with_ids(given.pop("tags", []))
        return Response(CannedResponseBody(CannedResponse.create(tags=tags, **given)).data, status=201)

    @extend_schema(responses=answers(200, CannedResponseBody, refusals=(404,)))
    def retrieve(self, request: Request, id: str) -> Response:
        """Read a canned response."""
        return Response(CannedResponseBody(self.find(self.get_queryset(), id)).data)

    @extend_schema(request=CannedResponseChange, responses=answers(200, CannedResponseBody, refusals=(404,)))
    def partial_update(self, request: Request, id: str) -> Response:
        """Change a canned response, all or nothing; 404 for an unknown tag and for one to remove that it lacks."""
        response = self.find(CannedResponse.objects.all(), id)
        given: dict[str, Any] = self.body(CannedResponseChange)
        tags, metadata = given.pop("tags", {}), MetadataPatch.changes(given.pop("metadata", None))
        response.amend(add_tags=tags.get("add", []), remove_tags=tags.get("remove", []), **metadata, **given)
        return Response(CannedResponseBody(response).data)

    @extend_schema(responses=answers(204, refusals=(404,)))
    def destroy(self, request: Request, id: str) -> Response:
        """Delete a canned response; what was said with it stays."""
        self.find(CannedResponse.objects.all(), id).remove()
        return Response(status=204)
