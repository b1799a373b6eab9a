"""REST: sessions."""

import builtins
from collections.abc import Iterable
from typing import ClassVar, cast

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from customers.models import GUEST_ID, Customer
from parlant_site.common.errors import NotFound
from parlant_site.common.pagination import PageQuery, page_of
from parlant_site.common.permissions import Needed
from parlant_site.common.schema import answers
from parlant_site.common.serializers import MetadataPatch
from parlant_site.common.views import ContractViewSet
from sessions_app.actions import amend_session, open_session
from sessions_app.filters import OpeningQuery, SessionFilter
from sessions_app.models import Agent, Session
from sessions_app.querysets import SessionQuerySet
from sessions_app.serializers import NewSession, SessionBody, SessionChange


class SessionViewSet(ContractViewSet):
    """Sessions are conversations of customers with agents."""

    queryset = Session.objects.prefetch_related("label_rows", "participant_rows")
    serializer_class = SessionBody
    filterset_class = SessionFilter
    needs: ClassVar[dict[str, str]] = {
        "list": "sessions_app.view_session",
        "create": "sessions_app.add_session",
        "partial_update": "sessions_app.change_session",
        "destroy": "sessions_app.delete_session",
        "destroy_all": "sessions_app.delete_session",
    }
    public: ClassVar[dict[str, str]] = {"retrieve": "read", "create": "open_session"}

    def public_scope(self) -> str | None:
        """Answer the scope; besides reading, anonymous callers may open sessions of the guest."""
        if getattr(self, "action", None) != "create":
            return super().public_scope()
        body = self.peek()
        return "open_session" if body is None or body.get("customer_id") in (None, GUEST_ID) else None

    def needed(self) -> Needed | None:
        """Answer the permission; to change the mode alone is to take over or to hand back."""
        if getattr(self, "action", None) != "partial_update":
            return super().needed()
        changes = {name for name, value in (self.peek() or {}).items() if value is not None}
        return "sessions_app.take_over" if changes == {"mode"} else super().needed()

    def agents(self, ids: Iterable[str]) -> builtins.list[Agent]:
        """Answer the agents with these ids; 404 for an unknown one."""
        wanted = list(dict.fromkeys(ids))
        found = Agent.objects.in_bulk(wanted)
        for id in wanted:
            if id not in found:
                raise NotFound("Agent", id)
        return [found[id] for id in wanted]

    @extend_schema(parameters=[PageQuery], responses=answers(200, page_of(SessionBody, "Session")))
    def list(self, request: Request) -> Response:
        """List sessions, by creation."""
        page = self.page(self.filter_queryset(self.get_queryset()))
        return Response(page.render(SessionBody(page.rows, many=True).data))

    @extend_schema(request=NewSession, parameters=[OpeningQuery], responses=answers(201, SessionBody, refusals=(404,)))
    def create(self, request: Request) -> Response:
        """Open a session; 404 for an unknown agent or customer."""
        allow_greeting = self.query(OpeningQuery)["allow_greeting"]
        given = self.body(NewSession)
        session = open_session(
            allow_greeting=allow_greeting,
            agent=self.find(Agent.objects.all(), given.pop("agent_id")),
            customer=Customer.at(given.pop("customer_id", GUEST_ID)),
            participants=self.agents(given.pop("participants", [])),
            **given,
        )
        return Response(SessionBody(session).data, status=201)

    @extend_schema(responses=answers(200, SessionBody, refusals=(404,)))
    def retrieve(self, request: Request, id: str) -> Response:
        """Read a session."""
        return Response(SessionBody(self.find(self.get_queryset(), id)).data)

    @extend_schema(request=SessionChange, responses=answers(200, SessionBody, refusals=(404,)))
    def partial_update(self, request: Request, id: str) -> Response:
        """Change a session, all or nothing; 404 for an unknown agent or customer.

        Where another agent answers from now on, a `custom` event says so, and a reply in progress is begun again by it.
        """
        session = self.find(Session.objects.all(), id)
        given = self.body(SessionChange)
        fields = {name: given[name] for name in ("title", "mode") if name in given}
        if "agent_id" in given:
            fields["agent"] = self.find(Agent.objects.all(), given["agent_id"])
        if "customer_id" in given:
            fields["customer"] = Customer.at(given["customer_id"])
        if "client" in given.get("consumption_offsets", {}):
            fields["client_offset"] = given["consumption_offsets"]["client"]
        labels, participants = given.get("labels", {}), given.get("participants", {})
        amend_session(
            session,
            **MetadataPatch.changes(given.get("metadata")),
            upsert_labels=labels.get("upsert", []),
            remove_labels=labels.get("remove", []),
            add_participants=self.agents(participants.get("add", [])),
            remove_participants=participants.get("remove", []),
            **fields,
        )
        return Response(SessionBody(session).data)

    @extend_schema(responses=answers(204, refusals=(404,)))
    def destroy(self, request: Request, id: str) -> Response:
        """Delete a session with its events."""
        self.find(Session.objects.all(), id).remove()
        return Response(status=204)

    @extend_schema(operation_id="sessions_destroy_all", filters=True, responses=answers(204))
    def destroy_all(self, request: Request) -> Response:
        """Delete the sessions of an agent, of a customer, or all."""
        sessions = cast(SessionQuerySet, self.filter_queryset(Session.objects.all()))
        sessions.remove()
        return Response(status=204)
