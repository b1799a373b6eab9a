"""REST: segments."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import transaction
from django_filters import FilterSet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from customers.segments.editing import amend, make, remove
from customers.segments.given import SEES_WHO, given_rule, placed
from customers.segments.models import Segment
from customers.segments.publishing import publish, unpublish
from customers.segments.serializers import (
    NewSegment,
    SegmentBody,
    SegmentChange,
)
from parlant_site.common.errors import BadInput
from parlant_site.common.filters import TextFilter
from parlant_site.common.permissions import Needed
from parlant_site.common.schema import answers
from parlant_site.common.views import ContractViewSet
from tags.models import Tag


class SegmentFilter(FilterSet):
    """Which segments to list."""

    name = TextFilter(lambda rows, name: rows.filter(name=name), help_text="The exact name")
    kind = TextFilter(lambda rows, kind: rows.filter(kind=kind), help_text="dynamic or static")
    customer_id = TextFilter(
        lambda rows, key: rows.filter(pk__in=Segment.objects.of_customers([key]).order_by().values("pk")),
        help_text="Only those of which this customer is a member",
    )


class SegmentViewSet(ContractViewSet):
    """Segments are sets of customers: by rule, kept current as customers change, or by list."""

    queryset = Segment.objects.order_by("creation_utc", "id")
    serializer_class = SegmentBody
    filterset_class = SegmentFilter
    needs: ClassVar[dict[str, str]] = {
        "list": "customers.view_segment",
        "retrieve": "customers.view_segment",
        "create": "customers.add_segment",
        "partial_update": "customers.change_segment",
        "destroy": "customers.delete_segment",
    }

    def needed(self) -> Needed | None:
        """Answer what the request needs: who asks for the segments of a customer must be allowed to see her."""
        return SEES_WHO if self.action == "list" and "customer_id" in self.request.query_params else super().needed()

    def segment(self, id: str) -> Segment:
        """Answer the segment with this id; NotFound."""
        found: Segment = self.find(Segment.objects.all(), id)
        return found

    @extend_schema(responses=answers(200, SegmentBody(many=True)))
    def list(self, request: Request) -> Response:
        """List segments, by creation."""
        return Response(SegmentBody.show(self.filter_queryset(self.get_queryset())))

    @extend_schema(request=NewSegment, responses=answers(201, SegmentBody, refusals=(404,)))
    def create(self, request: Request) -> Response:
        """Make a segment; its members are counted in a run that begins at once. 422 when the name or id is taken."""
        given = self.body(NewSegment)
        rule = given_rule(given)
        is_static = given["kind"] == "static"
        if rule is None and not is_static:
            raise BadInput.at("body", "rule", msg="Give a `rule` or a `text`, or `kind` static", type="missing")
        with transaction.atomic():
            with placed("body"):
                segment = make(
                    name=given["name"],
                    rule=rule,
                    is_static=is_static,
                    **{key: given[key] for key in ("description", "time_zone", "id") if key in given},
                )
            _publish(segment, given)
        return Response(SegmentBody.one(segment), status=201)

    @extend_schema(responses=answers(200, SegmentBody, refusals=(404,)))
    def retrieve(self, request: Request, id: str) -> Response:
        """Read a segment."""
        return Response(SegmentBody.one(self.segment(id)))

    @extend_schema(request=SegmentChange, responses=answers(200, SegmentBody, refusals=(404,)))
    def partial_update(self, request: Request, id: str) -> Response:
        """Change a segment, all or nothing; a run moves whom another rule moves."""
        segment = self.segment(id)
        given = self.body(SegmentChange)
        fields = {key: given[key] for key in ("name", "description", "time_zone") if key in given}
        if (rule := given_rule(given)) is not None:
            fields["rule"] = rule
        with transaction.atomic():
            with placed("body"):
                segment = amend(segment, **fields)
            _publish(segment, given)
        return Response(SegmentBody.one(segment))

    @extend_schema(responses=answers(204, refusals=(404,)))
    def destroy(self, request: Request, id: str) -> Response:
        """Delete a segment with its past; 422 when the rule of another segment names it."""
        remove(self.segment(id))
        return Response(status=204)


def _publish(segment: Segment, given: dict[str, Any]) -> None:
    """Let the segment publish the tag that a body names, or none when it names the empty one."""
    if "published_tag" not in given:
        return
    if given["published_tag"]:
        publish(segment, Tag.found_in(Tag.objects.all(), given["published_tag"]))
    else:
        unpublish(segment)
