"""Messages that somebody looks at before they are kept, in a real server process."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from django.db import connection
from pytest_django import DjangoDbBlocker
from pytest_django.fixtures import Settings

from sessions_app.events import Moderation
from sessions_app.models import Session
from sessions_app.moderation import UNFLAGGED, Verdict, moderate
from tests.api.shapes import invalid, refused, shown
from tests.conftest import empty_database
from tests.engine.conftest import wait_for
from tests.engine.model_server import ModelServer, model_server
from tests.processes import Server, start_server

LANES = 2


@pytest.fixture(scope="module")
def moderator() -> Iterator[ModelServer]:
    """A service that looks at messages."""
    with model_server() as server:
        yield server


@pytest.fixture(scope="module")
def _moderated(django_db_setup: None, django_db_blocker: DjangoDbBlocker, moderator: ModelServer) -> Iterator[Server]:
    environment = {
        "PARLANT_MODERATION": "openai",
        "PARLANT_LLM_BASE_URL": moderator.url,
        "PARLANT_LANES": str(LANES),
    }
    with start_server(**environment) as server:
        with django_db_blocker.unblock():
            empty_database()
            connection.close()
        yield server


@pytest.fixture
def moderated(database: None, _moderated: Server, moderator: ModelServer) -> Iterator[httpx.Client]:
    """A client of a server with few lanes that has messages looked at."""
    moderator.asked.clear()
    with httpx.Client(base_url=_moderated.url, timeout=20) as client:
        yield client
    moderator.gate.set()


def say(http: httpx.Client, session: Session, message: str, moderation: str = "auto", **more: Any) -> httpx.Response:
    """Post a customer's message."""
    body = {"kind": "message", "source": "customer", "message": message, **more}
    return http.post(f"/sessions/{session.pk}/events?moderation={moderation}", json=body)


@pytest.mark.one_database
def test_a_slow_moderator_delays_nobody_else(moderated: httpx.Client, moderator: ModelServer, session: Session) -> None:
    path = f"/sessions/{session.pk}"
    moderator.gate.clear()
    with ThreadPoolExecutor(4 * LANES) as pool:
        texts = [f"message {number}" for number in range(4 * LANES - 1)]
        posts = [pool.submit(say, moderated, session, text) for text in [*texts, "hate"]]
        wait_for(lambda: len(moderator.asked) == len(posts))
        # More wait for the moderator than there are lanes, and everybody else is served.
        shown(moderated.get(path))
        shown(say(moderated, session, "At once", "none"), 201)
        shown(moderated.patch(path, json={"title": "Still here"}))
        refused(
            moderated.post(
                "/sessions/nope/events?moderation=auto", json={"kind": "message", "source": "customer", "message": "A"}
            ),
            404,
        )
        assert not any(post.done() for post in posts)
        assert [event["data"]["message"] for event in shown(moderated.get(f"{path}/events"))] == ["At once"]
        moderator.gate.set()
        answered = [shown(post.result(), 201) for post in posts]
    assert {(one["data"]["message"], one["data"]["flagged"]) for one in answered} == {
        *((text, False) for text in texts),
        ("hate", True),
    }
    listed = shown(moderated.get(f"{path}/events"))
    assert sorted(listed, key=lambda one: one["offset"])[1:] == sorted(answered, key=lambda one: one["offset"])


def test_what_moderation_says_is_in_the_message(
    moderated: httpx.Client, moderator: ModelServer, session: Session
) -> None:
    flagged = shown(say(moderated, session, "Some hate", metadata={"a": 1}), 201)
    assert (flagged["data"]["flagged"], flagged["data"]["tags"], flagged["metadata"]) == (True, ["hate"], {"a": 1})
    passed = shown(say(moderated, session, "A rude word"), 201)
    assert (passed["data"]["flagged"], passed["data"]["tags"]) == (False, [])
    assert shown(say(moderated, session, "A rude word", "paranoid"), 201)["data"]["tags"] == ["harassment"]
    assert shown(say(moderated, session, "Some hate", "none"), 201)["data"]["flagged"] is False
    asked = len(moderator.asked)
    # What is refused, and what humans and applications say, is nobody's business.
    invalid(say(moderated, session, "Some hate", "strict"), ["query", "moderation"])
    invalid(say(moderated, session, "Some hate", metadata=5), ["body", "metadata"])
    refused(say(moderated, session, "Some hate", kind="tool"), 422)
    shown(say(moderated, session, "Some hate", source="human_agent", participant={"display_name": "Olga"}), 201)
    assert len(moderator.asked) == asked


def test_a_session_that_goes_while_the_moderator_thinks_is_told_of(
    moderated: httpx.Client, moderator: ModelServer, session: Session
) -> None:
    moderator.gate.clear()
    with ThreadPoolExecutor() as pool:
        post = pool.submit(say, moderated, session, "Hello")
        wait_for(lambda: moderator.asked)
        assert moderated.delete(f"/sessions/{session.pk}").status_code == 204
        moderator.gate.set()
        refused(post.result(), 404, session.pk)


def shout(message: str, is_strict: bool) -> list[str]:
    """Find what is written in capital letters."""
    if message == "broken":
        raise RuntimeError
    return ["shouting"] if message.isupper() else []


@pytest.mark.one_database
async def test_a_function_of_ones_own_may_look_at_messages(settings: Settings) -> None:
    settings.PARLANT_MODERATION = f"{__name__}.shout"
    assert await moderate("HELLO", Moderation.AUTO) == Verdict(True, ("shouting",))
    assert await moderate("Hello", Moderation.PARANOID) == UNFLAGGED
    assert await moderate("broken", Moderation.AUTO) == UNFLAGGED
    assert await moderate("broken", Moderation.PARANOID) == Verdict(True, ("moderation-unavailable",))
    settings.PARLANT_MODERATION = "no.such.function"
    assert await moderate("Hello", Moderation.AUTO) == UNFLAGGED
