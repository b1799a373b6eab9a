"""Each page of the admin and each call of the API, for each role: as who_may.txt says, which leaves nothing out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.admin.utils import quote
from django.contrib.auth.models import User
from django.core.cache import cache
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from knox.models import AuthToken

from customers.models import Customer, DataJob, Erasure, MetadataKey, Segment
from customers.parts import Conversations
from parlant_site.roles import ROLES
from sessions_app.models import Agent, CannedResponse, Session
from tags.models import Tag
from tests.data.test_roles import user_in

TABLE = Path(__file__).with_name("who_may.txt")
LETTERS = {"Viewer": "V", "Operator": "O", "Lead": "L", "Segment editor": "S", "Data steward": "D",
           "Privacy officer": "P", "Admin": "A", "no role": "-"}  # fmt: skip
# Pages for everybody who may sign in, and what Django serves beside pages.
FOR_ALL = {
    "index", "login", "logout", "password_change", "password_change_done", "jsi18n", "autocomplete", "app_list",
    "view_on_site",
}  # fmt: skip
QUERIES = {"customers_customer_bulk": "?action=tag"}

pytestmark = pytest.mark.one_database


def patterns(found: Any, prefix: str = "") -> Iterator[tuple[str, URLPattern]]:
    """Yield the patterns below a resolver, with what stands before them."""
    for each in found:
        if isinstance(each, URLResolver):
            yield from patterns(each.url_patterns, f"{prefix}{each.pattern}")
        else:
            yield f"{prefix}{each.pattern}", each


def calls() -> dict[str, tuple[str, str]]:
    """Answer method and address of each call of the API by the way it is written in the table."""
    made = {}
    for route, pattern in patterns(get_resolver().url_patterns):
        for method in (getattr(pattern.callback, "actions", None) or {}).keys() - {"head"}:
            shown = f"/{re.sub('<str:([a-z_]+)>', '{' + chr(92) + 'g<1>}', route)}"
            made[f"{method.upper()} {shown}"] = (method, re.sub(r"{[a-z_]+}", "none", shown))
    return made


def pages() -> dict[str, str]:
    """Answer the addresses of the admin's pages by name, of objects that exist."""
    made = {}
    for _, pattern in patterns(admin.site.urls[0]):
        if not pattern.name or pattern.name in FOR_ALL:
            continue
        key = "none"
        for model in apps.get_models():
            if pattern.name.startswith(f"{model._meta.app_label}_{model._meta.model_name}_"):
                row = model._default_manager.order_by("pk").first()
                key = quote(row.pk) if row else "none"
        names = list(pattern.pattern.converters)
        address = reverse(f"admin:{pattern.name}", args=[key] * len(names))
        made[pattern.name] = address + QUERIES.get(pattern.name, "")
    return made


@pytest.fixture
def people(db: None, settings: Any) -> dict[str, User]:
    """Make one of each role, who may sign in."""
    settings.PARLANT_POLICY = "production"
    cache.clear()
    made = {"no role": User.objects.create_user("nobody")} | {role: user_in(role) for role in ROLES}
    User.objects.update(is_staff=True)
    customer = Customer.register(id="ada", name="Ada")
    Customer.objects.filter(pk="guest").delete()  # whose pages refuse for other reasons
    Session.open(agent=Agent.create(id="iris", name="Iris"), customer=customer)
    CannedResponse.create(value="Hello")
    Tag.add(name="VIP")
    Segment.objects.create(id="listed", name="Listed", kind="static")
    DataJob.objects.create(kind="tag")
    MetadataKey.objects.create(key="plan")
    Erasure.write("eve", conversations=Conversations.DELETE, counts={})
    return made


def expected() -> dict[str, str]:
    lines = [line.rsplit(maxsplit=1) for line in TABLE.read_text().splitlines() if line and line[0] != "#"]
    return {what.strip(): who for what, who in lines}


def may(answer: Any, *statuses: int) -> bool:
    """Answer whether a request was not refused for want of a permission; what else it came to is no matter here."""
    assert answer.status_code in (200, 302, 403, 404, *statuses), (answer.request["PATH_INFO"], answer.status_code)
    return bool(answer.status_code != 403)


def test_every_page_and_call_is_for_those_whom_the_table_names(people: dict[str, User]) -> None:
    allowed: dict[str, list[str]] = {}
    for role, user in people.items():
        browser = Client()
        browser.force_login(user)
        _, token = AuthToken.objects.create(user)
        api = Client(headers={"Authorization": f"Bearer {token}"})
        for name, url in pages().items():
            answer = browser.get(url)
            if answer.status_code == 405:  # a button
                answer = browser.post(url)
            allowed.setdefault(name, []).extend(LETTERS[role] * may(answer))
        for name, (method, url) in calls().items():
            sent: dict[str, Any] = {} if method in ("get", "delete") else {"content_type": "application/json"}
            allowed.setdefault(name, []).extend(LETTERS[role] * may(getattr(api, method)(url, **sent), 204, 422))
    shown = {what: "".join(sorted(who, key="VOLSDPA-".index)) or "nobody" for what, who in allowed.items()}
    lines = "\n".join(f"{what:75} {who}" for what, who in sorted(shown.items()) if expected().get(what) != who)
    gone = sorted(expected().keys() - shown.keys())
    assert shown == expected(), f"{TABLE.name} should say:\n{lines}\nand nothing of: {gone}"
