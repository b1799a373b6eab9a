from django.apps import AppConfig


class SessionsAppConfig(AppConfig):
    """Agents, sessions and their ordered events."""

    name = "sessions_app"
    verbose_name = "Conversations"

    def ready(self) -> None:
        """Let the feed reach the other processes and agents reply, and end both when the process ends."""
        from parlant_site.common import lifecycle
        from sessions_app import (
            bridge,
            counting_days,
            feed,
            privacy,  # noqa: F401 - registers its part
            safety_net,
            segment_states,
        )

        feed.on_publish(bridge.announce)
        feed.on_watch(bridge.listen)
        feed.on_watch(safety_net.begin)
        lifecycle.on_stop(feed.release)
        lifecycle.on_stop(segment_states.release)
        lifecycle.on_start(_start_agents, role="agents")
        lifecycle.on_stop(_stop_agents)
        lifecycle.on_start(counting_days.worker.start, role="agents")
        lifecycle.on_stop(counting_days.worker.stop)


async def _start_agents() -> None:
    from sessions_app.engine.runner import RUNNER  # what only some processes need, only they import

    await RUNNER.start()


async def _stop_agents() -> None:
    import sys

    if runner := sys.modules.get("sessions_app.engine.runner"):
        await runner.RUNNER.stop()
