"""What all pages of the console share: missing and forbidden pages, deletions, users and roles."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.test import Client
from knox.models import AuthToken

from customers.models import Customer
from parlant_site.common.audit import AuditEntry
from sessions_app.models import Agent, Session
from tags.models import Tag
from tests.admin.pages import text_of


@pytest.mark.parametrize("url", ["nowhere/", "customers/customer/bulk/?action=nothing", "tags/tag/x/y/"])
def test_a_page_that_is_missing_is_said_inside_the_console(browser: Client, url: str) -> None:
    answer = browser.get(f"/admin/{url}", follow=True)
    shown = text_of(answer.content)
    assert "There is no such page" in shown or "Tag with ID “x/y” doesn’t exist" in shown
    assert b'class="menu"' in answer.content
    assert browser.get("/admin/nowhere/").status_code == 404
    assert browser.get("/admin/customers/")["Location"] == "/admin/"


def test_a_page_that_is_not_hers_is_said_inside_the_console(browser_of: Callable[..., Client]) -> None:
    answer = browser_of("tags.view_tag").get("/admin/customers/customer/")
    assert answer.status_code == 403
    assert "You may not open this page" in text_of(answer.content)
    assert b'href="/admin/tags/tag/"' in answer.content


def test_what_goes_wrong_in_the_console_is_said_in_its_look_without_inner_text(
    browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(request: Any) -> None:
        raise ValueError("secret inner text")

    monkeypatch.setattr("parlant_site.home.home", fail)
    browser.raise_request_exception = False
    failed = browser.get("/admin/")
    assert (failed.status_code, b"secret" in failed.content) == (500, False)
    assert "Something went wrong here" in text_of(failed.content)
    refused = browser.get("/admin/", headers={"host": "bad host"})
    assert refused.status_code == 400
    assert "This request could not be read" in text_of(refused.content)
    for answer in (failed, refused):
        assert b"parlant_site/console.css" in answer.content


def test_a_form_that_is_out_of_date_says_so_inside_the_console(operator: User) -> None:
    careful = Client(enforce_csrf_checks=True)
    careful.force_login(operator)
    answer = careful.post("/admin/tags/tag/add/", {"name": "VIP"})
    assert answer.status_code == 403
    assert "This page is out of date Nothing was done." in text_of(answer.content)
    assert b"<style" not in answer.content
    assert not Tag.objects.exists()
    assert Client(enforce_csrf_checks=True).post("/admin/login/", {}).status_code == 403


def test_a_file_that_is_too_large_is_refused_inside_the_console(operator: User, settings: Any) -> None:
    settings.PARLANT_MAX_UPLOAD_BYTES = 2048
    careful = Client(enforce_csrf_checks=True)
    careful.force_login(operator)
    sent = {"file": "x" * 4096}
    url = "/admin/customers/datajob/upload/"
    answer = careful.post(url, sent, headers={"Accept": "text/html,application/xml;q=0.9,*/*;q=0.8"})
    assert answer.status_code == 413
    shown = text_of(answer.content)
    assert "The file is too large Nothing was done: up to 2.0" in shown.replace("\xa0", " ")
    assert "manage.py import_customers" in shown
    assert b'class="menu"' in answer.content
    for accept in ("*/*", "application/json"):
        answer = careful.post(url, sent, headers={"Accept": accept})
        assert (answer.status_code, answer.json()) == (413, {"detail": "The body is larger than 2048 bytes"})
    api = Client().post("/customers", b"x" * 2_000_000, "application/json", headers={"Accept": "text/html"})
    assert api.json() == {"detail": "The body is larger than 1048576 bytes"}


def test_who_did_not_sign_in_learns_nothing_of_what_is_there(db: None) -> None:
    for url in ("/admin/nowhere/", "/admin/tags/tag/"):
        assert Client().get(url)["Location"] == f"/admin/login/?next={url}"


def test_an_object_that_is_missing_leads_to_its_list(browser: Client, browser_of: Callable[..., Client]) -> None:
    assert browser.get("/admin/tags/tag/none/change/")["Location"] == "/admin/tags/tag/"
    assert browser.get("/admin/customers/customer/none/timeline/")["Location"] == "/admin/customers/customer/"
    assert browser.get("/admin/customers/segment/none/delete/")["Location"] == "/admin/customers/segment/"


def test_deleting_says_what_becomes_of_the_rest(browser: Client, operator: User) -> None:
    Customer.register(id="ann", name="Ann <b>")
    asked = browser.get("/admin/customers/customer/ann/delete/").content
    assert "The conversations stay, under her id; to remove those, too, erase her instead." in text_of(asked)
    assert b"<bdi>Ann &lt;b&gt;</bdi>" in asked
    assert b'href="/admin/customers/customer/ann/timeline/"' in asked
    browser.post("/admin/customers/customer/ann/delete/", {"post": "yes"})
    assert not Customer.objects.filter(pk="ann").exists()
    token, _text = AuthToken.objects.create(operator)
    asked = browser.get(f"/admin/knox/authtoken/{token.pk}/delete/").content
    assert f"Revoke: {token.token_key}…" in text_of(asked)
    assert b'href="/admin/knox/authtoken/"' in asked
    agent = Agent.create(name="Quill")
    session = Session.open(agent=agent, customer=Customer.guest())
    assert "All that was said goes with it" in text_of(
        browser.get(f"/admin/sessions_app/session/{session.pk}/delete/").content
    )


def test_nobody_else_deletes_a_superuser(browser_of: Callable[..., Client]) -> None:
    boss = User.objects.create_superuser("boss")
    admin = browser_of("auth.view_user", "auth.delete_user", "auth.change_user")
    assert admin.get(f"/admin/auth/user/{boss.pk}/delete/").status_code == 403


def users_listed(browser: Client, query: str = "") -> list[str]:
    """Answer the names of the users whom the list shows."""
    return [user.username for user in browser.get(f"/admin/auth/user/?{query}").context["listing"].page.rows]


def test_users_are_found_by_name_role_and_state(browser: Client, operator: User) -> None:
    lead = Group.objects.get(name="Lead")
    User.objects.create_user("ines", first_name="Inès", email="i@example.com", is_staff=True).groups.add(lead)
    User.objects.create_user("app")
    User.objects.create_user("gone", is_active=False)
    url = "/admin/auth/user/"
    assert users_listed(browser) == ["app", "gone", "ines", operator.username]
    assert users_listed(browser, "q=inès") == ["ines"]
    assert users_listed(browser, f"role={lead.pk}") == ["ines"]
    assert users_listed(browser, "state=off") == ["gone"]
    assert users_listed(browser, "state=all") == [operator.username]
    assert set(users_listed(browser, "state=operator")) == {"ines", operator.username}
    for nonsense in ("role=x", "role=99999999999999999999", "state=%00", "order=seen&after=x"):
        assert browser.get(f"{url}?{nonsense}").status_code == 200
    shown = text_of(browser.get(url).content)
    assert "app – – Only over REST" in shown
    assert "Inès i@example.com Lead May sign in" in shown
    assert "Lead 1" in text_of(browser.get("/admin/auth/group/").content)


def test_a_user_is_made_given_roles_and_deleted(browser: Client, browser_of: Callable[..., Client]) -> None:
    sent = {"username": "new", "usable_password": "true", "password1": "long enough 1", "password2": "long enough 1"}
    made = browser.post("/admin/auth/user/add/", sent)
    user = User.objects.get(username="new")
    assert made["Location"] == f"/admin/auth/user/{user.pk}/change/"
    role = Group.objects.get(name="Viewer")
    page = f"/admin/auth/user/{user.pk}/change/"
    for kept in (
        "Set, and kept so that nobody can read it Reset password",
        "None: signs in with tokens alone Set password",
    ):
        shown = text_of(browser.get(page).content)
        assert f"Password: {kept} Person" in shown
        user.set_unusable_password()
        user.save()
    shown = text_of(browser_of("auth.view_user").get(page).content)
    assert "Username: new" in shown
    assert "First name: – Last name: –" in shown
    assert "Roles: A user may do what any of the roles may do." in shown
    assert "Password" not in shown
    changed = {"username": "new", "is_active": "on", "is_staff": "on", "groups": [role.pk]}
    browser.post(f"/admin/auth/user/{user.pk}/change/", changed)
    assert [*user.groups.all()] == [role]
    log = text_of(browser.get(f"/admin/auth/user/{user.pk}/history/").content)
    assert "Changed" in log
    browser.post(f"/admin/auth/user/{user.pk}/delete/", {"post": "yes"})
    assert not User.objects.filter(username="new").exists()


def test_a_role_keeps_the_permissions_that_are_not_offered(browser: Client) -> None:
    role = Group.objects.create(name="Odd")
    part = Permission.objects.get(codename="add_customertag")
    look, merge = Permission.objects.get(codename="view_customer"), Permission.objects.get(codename="merge")
    role.permissions.add(part, look)
    url = f"/admin/auth/group/{role.pk}/change/"
    shown = text_of(browser.get(url).content)
    assert "Customer View Add Change Delete Import customers" in shown
    assert "customer tag" not in shown.lower()
    browser.post(url, {"name": "Odd", "permissions": [merge.pk]})
    assert {*role.permissions.all()} == {part, merge}
    assert browser.post("/admin/auth/group/add/", {"name": "Even", "permissions": [look.pk]}).status_code == 302
    assert [*Group.objects.get(name="Even").permissions.all()] == [look]


def test_those_who_may_only_look_read_the_labels_of_the_form(browser_of: Callable[..., Client]) -> None:
    Agent.create(id="quill", name="Quill")
    shown = text_of(browser_of("sessions_app.view_agent").get("/admin/sessions_app/agent/quill/change/").content)
    assert "Rounds of tools: 3" in shown
    assert "PARLANT_" not in shown


def test_the_history_of_an_object_is_its_audit(browser: Client, browser_of: Callable[..., Client]) -> None:
    tag = Tag.add(name="VIP")
    answer = browser.get(f"/admin/tags/tag/{tag.pk}/history/")
    assert answer["Location"] == f"/admin/parlant_site/auditentry/?kind=tag&object={tag.pk}"
    assert AuditEntry.objects.filter(kind="tag", object_id=tag.pk).exists()
    assert browser_of("tags.view_tag").get(f"/admin/tags/tag/{tag.pk}/history/").status_code == 403
