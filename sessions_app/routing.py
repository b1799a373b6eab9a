"""Paths of the WebSockets."""

from typing import Any

from django.urls import path, re_path

from sessions_app.consumers import FollowAllSessions, FollowSession, Nowhere
from sessions_app.segment_socket import FollowSegments

# Typed loosely: Django's paths are typed for views, Channels lets them lead to ASGI applications.
_follow_all: Any = FollowAllSessions.as_asgi()
_follow: Any = FollowSession.as_asgi()
_follow_segments: Any = FollowSegments.as_asgi()
_nowhere: Any = Nowhere.as_asgi()

websocket_urlpatterns: list[Any] = [
    path("ws/sessions", _follow_all),
    path("ws/sessions/<str:session_id>", _follow),
    path("ws/segments", _follow_segments),
    re_path("", _nowhere),
]
