"""Settings come from the environment, are documented, and a wrong one stops the start with a sentence."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from parlant_site.environment import Environment, documentation
from tests.processes import ROOT

KEY = "a key that only the tests know, long enough to be one"
PRODUCTION = {"PARLANT_ENV": "production", "PARLANT_SECRET_KEY": KEY, "PARLANT_ALLOWED_HOSTS": "parlant.example"}
SHOW = """
import json, django
from django.conf import settings
django.setup()
names = ("DEBUG", "ALLOWED_HOSTS", "SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE", "SECURE_SSL_REDIRECT",
         "PARLANT_POLICY", "CORS_ALLOW_ALL_ORIGINS", "CORS_ALLOWED_ORIGINS")
print(json.dumps({name: getattr(settings, name) for name in names}))
"""


def run(home: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a Python command in a process of its own with these settings only."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PARLANT_", "DJANGO_"))}
    return subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env={**clean, "DJANGO_SETTINGS_MODULE": "parlant_site.settings", "PARLANT_HOME": str(home), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_every_setting_stands_in_the_documentation() -> None:
    written = (ROOT / "docs" / "settings.md").read_text()
    assert documentation() in written
    assert len(Environment.model_fields) > 20


def test_only_the_environment_module_and_the_home_of_transient_databases_read_the_environment() -> None:
    # manage.py, asgi.py name the settings module; a transient database is handed to child processes.
    allowed = {"manage.py", "parlant_site/environment.py", "parlant_site/asgi.py", "parlant_site/databases.py"}
    readers = {
        str(path.relative_to(ROOT))
        for folder in ("parlant_site", "customers", "sessions_app", "tags")
        for path in (ROOT / folder).rglob("*.py")
        if "os.environ" in path.read_text() or "getenv" in path.read_text()
    }
    assert readers <= allowed


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("PARLANT_ENV", "prod", "PARLANT_ENV: Input should be 'development' or 'production' (it is 'prod')"),
        ("PARLANT_DATABASE_URL", "mysql://host/name", "postgres://user:password@host:5432/name"),
        ("PARLANT_DATABASE_URL", "sqlite:///:memory:", "A SQLite database needs a file"),
        ("PARLANT_DATABASE_URL", "postgres://host:99999/name", "PARLANT_DATABASE_URL"),
        ("PARLANT_DATABASE_URL", "postgres://host:5432/", "names no database"),
        ("PARLANT_CORS_ORIGINS", "shop.example", "'shop.example' is not an origin such as https://shop.example"),
        ("PARLANT_CSRF_TRUSTED_ORIGINS", "https://shop.example/path", "is not an origin"),
        ("PARLANT_RATE_READ", "often", "'often' is not a rate such as 60/min"),
        ("PARLANT_TRUSTED_PROXIES", "-1", "greater than or equal to 0"),
        ("PARLANT_TRUSTED_PROXIES", "one", "PARLANT_TRUSTED_PROXIES: Input should be a valid integer"),
        ("PARLANT_TIME_ZONE", "Mars/Base", "'Mars/Base' is not a time zone"),
        ("PARLANT_CHANNEL_LAYER_URL", "amqp://user:secret-word@host", "begins with redis://"),
        ("PARLANT_LANES", "0", "greater than or equal to 1"),
        ("PARLANT_LOG_LEVEL", "chatty", "PARLANT_LOG_LEVEL"),
        ("PARLANT_HTTPS", "perhaps", "PARLANT_HTTPS"),
        ("PARLANT_POLL_INTERVAL", "0", "PARLANT_POLL_INTERVAL"),
    ],
)
def test_a_wrong_value_stops_the_start_with_a_sentence(tmp_path: Path, name: str, value: str, sentence: str) -> None:
    ended = run(tmp_path, "manage.py", "check", **{name: value})
    assert ended.returncode != 0
    assert sentence in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "secret-word" not in ended.stderr


@pytest.mark.parametrize("missing", ["PARLANT_SECRET_KEY", "PARLANT_ALLOWED_HOSTS"])
def test_production_does_not_start_without_key_and_hosts(tmp_path: Path, missing: str) -> None:
    rest = {name: value for name, value in PRODUCTION.items() if name != missing}
    ended = run(tmp_path, "manage.py", "check", **rest)
    assert ended.returncode != 0
    assert f"{missing}: production needs" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_production_is_closed_and_secure(tmp_path: Path) -> None:
    ended = run(tmp_path, "-c", SHOW, **PRODUCTION)
    assert json.loads(ended.stdout) == {
        "DEBUG": False,
        "ALLOWED_HOSTS": ["parlant.example"],
        "SESSION_COOKIE_SECURE": True,
        "CSRF_COOKIE_SECURE": True,
        "SECURE_SSL_REDIRECT": True,
        "PARLANT_POLICY": "production",
        "CORS_ALLOW_ALL_ORIGINS": False,
        "CORS_ALLOWED_ORIGINS": [],
    }
    assert not (tmp_path / "secret-key").exists()


def test_production_passes_the_deployment_checks(tmp_path: Path) -> None:
    ended = run(tmp_path, "manage.py", "check", "--deploy", "--fail-level", "WARNING", **PRODUCTION)
    assert ended.returncode == 0, ended.stderr
    assert "parlant.I001" in ended.stderr  # several processes without a channel layer: said
    assert "WARNINGS" not in ended.stderr


def test_with_a_channel_layer_nothing_is_said_of_it(tmp_path: Path) -> None:
    layer = {"PARLANT_CHANNEL_LAYER_URL": "redis://127.0.0.1:6379/9"}
    ended = run(tmp_path, "manage.py", "check", "--deploy", **PRODUCTION, **layer)
    assert "parlant.I001" not in ended.stderr


def test_development_generates_one_secret_key_and_keeps_it(tmp_path: Path) -> None:
    show_key = "from parlant_site import settings; print(settings.SECRET_KEY)"
    first, second = (run(tmp_path, "-c", show_key).stdout for _ in range(2))
    assert first == second
    assert len(first.strip()) >= 50
    assert (tmp_path / "secret-key").stat().st_mode & 0o077 == 0
