"""What the README shows works as it stands there."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import ROOT, Server

DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(document: Path, language: str) -> list[str]:
    """Answer the fenced blocks of a language."""
    return re.findall(rf"^```{language}\n(.*?)^```", document.read_text(), flags=re.M | re.S)


def test_the_readme_s_curl_calls_work(server: Server) -> None:
    calls = [block for block in blocks(ROOT / "README.md", "sh") if "curl" in block]
    script = "".join(line for block in calls for line in block.splitlines(keepends=True) if "manage.py" not in line)
    script = script.replace("http://127.0.0.1:8800", server.url).replace("curl -s", "curl -sS --fail-with-body")
    ended = subprocess.run(["bash", "-euc", script], capture_output=True, text=True, timeout=30, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert '"id":"alice"' in ended.stdout
    assert '"total_count":1' in ended.stdout
    assert '"text":"metadata.location = USA"' in ended.stdout
    assert ended.stdout.endswith('"name":"Alice","metadata":{"location":"USA"},"tags":[]}]')


def test_the_readme_s_client_works(server: Server) -> None:
    (example,) = blocks(ROOT / "README.md", "python")
    program = example.replace("http://127.0.0.1:8800", server.url)
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith("0 message customer {")
    assert "'message': 'Where is my order?'" in ended.stdout


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_what_a_document_links_to_is_there(document: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", document.read_text()):
        if "://" not in target:
            assert (document.parent / target).exists(), f"{document.name} links to {target}"
