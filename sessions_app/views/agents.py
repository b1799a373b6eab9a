"""REST: agents."""

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from parlant_site.common.permissions import is_closed
from parlant_site.common.schema import answers
from parlant_site.common.views import ContractViewSet
from sessions_app.models import Agent
from sessions_app.serializers import AgentBody, AgentChange, NewAgent
from tags.models import Tag


class AgentViewSet(ContractViewSet):
    """Agents talk with customers."""

    queryset = Agent.objects.prefetch_related("tag_links")
    serializer_class = AgentBody
    needs: ClassVar[dict[str, str]] = {
        "list": "sessions_app.view_agent",
        "create": "sessions_app.add_agent",
        "partial_update": "sessions_app.change_agent",
        "destroy": "sessions_app.delete_agent",
    }
    public: ClassVar[dict[str, str]] = {"retrieve": "read"}

    def shown(self, agents: Any, *, many: bool = False) -> Any:
        """Answer what callers see; the language model's server only those who may view agents."""
        user = self.request.user
        context = {"shows_llm": not is_closed() or user.has_perm("sessions_app.view_agent")}
        return AgentBody(agents, many=many, context=context).data

    @extend_schema(responses=answers(200, AgentBody(many=True)))
    def list(self, request: Request) -> Response:
        """List agents, by creation."""
        return Response(self.shown(self.get_queryset(), many=True))

    @extend_schema(request=NewAgent, responses=answers(201, AgentBody, refusals=(404,)))
    def create(self, request: Request) -> Response:
        """Create an agent; 404 for an unknown tag, 422 when the id is taken."""
        given = self.body(NewAgent)
        tags = Tag.objects.with_ids(given.pop("tags", []))
        return Response(self.shown(Agent.create(tags=tags, **given)), status=201)

    @extend_schema(responses=answers(200, AgentBody, refusals=(404,)))
    def retrieve(self, request: Request, id: str) -> Response:
        """Read an agent."""
        return Response(self.shown(self.find(self.get_queryset(), id)))

    @extend_schema(request=AgentChange, responses=answers(200, AgentBody, refusals=(404,)))
    def partial_update(self, request: Request, id: str) -> Response:
        """Change an agent, all or nothing; 404 for an unknown tag and for one to remove that it does not bear."""
        agent = self.find(Agent.objects.all(), id)
        given: dict[str, Any] = self.body(AgentChange)
        tags = given.pop("tags", {})
        agent.amend(add_tags=tags.get("add", []), remove_tags=tags.get("remove", []), **given)
        return Response(self.shown(agent))

    @extend_schema(responses=answers(204, refusals=(404,)))
    def destroy(self, request: Request, id: str) -> Response:
        """Delete an agent; its sessions stay."""
        self.find(Agent.objects.all(), id).remove()
        return Response(status=204)
