from django.apps import AppConfig


class SessionsAppConfig(AppConfig):
    """Agents, sessions and their ordered events."""

    name = "sessions_app"
    verbose_name = "Conversations"
