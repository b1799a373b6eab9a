"""`manage.py create_token USER`."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from parlant_site.tokens import issue_token

LONGEST = 36500


class Command(BaseCommand):
    """The command."""

    help = "Create an API token with the permissions of a user, and print it: the only time that it is seen."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        parser.add_argument("user", help="whose permissions the token has")
        until = parser.add_mutually_exclusive_group()
        until.add_argument("--expires", metavar="DAYS|DATE", help="in so many days, or on a date such as 2030-12-31")
        until.add_argument("--never", action="store_true", help="valid until it is revoked")

    def handle(self, *args: Any, user: str, expires: str | None, never: bool, **options: Any) -> None:
        """Print the token on standard output, and what to know about it on standard error."""
        found = get_user_model()._default_manager.filter(username=user).first()
        if found is None:
            raise CommandError(f"There is no user {user!r}. `manage.py createsuperuser` or the admin makes one.")
        if not found.is_active:
            raise CommandError(f"The user {user!r} is not active: no token of theirs would be accepted.")
        lifetime = None if never else _lifetime(expires or str(settings.PARLANT_TOKEN_DAYS))
        token, text = issue_token(found, lifetime=lifetime)
        until = f"expires {token.expiry:%Y-%m-%d %H:%M} UTC" if token.expiry else "never expires"
        self.stderr.write(f"Token {token.token_key} of {user}: {until}. It is shown only now:")
        self.stdout.write(text)


def _lifetime(text: str) -> timedelta:
    wanted = f"--expires {text}: write a number of days from 1 to {LONGEST}, or a date to come such as 2030-12-31"
    if text.isascii() and text.isdecimal():
        if not 1 <= int(text) <= LONGEST:
            raise CommandError(wanted)
        return timedelta(days=int(text))
    try:
        moment = datetime.fromisoformat(text)
        # A day alone means until that day is over.
        if moment.time() == time() and len(text) == len("2030-12-31"):
            moment = datetime.combine(date.fromisoformat(text) + timedelta(days=1), time())
        lifetime = (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - timezone.now()
    except (ValueError, OverflowError):
        raise CommandError(wanted) from None
    if not timedelta() < lifetime <= timedelta(days=LONGEST):
        raise CommandError(wanted)
    return lifetime
