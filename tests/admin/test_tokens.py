"""API tokens in the console: shown once, revoked, and never for more than one may do oneself."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.test import Client
from knox.auth import TokenAuthentication
from knox.models import AuthToken
from rest_framework.exceptions import AuthenticationFailed

ADD = "/admin/knox/authtoken/add/"


def user_of(token: str) -> User:
    """Answer whose token it is, as REST asks."""
    return TokenAuthentication().authenticate_credentials(token.encode())[0]


@pytest.mark.django_db
def test_a_token_is_shown_once_and_revoked(browser: Client, operator: User) -> None:
    answer = browser.post(ADD, {"user": operator.pk, "days": 30})
    token = re.search(r"pst_[0-9a-f]+", answer.content.decode()).group()
    assert "no-store" in answer["Cache-Control"]
    assert user_of(token) == operator
    listed = browser.get("/admin/knox/authtoken/").content.decode()
    assert token not in listed
    kept = AuthToken.objects.get()
    assert kept.token_key in listed
    assert (kept.expiry - kept.created).days in (29, 30)
    delete = f"/admin/knox/authtoken/{kept.pk}/delete/"
    assert kept.token_key in browser.get(delete).content.decode()
    assert browser.post(delete, {"post": "yes"}).status_code == 302
    with pytest.raises(AuthenticationFailed):
        user_of(token)


@pytest.mark.django_db
@pytest.mark.parametrize("days", ["0", "-1", "99999", "x", ""])
def test_a_silly_span_is_refused(days: str, browser: Client, operator: User) -> None:
    assert browser.post(ADD, {"user": operator.pk, "days": days}).status_code == 200
    assert not AuthToken.objects.exists()


@pytest.mark.django_db
def test_nobody_makes_a_token_for_somebody_mightier(browser_of: Callable[..., Client], operator: User) -> None:
    browser = browser_of("knox.add_authtoken", "knox.view_authtoken")
    browser.post(ADD, {"user": operator.pk, "days": 1})
    assert not AuthToken.objects.exists()
    me = User.objects.exclude(pk=operator.pk).get()
    browser.post(ADD, {"user": me.pk, "days": 1})
    assert AuthToken.objects.get().user == me
