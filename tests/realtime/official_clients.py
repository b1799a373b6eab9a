"""The official npm packages, installed once beside this file (git-ignored)."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

CLIENTS = Path(__file__).parent / "clients"
MODULES = CLIENTS / "node_modules"
PAGE = MODULES / ".page"


def installed() -> Path:
    """Install what clients/package.json names, unless it is; skips without npm, but never in CI."""
    if not shutil.which("npm"):
        if os.environ.get("CI"):
            pytest.fail("npm is not installed")
        pytest.skip("npm is not installed")
    made_of = b"".join((CLIENTS / name).read_bytes() for name in ("package.json", "chat.jsx"))
    wanted = hashlib.sha256(made_of).hexdigest()
    stamp = MODULES / ".installed"
    if not stamp.exists() or stamp.read_text() != wanted:
        run("npm", "install", "--no-audit", "--no-fund", "--no-package-lock")
        bundle()
        stamp.write_text(wanted)
    return CLIENTS


def bundle() -> None:
    """Make one script of the page with the widget."""
    run(
        "node_modules/.bin/esbuild",
        "chat.jsx",
        "--bundle",
        "--jsx=automatic",
        "--define:process.env.NODE_ENV='production'",
        f"--outfile={PAGE}/chat.js",
    )
    (PAGE / "index.html").write_text(
        '<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><link rel="stylesheet" href="chat.css">'
        '<div id="root"></div><script src="chat.js"></script>'
    )


def run(*command: str) -> None:
    """Run a command among the clients."""
    done = subprocess.run(command, cwd=CLIENTS, capture_output=True, text=True, timeout=300)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}:\n{done.stdout}\n{done.stderr}")
