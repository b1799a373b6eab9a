"""REST: who is in a segment, who entered and left it, pins and runs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar

from django.db import transaction
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from customers.models import Customer
from customers.rules.periods import instant_named
from customers.segments import listing
from customers.segments.editing import refresh
from customers.segments.given import CHANGES_WHO, SEES_WHO, placed
from customers.segments.history import Cause
from customers.segments.members import read_members
from customers.segments.models import Segment
from customers.segments.pinning import pin, unpin
from customers.segments.serializers import (
    DayBody,
    DaysQuery,
    ListChange,
    MemberPage,
    MembershipBody,
    MembershipQuery,
    MembersQuery,
    MovedBody,
    NewPin,
    PinBody,
    RunBody,
)
from customers.segments.writing import Moved
from parlant_site.common.errors import BadInput
from parlant_site.common.pagination import Cursor
from parlant_site.common.permissions import Needed
from parlant_site.common.schema import answers
from parlant_site.common.views import ContractViewSet

RUNS_SHOWN = 50


class SegmentPartViewSet(ContractViewSet):
    """A part of the segment that the path names."""

    queryset = Segment.objects.all()
    filter_backends = ()
    needs: ClassVar[Mapping[str, Needed]] = {
        "members": SEES_WHO,
        "events": SEES_WHO,
        "days": "customers.view_segment",
        "runs": "customers.view_segment",
        "pins": SEES_WHO,
        "pin": CHANGES_WHO,
        "unpin": CHANGES_WHO,
        "change_members": CHANGES_WHO,
        "refresh": "customers.change_segment",
    }

    def segment(self) -> Segment:
        """Answer the segment of the path; NotFound."""
        found: Segment = self.find(Segment.objects.all(), self.kwargs["id"])
        return found

    @extend_schema(parameters=[MembersQuery], responses=answers(200, MemberPage, refusals=(404,)))
    def members(self, request: Request, id: str) -> Response:
        """List members, by the customer's id; as of now, or of an instant."""
        query = self.query(MembersQuery)
        cursor = Cursor.read(query.get("cursor", ""))
        after = cursor.id if cursor else None
        segment = self.segment()
        page = read_members(segment, at=_instant(query.get("at"), segment), after=after, limit=query["limit"])
        following = str(Cursor(None, page.items[-1].customer_id)) if page.has_more else None
        shown: dict[str, Any] = {
            "items": page.items,
            "total_count": page.total_count,
            "has_more": page.has_more,
            "next_cursor": following,
            "as_of": page.as_of,
        }
        return Response(MemberPage(shown).data)

    @extend_schema(request=ListChange, responses=answers(200, MovedBody, refusals=(404,)))
    def change_members(self, request: Request, id: str) -> Response:
        """Put customers on a list and take others off it, all or nothing; 422 for a segment with a rule."""
        segment, given = self.segment(), self.body(ListChange)
        with transaction.atomic():
            moved = listing.add(segment, given["add"]) if given.get("add") else Moved()
            moved += listing.take_off(segment, given["remove"]) if given.get("remove") else Moved()
        return Response(MovedBody(moved).data)

    @extend_schema(parameters=[MembershipQuery], responses=answers(200, MembershipBody(many=True), refusals=(404,)))
    def events(self, request: Request, id: str) -> Response:
        """List who entered and left, why and when, from an offset on; of all customers or one."""
        query = self.query(MembershipQuery)
        events = self.segment().events.since(query["min_offset"])
        if "customer_id" in query:
            events = events.filter(customer_ref=query["customer_id"])
        return Response(MembershipBody(events[: query["limit"]], many=True).data)

    @extend_schema(parameters=[DaysQuery], responses=answers(200, DayBody(many=True), refusals=(404,)))
    def days(self, request: Request, id: str) -> Response:
        """List the days on which members changed, among the last `days` ones; on others the size stayed."""
        segment = self.segment()
        first = timezone.now().astimezone(segment.zone).date() - timedelta(days=self.query(DaysQuery)["days"] - 1)
        return Response(DayBody(segment.days.filter(day__gte=first).order_by("day"), many=True).data)

    @extend_schema(responses=answers(200, RunBody(many=True), refusals=(404,)))
    def runs(self, request: Request, id: str) -> Response:
        """List the last 50 runs, the newest first."""
        return Response(RunBody(self.segment().runs.all()[:RUNS_SHOWN], many=True).data)

    @extend_schema(request=None, responses=answers(202, RunBody, refusals=(404,)))
    def refresh(self, request: Request, id: str) -> Response:
        """Count a segment again, from the first customer to the last; the answer is the run that is to do it."""
        run = refresh(self.segment(), Cause.REFRESH)
        return Response(RunBody(run).data, status=202)

    @extend_schema(responses=answers(200, PinBody(many=True), refusals=(404,)))
    def pins(self, request: Request, id: str) -> Response:
        """List pins, the newest first."""
        return Response(PinBody(self.segment().pins.all(), many=True).data)

    @extend_schema(request=NewPin, responses=answers(201, PinBody, refusals=(404,)))
    def pin(self, request: Request, id: str) -> Response:
        """Pin a customer in or out, with a reason: she moves at once. 422 for a list, which has no rule to overrule."""
        segment, given = self.segment(), self.body(NewPin)
        with placed("body"):
            made = pin(segment, Customer.at(given["customer_id"]).pk, is_in=given["is_in"], reason=given["reason"])
        return Response(PinBody(made).data, status=201)

    @extend_schema(responses=answers(204, refusals=(404,)))
    def unpin(self, request: Request, id: str, customer_id: str) -> Response:
        """Let the rule alone decide about a customer again."""
        unpin(self.segment(), Customer.at(customer_id).pk)
        return Response(status=204)


def _instant(text: str | None, segment: Segment) -> datetime | None:
    try:
        return None if text is None else instant_named(text, segment.moment())
    except ValueError as error:
        raise BadInput.at("query", "at", msg=str(error), input=text) from None
