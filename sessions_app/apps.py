from django.apps import AppConfig


class SessionsAppConfig(AppConfig):
    """Agents, sessions and their ordered events."""

    name = "sessions_app"
    verbose_name = "Conversations"

    def ready(self) -> None:
        """Let the feed reach the other processes, and end all waiting when the process ends."""
        from parlant_site.common import lifecycle
        from sessions_app import bridge, feed, safety_net

        feed.on_publish(bridge.announce)
        feed.on_watch(bridge.listen)
        feed.on_watch(safety_net.begin)
        lifecycle.on_stop(feed.release)
