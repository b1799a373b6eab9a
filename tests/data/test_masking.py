"""Personal values are masked for whoever lacks view_pii, wherever metadata are shown or looked for."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.core.management import call_command
from django.test import Client
from django.utils import timezone
from knox.models import AuthToken

from customers.insight import catalogue, remembering
from customers.insight.catalogue import keep_current
from customers.jobs.running import claim, run
from customers.jobs.starting import start
from customers.models import Customer, MetadataKey
from customers.rules.explaining import explain
from customers.rules.faces import read_text
from customers.rules.periods import Moment
from customers.segments.editing import make
from customers.selection import Selection
from parlant_site.common.acting import Channel, acting
from parlant_site.common.audit import AuditEntry
from parlant_site.common.personal import ALL, MASK, sight
from sessions_app.models import Agent, Session
from tests.admin.pages import metadata_fields, text_of
from tests.admin.test_imports import body_of
from tests.data.test_roles import user_in

SECRET = "ada@lovelace.example"


@pytest.fixture(autouse=True)
def ada(db: None, settings: Any) -> Customer:
    settings.PARLANT_POLICY = "production"
    settings.PARLANT_PII_KEYS = ["email", "phone", 'a "quoted" key']
    with acting(channel=Channel.REST):
        ada = Customer.register(id="ada", name="Ada", metadata={"plan": "pro", "email": "old@lovelace.example"})
        return ada.amend(set_metadata={"email": SECRET, 'a "quoted" key': "quaint"})


def admin_of(role: str, *more: str) -> Client:
    from django.contrib.auth.models import Permission

    user = user_in(role)
    user.is_staff = True
    user.save()
    user.user_permissions.set(Permission.objects.filter(codename__in=more))
    client = Client()
    client.force_login(user)
    return client


def api_of(role: str, *more: str) -> Client:
    return api_beside(admin_of(role, *more))


def api_beside(client: Client) -> Client:
    user_id = int(client.session["_auth_user_id"])
    from django.contrib.auth.models import User

    _, token = AuthToken.objects.create(User.objects.get(pk=user_id))
    return Client(headers={"Authorization": f"Bearer {token}"})


PAGES = [
    "/admin/customers/customer/?columns=1&key=email&key=plan",
    "/admin/customers/customer/ada/change/",
    "/admin/customers/customer/ada/timeline/",
    "/admin/parlant_site/auditentry/",
]


@pytest.mark.parametrize("url", PAGES)
def test_pages_show_masks_to_those_without_the_permission(url: str) -> None:
    masked = admin_of("Viewer", "view_auditentry").get(url, follow=True)
    assert masked.status_code == 200
    assert "lovelace.example" not in masked.content.decode()
    assert "quaint" not in masked.content.decode()
    assert MASK in masked.content.decode()
    assert "pro" in text_of(masked.content)
    seen = admin_of("Data steward").get(url, follow=True)
    assert SECRET in seen.content.decode()
    assert MASK not in seen.content.decode()


def test_what_stands_beside_a_conversation_is_masked(ada: Customer) -> None:
    session = Session.open(agent=Agent.create(name="Iris"), customer=ada)
    page = f"/admin/sessions_app/session/{session.pk}/change/"
    masked = admin_of("Viewer").get(page).content.decode()
    assert "lovelace.example" not in masked
    assert MASK in masked
    assert SECRET in admin_of("Operator").get(page).content.decode()


def test_rest_shows_masks_to_those_without_the_permission() -> None:
    viewer, operator = api_of("Viewer"), api_of("Operator")
    assert viewer.get("/customers/ada").json()["metadata"] == {"plan": "pro", "email": MASK, 'a "quoted" key': MASK}
    assert SECRET not in viewer.get("/customers").content.decode()
    assert operator.get("/customers/ada").json()["metadata"]["email"] == SECRET


@pytest.mark.parametrize("word", ["lovelace", SECRET, "quaint", "old@"])
def test_nobody_finds_by_what_is_masked_for_her(word: str) -> None:
    url = "/admin/customers/customer/"
    assert not admin_of("Viewer").get(url, {"q": word}).context["listing"].page.rows
    found = admin_of("Operator").get(url, {"q": word}).context["listing"].page.rows
    assert [row.pk for row in found] == ([] if word == "old@" else ["ada"])


@pytest.mark.parametrize("word", ["ada", "PRO", "plan", "Ada pro"])
def test_what_is_not_masked_is_found_as_ever(word: str) -> None:
    found = admin_of("Viewer").get("/admin/customers/customer/", {"q": word}).context["listing"].page.rows
    assert [row.pk for row in found] == ["ada"]


def test_a_mask_that_is_sent_back_does_not_overwrite_what_it_stood_for() -> None:
    editor = api_of("Viewer", "change_customer")
    read = editor.get("/customers/ada").json()["metadata"]
    body = {"metadata": {"set": {**read, "plan": "free"}}}
    answer = editor.patch("/customers/ada", body, content_type="application/json")
    assert answer.status_code == 200
    assert answer.json()["metadata"]["email"] == MASK
    assert Customer.objects.get(pk="ada").metadata == {"plan": "free", "email": SECRET, 'a "quoted" key': "quaint"}


@pytest.mark.parametrize("change", [{"set": {"email": "eve@example.com"}}, {"unset": ["email"]}, {"remove": ["email"]}])
def test_nobody_writes_over_what_is_masked_for_her(change: dict[str, Any]) -> None:
    editor = api_of("Viewer", "change_customer")
    answer = editor.patch("/customers/ada", {"name": "A", "metadata": change}, content_type="application/json")
    assert answer.status_code == 422
    assert "Personal data" in answer.content.decode()
    assert Customer.objects.get(pk="ada").metadata["email"] == SECRET
    assert Customer.objects.get(pk="ada").name != "A"


def test_the_form_neither_shows_nor_loses_nor_overwrites_personal_values() -> None:
    editor = admin_of("Viewer", "change_customer")
    url = "/admin/customers/customer/ada/change/"
    page = editor.get(url)
    assert SECRET not in page.content.decode()
    assert "email" in text_of(page.content)
    shown = page.context["adminform"].form["metadata"].value()
    assert shown == {"plan": "pro"}
    sent = {"name": "Ada L.", "tags_shown": "[]", **metadata_fields([("plan", "free")], shown='{"plan": "pro"}')}
    assert editor.post(url, sent).status_code == 302
    assert Customer.objects.get(pk="ada").metadata["email"] == SECRET
    assert Customer.objects.get(pk="ada").metadata["plan"] == "free"
    sent = {**sent, **metadata_fields([("plan", "free"), ("email", "mine")], shown='{"plan": "free"}')}
    assert editor.post(url, sent).status_code == 200
    assert Customer.objects.get(pk="ada").metadata["email"] == SECRET


def test_explanations_mask_what_the_rule_asks_of_personal_values() -> None:
    rule = read_text(f'metadata.email = "{SECRET}x" and metadata.plan = "pro"')
    with acting(channel=Channel.ADMIN, user=user_in("Viewer")):
        email, plan = (
            part.to_json() for part in explain(rule, "ada", Moment(timezone.now(), ZoneInfo("UTC"))).leaves()
        )
    assert (email["value"], email["actual"], email["distance"], email["holds"]) == (MASK, MASK, None, False)
    assert plan["actual"] == "pro"


def test_the_system_and_its_commands_see_all_and_who_is_unknown_sees_masks() -> None:
    assert sight() == ALL
    with acting(channel=Channel.COMMAND, name="root"):
        assert sight() == ALL
    for channel in (Channel.REST, Channel.WEBSOCKET, Channel.ADMIN):
        with acting(channel=channel):
            assert sight().metadata({"email": "a", "plan": "b"}) == {"email": MASK, "plan": "b"}
    with acting(channel=Channel.ADMIN, user=user_in("Operator")):
        assert sight() == ALL


def test_under_the_open_policy_the_api_shows_everything(settings: Any) -> None:
    settings.PARLANT_POLICY = "development"
    assert Client().get("/customers/ada").json()["metadata"]["email"] == SECRET


def test_the_audit_keeps_what_it_masks() -> None:
    entry = AuditEntry.objects.about("customer", "ada").first()
    assert entry is not None
    assert (entry.after or {})["metadata"]["email"] == SECRET


RULES = {
    "text": f'metadata.email = "{SECRET}" and metadata.plan = pro',
    "list": f'metadata.email in ("{SECRET}", "other")',
    "pattern": 'not metadata.email matches "ada@lovelace.example"',
    "number": "metadata.phone > 4930123",
    "range": "metadata.phone between 4930123 and 4930124",
    "days": "metadata.phone between 1815-12-10 and 1816-01-01",
}


@pytest.mark.parametrize("text", RULES.values(), ids=RULES)
def test_what_a_rule_says_of_personal_keys_is_masked(text: str) -> None:
    segment = make(name="Hers", rule=read_text(text))
    browser = admin_of("Segment editor", "view_auditentry")
    seen, unseen = api_of("Admin"), api_beside(browser)
    hidden = ("lovelace", "4930123", "1815")
    whole, blind = seen.get(f"/segments/{segment.pk}").json(), unseen.get(f"/segments/{segment.pk}").json()
    assert any(secret in whole["text"] for secret in hidden)
    assert whole["rule"] == segment.rule
    paths = ["change/", "rule/", "edit/", "explain/?customer=ada", "near/"]
    pages = [f"/admin/customers/segment/{segment.pk}/{path}" for path in paths]
    shown = [str(blind), *(str(unseen.get(f"/segments/{segment.pk}/{part}?customer_id=ada").content) for part in PARTS)]
    for page in [*pages, "/admin/parlant_site/auditentry/", "/admin/customers/segment/"]:
        answer = browser.get(page)
        assert answer.status_code == 200, page
        shown.append(answer.content.decode())
    for answer_text in shown:
        assert not any(secret in answer_text for secret in hidden), answer_text
    assert MASK in blind["text"]
    assert MASK in blind["sentence"]
    refused = unseen.patch(f"/segments/{segment.pk}", {"rule": blind["rule"]}, content_type="application/json")
    assert refused.status_code == 422, "a mask is not written over what it stands for"


PARTS = ("explain", "near_misses")


@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume")
def test_jobs_of_others_tell_no_personal_values(tmp_path: Path, settings: Any) -> None:
    settings.MEDIA_ROOT = tmp_path
    boss = user_in("Admin")
    jobs = []
    with acting(channel=Channel.ADMIN, user=boss):
        for query in ({"q": f'metadata.email = "{SECRET}"'}, {"search": SECRET}, {}):
            selection = Selection.matching(query)
            jobs.append(start("export", by=boss, selection=selection, parameters={"form": "jsonl"}))
    while job := claim():
        run(job)
    curious = admin_of("Viewer", "view_datajob", "view_auditentry", "export")
    whole = Client()
    boss.is_staff = True
    boss.save()
    whole.force_login(boss)
    for job in jobs:
        page = f"/admin/customers/datajob/{job.pk}/"
        assert SECRET in body_of(whole.get(f"{page}file/"))
        assert curious.get(f"{page}file/").status_code == 403
        shown = curious.get(f"{page}change/").content.decode()
        assert "lovelace" not in shown
        assert f"{page}file/" not in shown
    for page in ("auditentry/?kind=datajob", f"auditentry/?object={jobs[0].pk}"):
        audit = curious.get(f"/admin/parlant_site/{page}")
        assert audit.status_code == 200
        assert jobs[0].pk in audit.content.decode()
        assert "lovelace" not in audit.content.decode()
    assert SECRET in whole.get(f"/admin/customers/datajob/{jobs[1].pk}/change/").content.decode()


@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume")
def test_ones_own_job_says_what_one_asked_and_gives_its_file(tmp_path: Path, settings: Any) -> None:
    settings.MEDIA_ROOT = tmp_path
    browser = admin_of("Viewer", "export")
    sent = {"q": "ada pro", "action": "export", "form": "1", "do-form": "jsonl", "start": "1"}
    page = browser.post("/admin/customers/customer/bulk/", sent)["Location"]
    while job := claim():
        run(job)
    assert "ada pro" in browser.get(page).content.decode()
    file = browser.get(page.replace("change/", "file/"))
    [line] = body_of(file).splitlines()
    assert json.loads(line)["metadata"] == {"plan": "pro", "email": MASK, 'a "quoted" key': MASK}


KEYS = "/admin/customers/metadatakey/"


def test_a_key_that_is_marked_in_the_console_is_masked_and_the_mark_is_in_the_audit(settings: Any) -> None:
    settings.PARLANT_PII_KEYS = []
    keep_current()
    officer, viewer = admin_of("Privacy officer"), api_of("Viewer")
    assert viewer.get("/customers/ada").json()["metadata"]["plan"] == "pro"
    page = officer.get(KEYS)
    assert "plan" in text_of(page.content)
    row = MetadataKey.objects.get(key="plan")
    sent = officer.post(f"{KEYS}{row.pk}/change/", {"key": "other", "personal": "on"})
    assert sent.status_code == 302
    row.refresh_from_db()
    assert (row.key, row.personal) == ("plan", True)
    remembering.forget()
    assert viewer.get("/customers/ada").json()["metadata"]["plan"] == MASK
    entry = AuditEntry.objects.about("metadatakey", str(row.pk)).get()
    assert (entry.actor_name, entry.channel) == ("privacy-officer", "admin")
    assert (entry.before, entry.after) == ({"personal": False}, {"personal": True})
    assert "plan" in text_of(officer.get("/admin/parlant_site/auditentry/?kind=metadatakey").content)
    assert officer.post(f"{KEYS}add/", {"key": "nobody has it", "personal": "on"}).status_code == 302
    assert MetadataKey.objects.get(key="nobody has it").personal
    assert officer.post(f"{KEYS}add/", {"key": "x" * 501, "personal": "on"}).status_code == 200
    assert officer.post(f"{KEYS}{row.pk}/change/", {}).status_code == 302
    assert not MetadataKey.objects.get(key="plan").personal
    remembering.forget()


def test_a_mark_that_is_set_while_the_catalogue_is_written_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    keep_current()
    read = catalogue.metadata_keys

    def read_then_marked(*arguments: Any) -> list[MetadataKey]:
        rows = read(*arguments)
        MetadataKey.mark_personal("plan")
        return rows

    monkeypatch.setattr(catalogue, "metadata_keys", read_then_marked)
    for plan in ({"plan": "max"}, {}):  # of which nobody has the key in the end
        Customer.objects.get(pk="ada").amend(set_metadata=plan, unset_metadata=[] if plan else ["plan"])
        keep_current(timezone.now() + timedelta(minutes=1))
        assert MetadataKey.objects.get(key="plan").personal


def test_the_command_marks_keys() -> None:
    out = StringIO()
    call_command("segment", "keys", "--personal", "plan", "--personal", "none yet", stdout=out)
    assert set(MetadataKey.objects.filter(personal=True).values_list("key", flat=True)) == {"plan", "none yet"}
    call_command("segment", "keys", "--not-personal", "plan", "--json", stdout=out)
    assert not MetadataKey.objects.get(key="plan").personal
