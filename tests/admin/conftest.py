"""What the console's tests share."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Permission, User
from django.core.cache import cache
from django.test import Client


@pytest.fixture(autouse=True)
def _fresh_cache() -> None:
    cache.clear()


@pytest.fixture
def operator(db: None) -> User:
    """A superuser."""
    return User.objects.create_superuser("mara", password="only for tests")


@pytest.fixture
def browser(operator: User) -> Client:
    """A signed-in superuser's browser."""
    client = Client()
    client.force_login(operator)
    return client


@pytest.fixture
def browser_of(db: None) -> Callable[..., Client]:
    """Make a browser of an operator who holds just these permissions, such as customers.view_customer."""

    def make(*permissions: str) -> Client:
        user = User.objects.create_user(f"user{User.objects.count()}", password="only for tests", is_staff=True)
        for each in permissions:
            app, codename = each.split(".")
            user.user_permissions.add(Permission.objects.get(content_type__app_label=app, codename=codename))
        client = Client()
        client.force_login(user)
        return client

    return make
