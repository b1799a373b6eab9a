"""REST: what agents are told to say later."""

from typing import Any, ClassVar

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from parlant_site.common.pagination import PageQuery, page_of
from parlant_site.common.schema import answers
from parlant_site.common.views import ContractViewSet
from sessions_app.actions import schedule_follow_up
from sessions_app.models import FollowUp, Session
from sessions_app.serializers import FollowUpBody, NewFollowUp


class FollowUpViewSet(ContractViewSet):
    """Follow-ups are what the agent of a session was told to say later, on its own account."""

    queryset = FollowUp.objects.all()
    serializer_class = FollowUpBody
    filter_backends = ()
    needs: ClassVar[dict[str, str]] = {
        "list": "sessions_app.view_followup",
        "create": "sessions_app.add_followup",
        "retrieve": "sessions_app.view_followup",
        "destroy": "sessions_app.delete_followup",
    }

    def session(self) -> Session:
        """Answer the session of the path."""
        found: Session = self.find(Session.objects.all(), self.kwargs["session_id"])
        return found

    def get_queryset(self) -> QuerySet[Any]:
        """Answer the follow-ups of the session of the path."""
        return self.session().follow_ups.listed()

    @extend_schema(parameters=[PageQuery], responses=answers(200, page_of(FollowUpBody, "FollowUp"), refusals=(404,)))
    def list(self, request: Request, session_id: str) -> Response:
        """List the follow-ups of a session, by creation: those to come, and what became of the others."""
        page = self.page(self.get_queryset())
        return Response(page.render(FollowUpBody(page.rows, many=True).data))

    @extend_schema(request=NewFollowUp, responses=answers(201, FollowUpBody, refusals=(404,)))
    def create(self, request: Request, session_id: str) -> Response:
        """Schedule what the agent says later: once, at the due time, even when processes die in between.

        It is dropped when a human answers by then (mode manual), and with `only_if_silent` when the customer writes
        before.
        """
        given = self.body(NewFollowUp)
        return Response(FollowUpBody(schedule_follow_up(self.session(), **given)).data, status=201)

    @extend_schema(responses=answers(200, FollowUpBody, refusals=(404,)))
    def retrieve(self, request: Request, session_id: str, id: str) -> Response:
        """Read a follow-up."""
        return Response(FollowUpBody(self.find(self.get_queryset(), id)).data)

    @extend_schema(responses=answers(204, refusals=(404,)))
    def destroy(self, request: Request, session_id: str, id: str) -> Response:
        """Cancel a follow-up: it is never said; 422 when the agent was told already."""
        self.find(self.get_queryset(), id).cancel()
        return Response(status=204)
