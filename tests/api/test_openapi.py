"""The OpenAPI document is there, complete and true; the page of it works without any other host."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from sessions_app.models import Session
from tests.api.shapes import shown
from tests.processes import Server

CHROMIUM = Path("/usr/bin/chromium")
SWITCHES = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
SWITCHES += ["--disable-component-update", "--disable-sync"]
METHODS = {
    "/customers": {"get", "post"},
    "/customers/{id}": {"get", "patch", "delete"},
    "/tags": {"get", "post"},
    "/tags/{id}": {"get", "patch", "delete"},
    "/agents": {"get", "post"},
    "/agents/{id}": {"get", "patch", "delete"},
    "/canned_responses": {"get", "post"},
    "/canned_responses/{id}": {"get", "patch", "delete"},
    "/sessions": {"get", "post", "delete"},
    "/sessions/{id}": {"get", "patch", "delete"},
    "/sessions/{session_id}/events": {"get", "post", "delete"},
    "/sessions/{session_id}/events/{event_id}": {"get", "patch"},
    "/sessions/{session_id}/follow_ups": {"get", "post"},
    "/sessions/{session_id}/follow_ups/{id}": {"get", "delete"},
}


def test_the_document_names_every_call_of_the_contract(http: httpx.Client) -> None:
    document = shown(http.get("/openapi.json"))
    assert document["openapi"].startswith("3.1")
    for path, methods in METHODS.items():
        operations = document["paths"][path]
        assert methods <= set(operations), path
        for method in methods:
            assert {"413", "422", "429"} <= set(operations[method]["responses"])
    assert document["paths"]["/customers"]["post"]["summary"] == "Register a customer"
    response = document["components"]["schemas"]["CannedResponseBody"]
    assert set(response["required"]) >= {"value", "fields", "signals", "field_dependencies", "purpose", "enabled"}
    assert "not known is not said" in response["properties"]["value"]["description"]
    assert all(operation["summary"] for each in document["paths"].values() for operation in each.values())
    ids = [operation["operationId"] for each in document["paths"].values() for operation in each.values()]
    assert len(ids) == len(set(ids))
    stream = document["paths"]["/sessions/{session_id}/events"]["get"]["responses"]["200"]["content"]
    assert set(stream) == {"application/json", "text/event-stream"}
    assert http.get("/openapi.json", headers={"Accept": "text/html"}).json() == document


@pytest.mark.one_database
def test_in_production_the_document_says_which_calls_need_a_token(production_server: Server) -> None:
    paths = httpx.get(f"{production_server.url}/openapi.json").json()["paths"]
    free = {
        (method, path)
        for path, operations in paths.items()
        for method, operation in operations.items()
        if {} in operation["security"]
    }
    assert free >= {
        ("get", "/agents/{id}"),
        ("post", "/sessions"),
        ("get", "/sessions/{id}"),
        ("get", "/sessions/{session_id}/events"),
        ("post", "/sessions/{session_id}/events"),
    }
    assert not {(method, path) for method, path in free if method in ("patch", "delete") or "customers" in path}


@pytest.mark.timeout(300)
def test_schemathesis_finds_no_lie_in_the_document(http: httpx.Client, session: Session, tmp_path: Path) -> None:
    """No 500, no undocumented status or media type, no answer against its schema, no bad input taken.

    What is valid by the schema may still break a rule (422), which positive_data_acceptance would not have.
    """
    settings = tmp_path / "schemathesis.toml"
    settings.write_text("[parameters]\nwait_for_data = 0\n")
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(settings), "run"]
    command += [f"{http.base_url}/openapi.json", "--max-examples", "3", "--seed", "1", "--request-timeout", "10"]
    command += ["--exclude-checks", "positive_data_acceptance", "--suppress-health-check", "all"]
    run = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, "NO_COLOR": "1"}, capture_output=True, text=True, timeout=280
    )
    assert run.returncode == 0, run.stdout[-6000:] + run.stderr[-2000:]
    generated = re.search(r"(\d+) generated, (\d+) passed", run.stdout)
    assert generated, run.stdout[-2000:]
    assert int(generated[1]) > 500


@pytest.mark.one_database
def test_the_page_shows_the_calls_without_any_other_host(
    server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from playwright.sync_api import expect, sync_playwright

    if not CHROMIUM.exists() and not os.environ.get("CI"):
        pytest.skip(f"there is no {CHROMIUM}")
    # Playwright's synchronous API keeps an event loop in this thread, which Django would not touch the database from.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
    wrong, hosts = [], set()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=SWITCHES)
        page = browser.new_page()
        page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
        page.on("response", lambda r: wrong.append(f"{r.status} {r.url}") if r.status >= 400 else None)
        page.goto(f"{server.url}/docs")
        expect(page.locator(".opblock").first).to_be_visible(timeout=30_000)
        expect(page.get_by_text("/sessions/{session_id}/events", exact=False).first).to_be_visible()
        shown_calls = page.locator(".opblock").count()
        if picture := os.environ.get("PARLANT_TEST_PICTURES"):
            page.screenshot(path=f"{picture}/docs.png")
        browser.close()
    assert wrong == []
    assert {host for host in hosts if host} == {urlsplit(server.url).netloc}
    assert shown_calls >= sum(map(len, METHODS.values()))


def test_the_page_and_its_assets_come_from_the_site(http: httpx.Client) -> None:
    page = http.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert set(re.findall(r"https?://([^/\"'\s]+)", page.text)) <= {"127.0.0.1"}
    for asset in re.findall(r'(?:src|href)="(/static/[^"]+)"', page.text):
        assert http.get(asset).status_code == 200, asset
