"""Paths of agents, canned responses, sessions and events."""

from django.urls import path

from parlant_site.common.routing import collection
from sessions_app.views.agents import AgentViewSet
from sessions_app.views.canned_responses import CannedResponseViewSet
from sessions_app.views.events import EventViewSet
from sessions_app.views.follow_ups import FollowUpViewSet
from sessions_app.views.sessions import SessionViewSet

urlpatterns = [
    *collection("agents", AgentViewSet),
    *collection("canned_responses", CannedResponseViewSet),
    *collection("sessions", SessionViewSet),
    *collection("sessions/<str:session_id>/follow_ups", FollowUpViewSet),
    path(
        "sessions/<str:session_id>/events",
        EventViewSet.as_view({"get": "list", "post": "create", "delete": "destroy_from"}),
    ),
    path(
        "sessions/<str:session_id>/events/<str:event_id>",
        EventViewSet.as_view({"get": "retrieve", "patch": "partial_update"}),
    ),
]
