"""API tokens: the database keeps a hash, so a token is seen once; its first characters, the key, name it afterwards.

django-rest-knox makes and checks them: hashed, expiring, several per user, revocable one by one. REST framework's own
tokens are none of that, and signed tokens (JWT) cannot be revoked before they expire.
"""

from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from knox.models import AuthToken
from knox.settings import CONSTANTS

from parlant_site.common.audit import Act, record

SHORTEST = 8


class NoSuchToken(LookupError):
    """There is no such token."""


class AmbiguousToken(LookupError):
    """Several tokens begin like that: write more of it."""


@transaction.atomic
def issue_token(user: Any, *, lifetime: timedelta | None) -> tuple[AuthToken, str]:
    """Answer a new token of a user and its secret text; without a lifetime it never expires."""
    token, text = AuthToken.objects.create(user=user, expiry=lifetime)
    record(Act.CHANGED, user, after={"token issued": token.token_key, "expires": _text(token.expiry)})
    return token, text


@transaction.atomic
def revoke_tokens(tokens: "QuerySet[AuthToken]") -> int:
    """Make tokens useless from now on; answer how many they were."""
    found = list(tokens.select_related("user"))
    for token in found:
        record(Act.CHANGED, token.user, before={"token issued": token.token_key, "expires": _text(token.expiry)})
        token.delete()
    return len(found)


def token_like(text: str) -> "QuerySet[AuthToken]":
    """Answer the one token whose key begins with a text, which may be the whole token.

    Raises NoSuchToken, or AmbiguousToken when several do.
    """
    found = AuthToken.objects.filter(token_key__startswith=text[: CONSTANTS.TOKEN_KEY_LENGTH])
    count = found.count() if len(text) >= SHORTEST else 0
    if count != 1:
        raise AmbiguousToken(AmbiguousToken.__doc__) if count else NoSuchToken(NoSuchToken.__doc__)
    return found


def _text(moment: datetime | None) -> str | None:
    return moment.isoformat(timespec="seconds") if moment else None
