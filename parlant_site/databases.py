"""PARLANT_DATABASE_URL -> Django's DATABASES, with the options under which appending was measured."""

import atexit
import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import dj_database_url
from django.core.exceptions import ImproperlyConfigured

from parlant_site.environment import Environment

if TYPE_CHECKING:
    import psycopg

WHAT_TO_WRITE = (
    "Write sqlite:////absolute/path.sqlite3, postgres://user:password@host:5432/name, or transient"
    " in PARLANT_DATABASE_URL."
)


def databases(environment: Environment) -> dict[str, dict[str, Any]]:
    """Answer DATABASES for the environment; ImproperlyConfigured with what to write for an unusable URL."""
    url = environment.database_url
    if not url:
        with suppress(OSError):  # told in better words when the database is opened
            environment.home.mkdir(parents=True, exist_ok=True)
        return {"default": sqlite(environment.home / "parlant.sqlite3", environment)}
    if url == "transient":
        return {"default": sqlite(transient_directory() / "parlant.sqlite3", environment)}
    scheme = urlsplit(url).scheme
    if scheme == "sqlite":
        path = unquote(urlsplit(url).path)[1:]
        if not path or path == ":memory:":
            raise ImproperlyConfigured(f"A SQLite database needs a file. {WHAT_TO_WRITE}")
        return {"default": sqlite(Path(path), environment)}
    if scheme in ("postgres", "postgresql"):
        return {"default": postgresql(url, environment)}
    raise ImproperlyConfigured(f"PARLANT_DATABASE_URL does not say a database that is served. {WHAT_TO_WRITE}")


def transient_directory() -> Path:
    """Answer a directory that is gone when the process that made it ends; its children share it.

    A file, not `:memory:`: shared-cache memory databases ignore the busy timeout.
    """
    inherited = os.environ.get("PARLANT_TRANSIENT_DIRECTORY")
    if inherited and Path(inherited).is_dir():
        return Path(inherited)
    shm = Path("/dev/shm")
    parent = str(shm) if shm.is_dir() and os.access(shm, os.W_OK) else None
    made = Path(tempfile.mkdtemp(prefix="parlant-", dir=parent))
    os.environ["PARLANT_TRANSIENT_DIRECTORY"] = str(made)
    atexit.register(_remove, made, os.getpid())
    return made


def _remove(directory: Path, owner: int) -> None:
    if os.getpid() == owner:  # a forked child does not take it from its parent
        shutil.rmtree(directory, ignore_errors=True)


def sqlite(path: Path, environment: Environment) -> dict[str, Any]:
    """Answer the settings of a SQLite file: write-ahead log, and transactions that take the write lock at once."""
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(path.absolute()),
        # The application runs on lanes (see lanes.py), a few permanent threads: each keeps its connection.
        "CONN_MAX_AGE": None,
        "OPTIONS": {
            # A transaction that reads first and writes later fails at once under load unless it begins IMMEDIATE.
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": (
                "PRAGMA journal_mode=WAL;"
                f"PRAGMA synchronous={environment.sqlite_synchronous.upper()};"
                "PRAGMA mmap_size=134217728;"
                "PRAGMA journal_size_limit=27103364;"
                "PRAGMA cache_size=-8000;"
            ),
        },
        # Threads and processes of a test share a database only through a file.
        "TEST": {"NAME": str(path.absolute().parent / f"test_{path.name}")},
    }


def postgresql(url: str, environment: Environment) -> dict[str, Any]:
    """Answer the settings of a PostgreSQL database, with psycopg's pool and prepared statements."""
    try:
        parsed: dict[str, Any] = dict(dj_database_url.parse(url))
    except (ValueError, dj_database_url.ParseError) as error:
        raise ImproperlyConfigured(f"PARLANT_DATABASE_URL cannot be read ({error}). {WHAT_TO_WRITE}") from None
    if not parsed["NAME"]:
        raise ImproperlyConfigured(f"PARLANT_DATABASE_URL names no database. {WHAT_TO_WRITE}")
    options = {"connect_timeout": 5, **parsed.get("OPTIONS", {})}
    options |= {
        "server_side_binding": True,
        "prepare_threshold": 1,
        "pool": {"min_size": 1, "max_size": environment.database_pool_size, "timeout": 5},
    }
    return {**parsed, "CONN_MAX_AGE": 0, "CONN_HEALTH_CHECKS": False, "OPTIONS": options}


def described(settings: dict[str, Any]) -> str:
    """Answer which database some settings mean, for people, without its password."""
    if "sqlite" in settings["ENGINE"]:
        return f"SQLite {settings['NAME']}"
    return f"PostgreSQL {settings['NAME']} at {settings['HOST'] or 'localhost'}:{settings['PORT'] or 5432}"


def connect_once(database: str) -> "psycopg.Connection[Any]":
    """Answer a PostgreSQL connection made as Django makes its own, but without the pool.

    The pool tries again and again, and then says only that it took too long; this raises the reason at once.
    """
    import psycopg
    from django.db import connection

    parameters = {**connection.get_connection_params(), "dbname": database}
    for name in ("pool", "cursor_factory", "context", "prepare_threshold"):
        parameters.pop(name, None)
    return psycopg.connect(**parameters)


def reason_of(error: Exception) -> str:
    """Answer the line of a database's error that says what is wrong."""
    lines = str(error).strip().splitlines() or ["it does not answer"]
    return lines[0].removeprefix("connection failed: ")
