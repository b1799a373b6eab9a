"""Who waits for what: wakes those who wait for a session when its events change. Knows no model; carries no data."""


def publish(session_id: str) -> None:
    """Say that the events of a session changed: whoever waits for it looks again. Callable from any thread."""
