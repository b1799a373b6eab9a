"""REST: events."""

from collections.abc import Mapping
from functools import partial
from typing import Any, ClassVar

from asgiref.sync import async_to_sync
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response

from parlant_site.common.errors import NotFound
from parlant_site.common.permissions import Needed
from parlant_site.common.schema import STREAM, answers
from parlant_site.common.serializers import MetadataPatch
from parlant_site.common.views import ContractViewSet
from sessions_app.actions import post_event
from sessions_app.events import Kind, Moderation, Source, Status
from sessions_app.filters import DeletionQuery, EventQuery, EventWait, PostingQuery, matching, wanted_by
from sessions_app.holding import Moderating, Waiting, hand_over
from sessions_app.lines import Wanted, is_growing
from sessions_app.longpoll import LONGEST
from sessions_app.models import Event, Session
from sessions_app.moderation import UNFLAGGED, Verdict, is_moderated, moderate
from sessions_app.rows import read_rows, row_of
from sessions_app.serializers import EventBody, EventChange, NewEvent


class NothingCame(APIException):
    """Nothing came within the time to wait."""

    status_code = 504
    default_detail = "Request timed out"


class EventViewSet(ContractViewSet):
    """Events are the moments of a session, numbered from 0."""

    queryset = Event.objects.all()
    serializer_class = EventBody
    filter_backends = ()
    needs: ClassVar[dict[str, str]] = {
        "create": "sessions_app.add_event",
        "retrieve": "sessions_app.view_event",
        "partial_update": "sessions_app.change_event",
        "destroy_from": "sessions_app.delete_event",
    }
    public: ClassVar[dict[str, str]] = {"list": "read", "create": "post_message"}

    def public_scope(self) -> str | None:
        """Answer the scope; besides listing, anonymous callers may post what customers say."""
        if getattr(self, "action", None) != "create":
            return super().public_scope()
        body = self.peek()
        said = body is None or (body.get("kind") == Kind.MESSAGE and body.get("source") == Source.CUSTOMER)
        return "post_message" if said else None

    def needed(self) -> Needed | None:
        """Answer the permission: to speak to a customer as a human, or under the agent's name, is one of its own."""
        if getattr(self, "action", None) != "create":
            return super().needed()
        body = self.peek()
        if body is None or body.get("kind") != Kind.MESSAGE:
            return super().needed()
        return {
            Source.HUMAN_AGENT.value: "sessions_app.reply",
            Source.HUMAN_AGENT_ON_BEHALF_OF_AI_AGENT.value: "sessions_app.reply_as_agent",
        }.get(str(body.get("source")), "sessions_app.add_event")

    def session(self) -> Session:
        """Answer the session of the path."""
        found: Session = self.find(Session.objects.all(), self.kwargs["session_id"])
        return found

    def event(self) -> Event:
        """Answer the event of the path, which is found only under its own session."""
        session = self.session()
        event = session.events.filter(pk=self.kwargs["event_id"]).first()
        if event is None:
            raise NotFound("Event", self.kwargs["event_id"])
        return event

    @extend_schema(
        parameters=[EventQuery], responses={**answers(200, EventBody(many=True), refusals=(404, 504)), **STREAM}
    )
    def list(self, request: Request, session_id: str) -> Response:
        """List events by offset; 504 when none matches and none came within `wait_for_data` seconds."""
        query = self.query(EventQuery)
        offset, wanted = query.get("min_offset", 0), wanted_by(query)
        if query["sse"]:
            self.session()
            offset = max(offset, _after_last_event(request))
            return _later(request, Waiting(query["wait_for_data"], offset, wanted, is_stream=True))
        found = matching(Event.objects.filter(session_id=session_id), query)
        rows = read_rows(found)
        if not rows:
            session = self.session()
            if session.next_offset > offset:
                rows = read_rows(found)  # one may have come between the two looks
            if not rows and query["wait_for_data"]:
                offset = max(offset, session.next_offset)
                return _later(request, Waiting(query["wait_for_data"], offset, wanted, revision=session.revision))
        return Response(rows)

    @extend_schema(request=NewEvent, parameters=[PostingQuery], responses=answers(201, EventBody, refusals=(404,)))
    def create(self, request: Request, session_id: str) -> Response:
        """Post an event. What each kind needs, and from whom, is told when it is missing (422)."""
        moderation = Moderation(self.query(PostingQuery)["moderation"])
        given = self.body(NewEvent)
        post = partial(_post, self.find(Session.objects.select_related("customer", "agent"), session_id), given)
        if _says_something_as_customer(given) and is_moderated(moderation):
            waiting = Moderating(given["message"], moderation, lambda verdict: _posted(post(verdict)))
            if hand_over(request, waiting):  # whoever looks at messages may take long: no lane waits for it
                return Response()
            return _posted(post(async_to_sync(moderate)(given["message"], moderation)))
        event = post(UNFLAGGED)
        if given.get("guidelines") and event.kind == Kind.STATUS:
            wanted = Wanted(traces=frozenset({event.trace_id}))
            hand_over(request, Waiting(LONGEST, event.offset + 1, wanted))  # answered with what the agent says
        return _posted(event)

    @extend_schema(parameters=[EventWait], responses={**answers(200, EventBody, refusals=(404, 504)), **STREAM})
    def retrieve(self, request: Request, session_id: str, event_id: str) -> Response:
        """Read an event; a deleted one answers with `deleted: true`."""
        query = self.query(EventWait)
        event = self.event()
        if query["sse"]:
            return _later(request, Waiting(query["wait_for_data"], event_id=event_id, is_stream=True))
        if query["wait_for_completion"] and query["wait_for_data"] and is_growing(event.data):
            return _later(request, Waiting(query["wait_for_data"], event_id=event_id))
        return Response(row_of(event))

    @extend_schema(request=EventChange, responses=answers(200, EventBody, refusals=(404,)))
    def partial_update(self, request: Request, session_id: str, event_id: str) -> Response:
        """Change the metadata of an event: nothing else of it ever changes."""
        event = self.event()
        given = MetadataPatch.changes(self.body(EventChange).get("metadata"))
        event.amend_metadata(set=given["set_metadata"], unset=given["unset_metadata"])
        return Response(row_of(event))

    @extend_schema(parameters=[DeletionQuery], responses=answers(204, refusals=(404,)))
    def destroy_from(self, request: Request, session_id: str) -> Response:
        """Mark the events from an offset on as deleted; 422 when that would cut a trace in two."""
        query = self.query(DeletionQuery)
        self.session().delete_events_from(query["min_offset"])
        return Response(status=204)


def _says_something_as_customer(given: Mapping[str, Any]) -> bool:
    return bool(given["kind"] == Kind.MESSAGE and given["source"] == Source.CUSTOMER and given.get("message"))


def _post(session: Session, given: Mapping[str, Any], verdict: Verdict) -> Event:
    words = {"kind": Kind, "source": Source, "status": Status}
    named = {name: words[name](value) if name in words else value for name, value in given.items()}
    return post_event(session, verdict=verdict, **named)


def _posted(event: Event) -> Response:
    return Response(row_of(event), status=201)


def _after_last_event(request: Request) -> int:
    """Answer the offset after the last event that a client of a stream says it has; 0 when it says none."""
    last = request.headers.get("Last-Event-ID", "")
    return int(last) + 1 if last.isascii() and last.isdigit() and len(last) < 19 else 0


def _later(request: Request, waiting: Waiting) -> Response:
    """Let the request wait; the answer of the view is dropped. NothingCame where nobody can wait."""
    if not hand_over(request, waiting):
        raise NothingCame
    return Response()
