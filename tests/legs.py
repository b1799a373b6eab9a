"""One `pytest` tests on SQLite, and beside it, where PostgreSQL answers, on PostgreSQL."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Generator
from typing import Any

import pytest

LEG = "PARLANT_TEST_DATABASE"
# A test that uses one of these fixtures talks to the database, and is worth running on each.
USES_THE_DATABASE = {"db", "transactional_db", "database"}


def postgresql_answers() -> str | None:
    """Answer None when PostgreSQL answers, else why not."""
    import psycopg

    url = os.environ.get("PARLANT_TEST_POSTGRESQL_URL", "postgres://postgres@127.0.0.1:5432/postgres")
    try:
        psycopg.connect(url, connect_timeout=3).close()
    except psycopg.Error as error:
        return str(error).strip().splitlines()[0]
    return None


class Legs:
    """The pytest plugin."""

    def __init__(self) -> None:
        self.reason: str | None = None

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_cmdline_main(self, config: pytest.Config) -> Generator[None, Any, Any]:
        """Run the second leg beside this one and answer the worse of the two exit codes."""
        option = config.option
        alone = option.collectonly or option.help or option.version or option.markers or option.usepdb
        if LEG in os.environ or alone or getattr(option, "showfixtures", False):
            return (yield)
        self.reason = postgresql_answers()
        if self.reason:
            code = yield
            return code or (1 if os.environ.get("CI") else 0)
        with tempfile.TemporaryFile() as output:
            child = subprocess.Popen(
                [sys.executable, "-m", "pytest", *config.invocation_params.args, "-p", "no:cacheprovider"],
                env={**os.environ, LEG: "postgresql"},
                cwd=config.invocation_params.dir,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
            try:
                code = yield
                second = child.wait()
            except BaseException:
                child.terminate()
                child.wait()
                raise
            output.seek(0)
            print("\n=== the same tests on PostgreSQL ===", flush=True)
            sys.stdout.flush()
            sys.stdout.buffer.write(output.read())
            sys.stdout.flush()
        nothing_selected = pytest.ExitCode.NO_TESTS_COLLECTED
        if second == nothing_selected:
            return code
        return second if code in (pytest.ExitCode.OK, nothing_selected) else code

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """On PostgreSQL leave out what was shown on SQLite and does not depend on the database."""
        if os.environ.get(LEG) != "postgresql":
            return
        kept, left = [], []
        for item in items:
            names = set(getattr(item, "fixturenames", ()))
            uses = item.get_closest_marker("django_db") or names & USES_THE_DATABASE
            (kept if uses and not item.get_closest_marker("one_database") else left).append(item)
        if left:
            config.hook.pytest_deselected(items=left)
            items[:] = kept

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Say loudly that the second leg was not run."""
        if self.reason:
            terminalreporter.write_line(f"NOT TESTED on PostgreSQL: it does not answer ({self.reason})", red=True)
