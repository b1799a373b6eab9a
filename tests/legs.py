"""One `pytest` tests on SQLite and, beside it, on PostgreSQL where it answers; a third process tests what is live.

Live are pages in a browser, and folders whose tests mostly wait for server processes and clients: on SQLite, too, but
in a process of their own, so that one waits while the other computes.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Generator
from typing import IO, Any

import pytest

LEG = "PARLANT_TEST_DATABASE"
POSTGRESQL, LIVE = "postgresql", "live"
TITLES = {POSTGRESQL: "the same tests on PostgreSQL", LIVE: "what is live, on SQLite"}
# A test that uses one of these fixtures talks to the database, and is worth running on each.
USES_THE_DATABASE = {"db", "transactional_db", "database"}
USES_A_BROWSER = "chromium"
LIVE_FOLDERS = {"engine", "realtime"}


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
        self.leg = os.environ.get(LEG)
        self.others: dict[str, tuple[subprocess.Popen[bytes], IO[bytes]]] = {}

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_cmdline_main(self, config: pytest.Config) -> Generator[None, Any, Any]:
        """Run the other legs beside this one and answer the worst of the exit codes."""
        option = config.option
        alone = option.collectonly or option.help or option.version or option.markers or option.usepdb
        if self.leg or alone or getattr(option, "showfixtures", False):
            return (yield)
        self.reason = postgresql_answers()
        for leg in [LIVE] if self.reason else [POSTGRESQL, LIVE]:
            self.others[leg] = _start(leg, config)
        codes = []
        try:
            codes.append((yield))
            codes += [child.wait() for child, _ in self.others.values()]
        except BaseException:
            for child, _ in self.others.values():
                child.terminate()
                child.wait()
            raise
        for leg, (_, output) in self.others.items():
            _show(TITLES[leg], output)
        ran = [int(code) for code in codes if code != pytest.ExitCode.NO_TESTS_COLLECTED]
        if not ran:
            return pytest.ExitCode.NO_TESTS_COLLECTED
        worst = max(ran, key=lambda code: code != 0)
        return worst or (1 if self.reason and os.environ.get("CI") else 0)

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Leave to each leg what it is for: PostgreSQL what depends on the database, and what is live to the third."""
        kept: list[pytest.Item] = []
        left: list[pytest.Item] = []
        for item in items:
            (kept if self._is_mine(item) else left).append(item)
        if left:
            config.hook.pytest_deselected(items=left)
            items[:] = kept

    def _is_mine(self, item: pytest.Item) -> bool:
        names = set(getattr(item, "fixturenames", ()))
        if self.leg == POSTGRESQL:
            uses = item.get_closest_marker("django_db") or names & USES_THE_DATABASE
            return bool(uses and not item.get_closest_marker("one_database"))
        is_live = USES_A_BROWSER in names or item.path.parent.name in LIVE_FOLDERS
        if self.leg == LIVE:
            return is_live
        return LIVE not in self.others or not is_live

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Say loudly that the second leg was not run."""
        if self.reason:
            terminalreporter.write_line(f"NOT TESTED on PostgreSQL: it does not answer ({self.reason})", red=True)


def _start(leg: str, config: pytest.Config) -> tuple[subprocess.Popen[bytes], IO[bytes]]:
    output = tempfile.TemporaryFile()  # noqa: SIM115  # read when the process has ended
    child = subprocess.Popen(
        [sys.executable, "-m", "pytest", *config.invocation_params.args, "-p", "no:cacheprovider"],
        env={**os.environ, LEG: leg},
        cwd=config.invocation_params.dir,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
    )
    return child, output


def _show(title: str, output: IO[bytes]) -> None:
    output.seek(0)
    print(f"\n=== {title} ===", flush=True)
    sys.stdout.flush()
    sys.stdout.buffer.write(output.read())
    sys.stdout.flush()
    output.close()
