"""`manage.py revoke_token`."""

from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser
from knox.models import AuthToken

from parlant_site.tokens import revoke_tokens, token_like


class Command(BaseCommand):
    """The command."""

    help = "Revoke an API token, or all tokens of a user: they are refused from then on."

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the arguments."""
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("token", nargs="?", help="the token, or its key as list_tokens shows it")
        which.add_argument("--user", help="revoke all tokens of this user")

    def handle(self, *args: Any, token: str | None, user: str | None, **options: Any) -> None:
        """Revoke and say how many."""
        if user is not None:
            if not get_user_model()._default_manager.filter(username=user).exists():
                raise CommandError(f"There is no user {user!r}.")
            count = revoke_tokens(AuthToken.objects.filter(user__username=user))
        else:
            try:
                count = revoke_tokens(token_like(token or ""))
            except LookupError as error:
                raise CommandError(str(error)) from None
        self.stdout.write(f"Revoked {count} token{'' if count == 1 else 's'}.")
