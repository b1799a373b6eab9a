"""Those who wait, and those who post meanwhile."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import httpx


def post(http: httpx.Client, session: str, message: str = "", **body: Any) -> dict[str, Any]:
    """Post an event (a customer's message unless told otherwise) and answer it."""
    body = body or {"kind": "message", "source": "customer"}
    if message:
        body["message"] = message
    answer = http.post(f"/sessions/{session}/events", json=body)
    assert answer.status_code == 201, answer.text
    event: dict[str, Any] = answer.json()
    return event


@contextlib.contextmanager
def posted_after(seconds: float, http: httpx.Client, session: str, message: str = "", **body: Any) -> Iterator[None]:
    """Post an event a little later, while the block waits for it."""
    timer = threading.Timer(seconds, post, [http, session, message], body)
    timer.start()
    try:
        yield
    finally:
        timer.join()
