"""Running manage.py commands: what a person can mend is said in a sentence, not in a traceback."""

import getpass
import logging
import os
import sys
from contextlib import AbstractContextManager, nullcontext

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line
from django.db import Error, OperationalError

from parlant_site.common.acting import Channel, acting

INTERRUPTED = 130
SERVERS = {"serve", "runserver", "run_agents"}


def run(arguments: list[str]) -> int:
    """Run a command and answer the exit code. `--traceback` shows where an error came from."""
    # The pool repeats every failed connection as a warning; the error that ends the command says it once.
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)
    try:
        with _acting(arguments[1:2]):
            execute_from_command_line(arguments)
    except ImproperlyConfigured as error:
        return _refuse(f"The settings are wrong.\n{error}", error, arguments)
    except Error as error:
        sentence = _what_the_database_lacks(error)
        if sentence is None:
            raise
        return _refuse(sentence, error, arguments)
    except KeyboardInterrupt:
        return INTERRUPTED
    return 0


def _acting(command: list[str]) -> AbstractContextManager[object]:
    """Let the audit say that whoever is signed in to the machine typed a command; servers act for others."""
    if command and command[0] in SERVERS:
        return nullcontext()
    try:
        name = getpass.getuser()
    except (OSError, KeyError):  # a container may run under a number that has no name
        name = str(os.getuid())
    return acting(channel=Channel.COMMAND, name=name)


def _what_the_database_lacks(error: Error) -> str | None:
    from django.conf import settings

    from parlant_site.databases import connect_once, described, reason_of

    text = str(error).strip()
    where = described(settings.DATABASES["default"])
    if "no such table" in text or ("relation" in text and "does not exist" in text):
        return f"The database {where} lacks tables. Run `manage.py migrate`, or `manage.py serve`, which does."
    if not isinstance(error, OperationalError):
        return None
    reason = reason_of(error)
    if "couldn't get a connection" in reason:
        try:
            connect_once(settings.DATABASES["default"]["NAME"]).close()
        except Exception as cause:
            reason = reason_of(cause)
    return f"The database {where} cannot be used: {reason}"


def _refuse(sentence: str, error: Exception, arguments: list[str]) -> int:
    if "--traceback" in arguments:
        raise error
    print(sentence, file=sys.stderr)
    return 1
