"""Parlant's own clients, unmodified, in their documented loops."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import http.server
import json
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from parlant.client import AsyncParlantClient, ParlantClient
from parlant.client.core.api_error import ApiError
from playwright.sync_api import Page, expect, sync_playwright

from tests.processes import Server
from tests.realtime import official_clients
from tests.realtime.waiters import post, posted_after

pytestmark = pytest.mark.one_database
CHROMIUM = Path("/usr/bin/chromium")
SWITCHES = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
HUMAN = {"kind": "message", "source": "human_agent", "participant": {"id": "mara", "display_name": "Mara"}}


async def test_the_documented_loop_of_the_python_client(server: Server) -> None:
    client = AsyncParlantClient(base_url=server.url)
    agent = await client.agents.create(name="Iris")
    session = await client.sessions.create(agent_id=agent.id)
    event = await client.sessions.create_event(
        session_id=session.id, kind="message", source="customer", message="Hello, I need help with my order."
    )
    seen: list[Any] = []

    async def poll() -> None:
        offset = event.offset + 1
        while len(seen) < 5:
            new_events = await client.sessions.list_events(session_id=session.id, min_offset=offset, wait_for_data=60)
            seen.extend(new_events)
            offset = new_events[-1].offset + 1

    polling = asyncio.create_task(poll())
    async with httpx.AsyncClient(base_url=server.url) as human:
        for number in range(5):
            await asyncio.sleep(0.05)
            await human.post(f"/sessions/{session.id}/events", json={**HUMAN, "message": f"Answer {number}"})
    await asyncio.wait_for(polling, 20)
    assert [(one.offset, one.data["message"]) for one in seen] == [(n + 1, f"Answer {n}") for n in range(5)]


def test_the_python_client_is_told_that_nothing_came(client: ParlantClient, new_session: Callable[[], str]) -> None:
    with pytest.raises(ApiError) as refused:
        client.sessions.list_events(
            session_id=new_session(), min_offset=0, wait_for_data=1, request_options={"max_retries": 0}
        )
    assert refused.value.status_code == 504


@pytest.mark.timeout(400)
def test_the_loop_of_the_typescript_client(server: Server, http: httpx.Client, new_session: Callable[[], str]) -> None:
    clients = official_clients.installed()
    session = new_session()
    process = subprocess.Popen(
        ["node", "loop.mjs", server.url, session], cwd=clients, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    try:
        assert json.loads(process.stdout.readline()) == {"said": 0}
        for message in ("One moment", "Goodbye"):
            post(http, session, message, **HUMAN)
            line = json.loads(process.stdout.readline())
            assert (line["source"], line["message"]) == ("human_agent", message)
        assert process.wait(20) == 0
    finally:
        process.kill()


@contextlib.contextmanager
def site(directory: Path) -> Iterator[str]:
    """Serve a directory from an origin of its own."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: Any) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(directory))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def page(database: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    """A page in headless Chromium; skipped where there is none, but never in CI."""
    if not CHROMIUM.exists() and not os.environ.get("CI"):
        pytest.skip(f"there is no {CHROMIUM}")
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=SWITCHES)
        yield browser.new_page()
        browser.close()


def complaints(page: Page) -> list[str]:
    """Answer a list that fills with what goes wrong on the page; the widget's web font may be out of reach."""
    wrong: list[str] = []

    def note(what: str, url: str) -> None:
        if "//fonts.g" not in url:
            wrong.append(f"{what} {url}")

    page.on("console", lambda said: note(said.text, said.location["url"]) if said.type == "error" else None)
    page.on("pageerror", lambda error: note(str(error), ""))
    page.on("requestfailed", lambda request: note(str(request.failure), request.url))
    return wrong


@pytest.mark.timeout(400)
def test_the_widget_on_a_page_of_another_origin(
    server: Server, http: httpx.Client, new_session: Callable[[], str], page: Page
) -> None:
    official_clients.installed()
    session = new_session()
    wrong = complaints(page)
    with site(official_clients.PAGE) as shop:
        page.goto(f"{shop}/?server={server.url}&session={session}")
        box = page.get_by_role("textbox")
        box.fill("Is anybody there?")
        box.press("Enter")
        expect(page.get_by_text("Is anybody there?")).to_be_visible(timeout=10_000)
        with posted_after(0.2, http, session, "Yes, this is Mara.", **HUMAN):
            expect(page.get_by_text("Yes, this is Mara.")).to_be_visible(timeout=10_000)
        # And again: the widget has begun to wait anew.
        with posted_after(1, http, session, "What is your order number?", **HUMAN):
            expect(page.get_by_text("What is your order number?")).to_be_visible(timeout=10_000)
        assert not wrong, "; ".join(wrong)

        page.reload()
        for text in ("Is anybody there?", "Yes, this is Mara.", "What is your order number?"):
            expect(page.get_by_text(text)).to_be_visible(timeout=10_000)
    # A poll that was under way when the page was reloaded was cancelled by the browser; nothing else went wrong.
    assert [one for one in wrong if "ERR_ABORTED" not in one] == []
    events = http.get(f"/sessions/{session}/events", params={"wait_for_data": 0}).json()
    assert [event["source"] for event in events] == ["customer", "human_agent", "human_agent"]


FOLLOW = """
([url]) => new Promise((done, failed) => {
  const seen = [];
  const socket = new WebSocket(url, ["parlant"]);
  socket.onopen = () => socket.send(JSON.stringify({kind: "message", source: "customer", message: "From a browser"}));
  socket.onerror = () => failed(new Error("the socket failed"));
  socket.onmessage = ({data}) => {
    const frame = JSON.parse(data);
    if (frame.offset !== undefined) seen.push(frame.data.message);
    if (seen.length === 2) { socket.close(); done(seen); }
  };
})
"""


def test_a_browser_follows_and_posts_over_a_websocket(
    server: Server, http: httpx.Client, new_session: Callable[[], str], page: Page, tmp_path: Path
) -> None:
    session = new_session()
    wrong = complaints(page)
    (tmp_path / "index.html").write_text('<!doctype html><link rel="icon" href="data:,">')
    with site(tmp_path) as shop, posted_after(1, http, session, "From a human", **HUMAN):
        page.goto(shop)
        seen = page.evaluate(FOLLOW, [f"{server.url.replace('http', 'ws')}/ws/sessions/{session}"])
    assert seen == ["From a browser", "From a human"]
    assert wrong == []
