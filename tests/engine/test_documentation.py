"""What docs/agents.md shows works as it stands there."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator

import pytest

from sessions_app.engine import leases, tools, turn
from sessions_app.moderation import LONGEST_SECONDS
from tests.processes import ROOT, Server, start_server
from tests.site.test_documents import blocks

DOCUMENT = ROOT / "docs" / "agents.md"


@pytest.fixture
def replying(database: None) -> Iterator[Server]:
    """A server in whose process agents reply."""
    with start_server(agents=True) as server:
        yield server


@pytest.mark.one_database
def test_the_curl_calls_work(replying: Server) -> None:
    calls = "\n".join(block for block in blocks(DOCUMENT, "sh") if "curl" in block)
    script = calls.replace("http://127.0.0.1:8800", replying.url).replace("curl -s", "curl -sS --fail-with-body")
    ended = subprocess.run(["bash", "-euc", script], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    for told in (
        "Hello! How can I help you?",
        "One moment, please.",
        '"state":"scheduled"',
        '"participants":["rosa","otto"]',
    ):
        assert told in ended.stdout, told


def test_the_programs_work(monkeypatch: pytest.MonkeyPatch) -> None:
    made: dict[str, tools.Tool] = {}
    monkeypatch.setattr(tools, "_tools", made)
    names: dict[str, object] = {}
    for program in blocks(DOCUMENT, "python"):
        exec(compile(program, str(DOCUMENT), "exec"), names)
    assert set(made) == {"get_customer_location", "find_order", "restart_machine"}
    assert made["find_order"].agents == {"Rosa"}
    assert set(made["restart_machine"].parameters.model_fields) == {"machine", "wait_seconds"}
    assert names["moderate"]("HELLO", True) == ["shouting"]  # type: ignore[operator]
    assert "shop" in names["INSTALLED_APPS"]  # type: ignore[operator]


def test_the_figures_are_those_of_the_code() -> None:
    said = DOCUMENT.read_text()
    assert f"lease of {leases.LEASE.seconds} seconds" in said
    assert f"longer than {LONGEST_SECONDS:g} seconds" in said
    assert f"longer than {tools.LONGEST_SECONDS:g} seconds" in said
    assert turn.MOST_ATTEMPTS == 3
    named = set(re.findall(r"PARLANT_[A-Z_]+", said))
    variables = {name for name in named if not name.startswith("PARLANT_LLM_API_KEY_")}  # agents' own, of any name
    assert variables <= set(re.findall(r"PARLANT_[A-Z_]+", (ROOT / "docs" / "settings.md").read_text()))
