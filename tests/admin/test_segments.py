"""The pages of segments, as server and browser without scripts."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.http import QueryDict
from django.test import Client
from django.utils import timezone
from django.utils.http import urlencode

from customers.admin.selecting import selection_of
from customers.insight.catalogue import keep_current
from customers.insight.remembering import forget
from customers.models import Customer, Segment
from customers.rules.faces import DatabaseNames, write_text
from customers.segments import past
from customers.segments.history import MembershipEvent
from customers.segments.listing import add
from customers.segments.worker import settle_all
from parlant_site.common.audit import AuditEntry
from tags.models import Tag
from tests.admin.pages import names_listed, text_of
from tests.admin.segments import Editor, rule
from tests.segments.membership import check_laws, check_settled, made

LIST = "/admin/customers/segment/"


@pytest.fixture
def people(db: None) -> dict[str, Customer]:
    """Some customers: Ada pays 900 and is a VIP, Bea pays 100, Cid nothing."""
    vip = Tag.objects.create(name="VIP")
    found = {
        "ada": Customer.register(id="ada", name="Ada", metadata={"mrr": "900", "plan": "pro"}, tags=[vip]),
        "bea": Customer.register(id="bea", name="Bea", metadata={"mrr": "100", "plan": "free"}, tags=[]),
        "cid": Customer.register(id="cid", name="Cid", metadata={}, tags=[]),
    }
    keep_current()
    return found


def page_of(segment: Segment, name: str = "change") -> str:
    """Answer the address of a segment's page."""
    return f"{LIST}{segment.pk}/{name}/"


def text_of_rule(segment: Segment) -> str:
    """Answer the rule as text."""
    return write_text(segment.tree, DatabaseNames())


def test_the_list_shows_each_segment_with_its_size_movement_and_users(browser: Client, people: Any) -> None:
    vip = made("Important", rule("metadata.mrr > 500"))
    made("Not important", rule(f"not segment:#{vip.pk}"))
    made("Fair", None)
    shown = text_of(browser.get(LIST).content)
    assert "Important 1 from 0 to 1 in 30 days" in shown
    assert "+1 −0 entered and left" in shown
    assert "Fair" in shown
    assert "List" in shown
    assert "Today Current as of Used by" in shown
    assert text_of(browser.get(f"{LIST}?q=fair").content).count("from ") == 1


def test_the_list_asks_as_often_for_many_segments_as_for_few(
    browser: Client, people: Any, django_assert_max_num_queries: Any
) -> None:
    for number in range(12):
        made(f"Segment {number}", rule(f"metadata.mrr > {number}"))
    with django_assert_max_num_queries(22):
        browser.get(LIST)


def test_an_empty_list_says_what_segments_are_for(browser: Client) -> None:
    assert "No segments yet" in text_of(browser.get(LIST).content)


def test_members_are_shown_with_since_and_via_and_searched(browser: Client, people: Any) -> None:
    segment = made("Paying", rule("metadata.mrr > 0"))
    shown = text_of(browser.get(page_of(segment)).content)
    assert "Ada ada just now Rule" in shown
    assert "Bea" in shown
    assert "Cid" not in shown
    found = text_of(browser.get(page_of(segment) + "?q=ada").content)
    assert "Ada" in found
    assert "Bea" not in found


@pytest.mark.parametrize(
    ("words", "names"), [("", {"Ada", "Bea"}), ("ada", {"Ada"}), ("metadata.mrr < 500", {"Bea"}), ("nobody", set())]
)
def test_actions_on_the_members_are_for_those_who_are_shown(
    browser: Client, people: Any, words: str, names: set[str]
) -> None:
    segment = made("Paying", rule("metadata.mrr > 0"))
    other = made("Cheap", rule("metadata.plan = free"))
    url = f"{page_of(segment)}?{urlencode({'q': words, 'segment': other.pk})}"
    assert set(names_listed(browser, url)) == names
    context = browser.get(url).context
    sent = QueryDict(mutable=True)
    for name, value in context["carried"]:
        sent.appendlist(name, value)
    assert set(selection_of(sent).customers().values_list("name", flat=True)) == names
    assert (b'name="action"' in browser.get(url).content) == bool(names)


def test_the_members_are_acted_on_by_those_who_may_alone(browser_of: Callable[..., Client], people: Any) -> None:
    segment, fair = made("Paying", rule("metadata.mrr > 0")), made("Fair", None)
    add(fair, ["ada"])
    seeing = ("customers.view_segment", "customers.view_customer")
    assert b'name="ids"' not in browser_of(*seeing).get(page_of(segment)).content
    steward = browser_of(*seeing, "customers.bulk_change").get(page_of(segment)).content
    assert b"For all 2:" in steward
    assert b"Untag" in steward
    assert b"ticked off the list" not in steward
    editor = browser_of(*seeing, "customers.change_segment").get(page_of(fair)).content
    assert b"ticked off the list" in editor
    assert b"Untag" not in editor
    assert b'name="ids"' in editor


def test_last_tuesdays_members_are_two_links_away(browser: Client, people: Any) -> None:
    segment = made("Paying", rule("metadata.mrr > 0"))
    MembershipEvent._base_manager.filter(segment=segment, customer_ref="ada").update(
        at=timezone.now() - timedelta(days=20), offset=-1
    )
    MembershipEvent._base_manager.filter(segment=segment, customer_ref="bea").update(offset=1)
    MembershipEvent._base_manager.filter(segment=segment, customer_ref="ada").update(offset=0)
    then = browser.get(page_of(segment)).context["days"][2]
    shown = text_of(browser.get(page_of(segment) + f"?as_of={then[0]}").content)
    assert "1 member at the end of" in shown
    assert "Ada" in shown
    assert "Bea" not in shown
    assert past.members_as_of(segment, timezone.now()).count() == 2


@pytest.mark.parametrize("text", ["yesterday", "2026-13-45", "9999-12-31T23:59:59", "\0", "0001-01-01"])
def test_an_instant_that_is_none_shows_the_members_now(browser: Client, people: Any, text: str) -> None:
    segment = made("Paying", rule("metadata.mrr > 0"))
    assert "Bea" in text_of(browser.get(page_of(segment), {"as_of": text}).content)


def test_the_rule_is_shown_in_three_faces(browser: Client, people: Any) -> None:
    segment = made("Both", rule("tag:VIP and not metadata.mrr < 500"))
    shown = text_of(browser.get(page_of(segment, "rule")).content)
    assert 'Customers where tags include any of "VIP"' in shown
    assert "tag:VIP and not metadata.mrr < 500" in shown
    assert "All of" in shown


def test_a_day_shows_who_entered_and_left_and_why(browser: Client, people: Any) -> None:
    segment = made("Paying", rule("metadata.mrr > 0"))
    today = timezone.localdate().isoformat()
    shown = text_of(browser.get(page_of(segment, "history") + f"?day={today}").content)
    assert "Ada ada Entered the customer changed · version 1 of the rule" in shown
    assert "Nobody entered" in text_of(browser.get(page_of(segment, "history") + "?day=2020-01-01").content)


def test_a_segment_is_built_by_buttons_alone(browser: Client, people: Any) -> None:
    editor = Editor(browser, f"{LIST}add/")
    editor.press("update", f__r__0="metadata.mrr")
    editor.press("update", o__r__0=">", v__r__0="50")
    assert editor.count == 2
    assert editor.look.found.count.is_exact
    assert [customer.name for customer in editor.look.samples] == ["Bea", "Ada"]
    editor.press("leaf:r")
    editor.press("update", f__r__1="tags")
    editor.press("update", v__r__1=[Tag.objects.get().pk])
    assert editor.count == 1
    assert [count.number for count in editor.look.counts.values()] == [1, 2, 1]
    response = editor.press("save", name="Paying VIPs")
    segment = Segment.objects.get(name="Paying VIPs")
    assert response.url == page_of(segment)
    assert text_of_rule(segment) == "metadata.mrr > 50 and tag:VIP"
    entry = AuditEntry.objects.about("segment", segment.pk).get()
    assert entry.actor_name == "mara"
    assert entry.channel == "admin"


def test_rows_are_moved_indented_copied_removed_and_all_of_it_undone(browser: Client, people: Any) -> None:
    segment = made("Some", rule("name = A and name = B and name = C"))
    editor = Editor(browser, page_of(segment, "edit"))
    texts = []
    for press in ("down:r.0", "in:r.1", "in:r.2", "copy:r.1.0", "out:r.1.1", "remove:r.0", "group:r"):
        editor.press(press)
        texts.append(json.dumps(editor.response.context["root"].rows, default=_named))
    assert texts == [
        '["B", "A", "C"]',
        '["B", ["A"], "C"]',
        '["B", ["A", "C"]]',
        '["B", ["A", "A", "C"]]',
        '["B", ["A", "C"], "A"]',
        '[["A", "C"], "A"]',
        '[["A", "C"], "A", [""]]',
    ]
    for text in reversed(texts[:-1]):
        editor.press("undo")
        assert json.dumps(editor.response.context["root"].rows, default=_named) == text
    editor.press("redo")
    assert json.dumps(editor.response.context["root"].rows, default=_named) == texts[1]


def _named(row: Any) -> Any:
    return row.rows if row.is_group else row.first


def test_the_text_face_and_the_rows_say_the_same(browser: Client, people: Any) -> None:
    segment = made("Some", rule("metadata.mrr > 50"))
    editor = Editor(browser, page_of(segment, "edit"))
    editor.press("text")
    assert editor.fields["rule_text"] == ["metadata.mrr > 50"]
    editor.press("update", rule_text="tag:VIP and (metadata.mrr > 50")
    assert "At character 13: this parenthesis is not closed" in text_of(editor.response.content)
    assert "Once the text is a rule" in text_of(editor.response.content), "no number of another rule"
    editor.press("tree", rule_text="tag:VIP or metadata.mrr < 500")
    assert "rule_text" not in editor.fields
    assert editor.count == 2
    editor.press("save")
    segment.refresh_from_db()
    assert (text_of_rule(segment), segment.rule_version) == ("tag:VIP or metadata.mrr < 500", 2)


@pytest.mark.parametrize(
    "text",
    [
        "metadata.a = 1 and metadata.a = one and not metadata.a between 1 and 2.5",
        "metadata.d between 2026-01-01 and 2026-02-01 and created on 2026-01-01",
        'metadata.x in ("a b", "", " c", "\\"q\\"", "two\\nlines")',
        "seen within 3 months and seen this week and waiting exists",
        "last_message_from in (customer, ai_agent) and messages",
        "tag all (VIP) or not (name starts A or name ends a) or not all(sessions >= 2)",
        "everybody",
        "nobody",
        "metadata.x = 1e-7 and metadata.x > -0.5",
    ],
)
def test_the_rows_lose_nothing_of_a_rule(browser: Client, people: Any, text: str) -> None:
    given = rule(text.replace("and messages", "and customer_messages > 3"))
    segment = made("Some", given)
    editor = Editor(browser, page_of(segment, "edit"))
    assert not editor.look.problems
    editor.press("save", name="Another")
    segment.refresh_from_db()
    assert (segment.name, segment.rule, segment.rule_version) == ("Another", given, 1)


def test_what_saving_would_change_is_said_before(browser: Client, people: Any) -> None:
    segment = made("Paying", rule("metadata.mrr > 500"))
    editor = Editor(browser, page_of(segment, "edit"))
    editor.press("update", o__r__0="<")
    assert (editor.look.changes.entering, editor.look.changes.leaving) == (1, 1)
    assert "If you save: 1 enter, 1 leave" in text_of(editor.response.content)


def test_a_new_segment_begins_with_a_hint_and_no_warning(browser: Client, people: Any) -> None:
    editor = Editor(browser, f"{LIST}add/")
    assert "Choose what to ask for, and the number follows" in text_of(editor.response.content)
    editor.press("update", f__r__0="metadata.mrr")
    shown = text_of(editor.response.content)
    assert "Without the row that is not finished" in shown
    assert "the number follows" not in shown


def test_a_bad_row_says_so_in_its_place_and_nothing_is_saved(browser: Client, people: Any) -> None:
    editor = Editor(browser, f"{LIST}add/")
    editor.press("update", f__r__0="metadata.mrr")
    editor.press("update", v__r__0="much")
    assert not editor.response.context["root"].rows[0].problems, "it may still be written"
    editor.press("save", name="Bad")
    assert "Write a number" in editor.response.context["root"].rows[0].problems[0]
    editor.press("update", o__r__0="matches", v__r__0="(")
    assert editor.response.context["root"].rows[0].problems
    assert not Segment.objects.exists()


def test_a_name_that_is_taken_is_refused_beside_it(browser: Client, people: Any) -> None:
    made("VIP", rule("tag:VIP"))
    editor = Editor(browser, f"{LIST}add/?text=tag:VIP")
    editor.press("save", name="VIP")
    assert "exists already" in editor.response.context["edited"].errors["name"][0]
    editor.press("save", name=" ")
    assert "Write 1 to 100 characters" in editor.response.context["edited"].errors["name"][0]


def test_two_who_edit_at_once_are_told(browser: Client, people: Any) -> None:
    segment = made("VIP", rule("tag:VIP"))
    first, second = (Editor(browser, page_of(segment, "edit")) for _ in range(2))
    first.press("update", o__r__0="none")
    first.press("save")
    second.press("save")
    assert "Somebody changed the rule" in text_of(second.response.content)
    segment.refresh_from_db()
    assert text_of_rule(segment) == "tag none (VIP)"


@pytest.mark.parametrize(
    "nonsense",
    [
        {"node": ["r:group", "r.0:leaf", "r.0.1:leaf", "x", "r.999999999:leaf", "r.1.1.1.1.1.1.1.1:group"]},
        {"shown": "[" * 2000, "past": "{}", "future": '[1, {"k": 3}]'},
        {"node": "r.0:leaf", "f.r.0": "metadata.\0", "v.r.0": "\0"},
        {"version": "-1", "time_zone": "Nowhere/Else"},
        {"node": ["r:group", "r.0:leaf"], "f.r.0": "tags", "v.r.0": ["gone"] * 700},
        {"rule_text": "(" * 3000},
        {"do": "copy:r"},
        {"do": "undo:" + "r." * 100, "past": "[[[[]]]]"},
    ],
)
def test_nonsense_in_the_form_is_no_error_of_the_server(browser: Client, people: Any, nonsense: Any) -> None:
    response = browser.post(f"{LIST}add/", {"do": "save", "name": "X", **nonsense})
    assert response.status_code in (200, 302)


def test_a_list_has_a_name_and_no_rule(browser: Client) -> None:
    browser.post(f"{LIST}add/?kind=static", {"do": "save", "name": "Fair"})
    segment = Segment.objects.get(name="Fair")
    assert segment.is_static
    browser.post(page_of(segment, "edit"), {"do": "save", "name": "Fair 2", "version": "1"})
    segment.refresh_from_db()
    assert segment.name == "Fair 2"


def test_a_segment_is_deleted_unless_another_names_it(browser: Client, people: Any) -> None:
    used = made("Used", rule("tag:VIP"))
    user = made("User", rule(f"segment:#{used.pk}"))
    browser.post(page_of(used, "delete"), {"post": "yes"})
    assert Segment.objects.filter(pk=used.pk).exists()
    browser.post(page_of(user, "delete"), {"post": "yes"})
    browser.post(page_of(used, "delete"), {"post": "yes"})
    assert not Segment.objects.exists()


def test_each_page_asks_for_its_permission(browser_of: Callable[..., Client], people: Any) -> None:
    segment = made("VIP", rule("tag:VIP and not (name = Adalind or id in (Adalind, Ada2))"))
    viewer = browser_of("customers.view_segment")
    for page in ("change", "rule", "history", "near", "runs"):
        shown = viewer.get(page_of(segment, page))
        assert shown.status_code == 200
        assert b"Ada" not in shown.content, "customers are another permission"
        assert b"/explain/" not in shown.content
        assert b"/pins/" not in shown.content
    for page in ("change", "rule", "explain", "pins", "runs"):
        assert viewer.post(page_of(segment, page), {"do": "refresh"}).status_code == 403
    for url in (page_of(segment, "edit"), f"{LIST}add/", page_of(segment, "delete")):
        assert viewer.get(url).status_code == 403
        assert viewer.post(url, {"do": "save", "name": "X"}).status_code == 403
    nobody = browser_of("customers.view_customer")
    for url in (LIST, page_of(segment), page_of(segment, "rule"), page_of(segment, "history")):
        assert nobody.get(url).status_code == 403
    editor = browser_of("customers.view_segment", "customers.change_segment")
    found = editor.get(page_of(segment, "edit"))
    assert found.status_code == 200
    assert b"Ada" not in found.content
    for who in (viewer, editor):
        for page in ("explain", "pins"):
            assert who.get(page_of(segment, page), {"customer": "ada"}).status_code == 403
    assert editor.post(page_of(segment, "pins"), {"customer": "ada", "do": "in", "reason": "x"}).status_code == 403
    assert editor.post(page_of(made("Fair", None)), {"do": "add", "written": "ada"}).status_code == 403
    seen = browser_of("customers.view_segment", "customers.view_customer")
    for page in ("explain", "pins"):
        assert seen.get(page_of(segment, page)).status_code == 200


def test_examples_of_personal_keys_are_hidden_from_those_who_may_not_see_them(
    browser_of: Callable[..., Client], people: Any, settings: Any
) -> None:
    settings.PARLANT_PII_KEYS = ("plan",)
    blind = browser_of("customers.view_segment", "customers.add_segment")
    page = blind.get(f"{LIST}add/").content.decode()
    assert "mrr · 50 % · " in page
    assert "plan · 50 %<" in page


def test_a_rule_about_personal_keys_is_refused_to_those_who_may_not_see_them(
    browser_of: Callable[..., Client], people: Any, settings: Any
) -> None:
    settings.PARLANT_PII_KEYS = ("plan",)
    editor = Editor(browser_of("customers.view_segment", "customers.add_segment"), f"{LIST}add/?text=metadata.plan=pro")
    assert "You may not see these personal data" in text_of(editor.response.content)
    assert editor.look.found.count.number == 4, "they are not counted either"
    editor.press("save", name="Spying")
    assert not Segment.objects.exists()


def test_why_somebody_is_not_in_is_said_row_by_row(browser: Client, people: Any) -> None:
    segment = made("Great", rule("tag:VIP and metadata.mrr > 5000 and seen exists"))
    shown = text_of(browser.get(page_of(segment, "explain") + "?customer=ada").content)
    assert "She is not in Great" in shown
    assert '✓ yes: tags include any of "VIP" hers: VIP' in shown
    assert "✗ no: metadata.mrr is more than 5000 hers: 900 4,100 too little" in shown
    assert "✗ no: last seen is known hers: nothing" in shown
    assert "has no value" not in shown
    easy = made("Easy", rule("metadata.mrr > 950 and tag:VIP"))
    assert "50 too little this alone would do" in text_of(
        browser.get(page_of(easy, "explain") + "?customer=ada").content
    )


def test_a_customer_is_found_by_name_to_be_explained(browser: Client, people: Any) -> None:
    segment = made("VIP", rule("tag:VIP"))
    Customer.register(id="ada2", name="Ada Two", metadata={}, tags=[])
    assert "She is in VIP" in text_of(browser.get(page_of(segment, "explain") + "?q=ada").content), "by id"
    found = text_of(browser.get(page_of(segment, "explain") + "?q=a").content)
    assert "Ada Two ada2" in found
    assert "Bea bea" in found
    assert "Nobody has this name" in text_of(browser.get(page_of(segment, "explain") + "?q=zz").content)


def test_personal_values_are_masked_in_explanations(
    browser_of: Callable[..., Client], people: Any, settings: Any
) -> None:
    segment = made("Pro", rule("metadata.plan = pro"))
    settings.PARLANT_PII_KEYS = ("plan",)
    blind = browser_of("customers.view_segment", "customers.view_customer")
    shown = text_of(blind.get(page_of(segment, "explain") + "?customer=bea").content)
    assert "metadata.plan •••" in shown
    assert "free" not in shown
    assert "pro" not in text_of(blind.get(page_of(segment, "near")).content).split("Near misses")[-1]


def test_pins_are_set_with_a_reason_and_taken_out(browser: Client, people: Any) -> None:
    segment = made("VIP", rule("tag:VIP"))
    page = page_of(segment, "explain")
    assert "Say why" in text_of(browser.post(page, {"customer": "cid", "do": "in"}, follow=True).content)
    shown = text_of(browser.post(page, {"customer": "cid", "do": "in", "reason": "A friend"}, follow=True).content)
    assert "She is in VIP" in shown
    assert "Pinned in, whatever the rule says: A friend · mara" in shown
    assert "Cid In A friend mara" in text_of(browser.get(page_of(segment, "pins")).content)
    assert "Pin" in text_of(browser.get(page_of(segment)).content)
    browser.post(page_of(segment, "pins"), {"customer": "cid", "do": "unpin", "back": "list"})
    assert not segment.members.filter(customer_id="cid").exists()
    said = browser.post(page_of(segment, "pins"), {"customer": "no\0body", "do": "out", "reason": "x"}, follow=True)
    assert "was not found" in text_of(said.content)


def test_a_list_is_added_to_and_taken_from(browser: Client, people: Any) -> None:
    segment = made("Fair", None)
    assert "2 were added" in text_of(
        browser.post(page_of(segment), {"do": "add", "written": "ada\r\nbea\n\n"}, follow=True).content
    )
    assert "was not found" in text_of(
        browser.post(page_of(segment), {"do": "add", "written": "cid\nzz"}, follow=True).content
    )
    browser.post(page_of(segment), {"do": "off", "ids": ["ada"]})
    assert set(segment.members.values_list("customer_id", flat=True)) == {"bea"}
    assert browser.get(page_of(segment, "rule")).status_code == 200
    assert "Somebody put her on this list" in text_of(
        browser.get(page_of(segment, "explain") + "?customer=bea").content
    )


def test_near_misses_name_the_row_and_the_customers(browser: Client, people: Any) -> None:
    segment = made("Great", rule("metadata.plan exists and metadata.mrr > 500"))
    shown = text_of(browser.get(page_of(segment, "near")).content)
    assert "metadata.mrr is more than 500 1 Bea" in shown


def test_segments_are_compared(browser: Client, people: Any) -> None:
    paying, vip = made("Paying", rule("metadata.mrr > 0")), made("VIP", rule("tag:VIP"))
    shown = text_of(browser.get(f"{LIST}overlap/?segment={paying.pk}&segment={vip.pk}").content)
    assert "Paying VIP 1 100 % 1" in shown
    assert "Paying 2 – 1" in shown
    many = "&".join(f"segment={made(f'S{n}', rule('everybody')).pk}" for n in range(5))
    assert "Choose 4 segments at most" in text_of(browser.get(f"{LIST}overlap/?{many}").content)


def test_runs_are_queued_and_shown(browser: Client, people: Any) -> None:
    segment = made("VIP", rule("tag:VIP"))
    shown = text_of(browser.post(page_of(segment, "runs"), {"do": "reconcile"}, follow=True).content)
    assert "Queued found by the nightly check · version 1" in shown
    assert "Waits to be counted" in text_of(browser.get(LIST).content)
    settle_all()
    part = browser.get(page_of(segment, "runs") + "?part=1").content.decode()
    assert 'data-final="1"' in part
    assert "Done found by the nightly check · version 1 4 +0 −0 0 mara" in text_of(part)


def test_a_tag_is_published_and_given_up(browser: Client, people: Any) -> None:
    segment = made("Paying", rule("metadata.mrr > 0"))
    browser.post(page_of(segment, "rule"), {"do": "publish", "name": "Pays"})
    settle_all()
    assert Customer.objects.filter(tag_links__tag__name="Pays").count() == 2
    assert "bear the tag Pays" in text_of(browser.get(page_of(segment, "rule")).content).replace("  ", " ")
    assert "Tag: Pays" in text_of(browser.get(LIST).content)
    browser.post(page_of(segment, "rule"), {"do": "unpublish"})
    assert not Customer.objects.filter(tag_links__tag__name="Pays").exists()
    refused = browser.post(page_of(segment, "rule"), {"do": "publish", "tag": Tag.objects.get(name="VIP").pk})
    assert refused.status_code == 302
    segment.refresh_from_db()
    assert segment.published_tag is None, "customers bear VIP already"


def test_a_customers_segments_are_shown_with_what_alone_is_missing(browser: Client, people: Any) -> None:
    made("VIP", rule("tag:VIP"))
    great = made("Great", rule("tag:VIP and metadata.mrr > 1000"))
    made("Fair", None)
    shown = text_of(browser.get("/admin/customers/customer/ada/segments/").content)
    assert "In VIP entered just now Why? VIP" in shown
    assert (
        "Nearly in Great Why not? Great Only this is missing: metadata.mrr is more than 1000 (100 too little)" in shown
    )
    assert "Not in Fair" in shown
    assert (
        f"{page_of(great, 'explain')}?customer=ada"
        in browser.get("/admin/customers/customer/ada/segments/").content.decode()
    )


def test_entering_and_leaving_stand_in_the_timeline(browser: Client, people: Any) -> None:
    made("VIP", rule("tag:VIP"))
    shown = text_of(browser.get("/admin/customers/customer/ada/timeline/").content)
    assert "Entered VIP · the customer changed" in shown


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("q=metadata.mrr > 50", {"Ada", "Bea"}),
        ("q=tag:VIP and metadata.mrr > 50", {"Ada"}),
        ("q=not metadata.mrr exists", {"Cid", "Guest"}),
        ("q=ada", {"Ada"}),
        ("q=pro", {"Ada"}),
        ("segment=Paying", {"Ada", "Bea"}),
        ("segment=Paying&q=free", {"Bea"}),
    ],
)
def test_the_list_of_customers_takes_rules_words_and_segments_and_acts_on_the_same(
    browser: Client, people: Any, query: str, names: set[str]
) -> None:
    segment = made("Paying", rule("metadata.mrr > 0"))
    query = query.replace("segment=Paying", f"segment={segment.pk}")
    assert set(names_listed(browser, f"/admin/customers/customer/?{query}")) == names
    selected = selection_of(QueryDict(query)).customers().values_list("name", flat=True)
    assert set(selected) == names


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("q=metadata.mrr > 50 and name starts A&seen=7", "metadata.mrr > 50 and name starts A and seen within 7 days"),
        ("q=metadata.mrr > 50 or name starts A", "(metadata.mrr > 50 or name starts A)"),
        ("tag=VIP&created=1", "tag all (VIP) and created within 1 day"),
        ("seen=never&with=none", "seen is missing and sessions = 0"),
        ("seen=-30&with=human", "seen more than 30 days ago and manual_sessions > 0"),
        ("q=ada", "(name contains ada or id contains ada)"),
    ],
)
def test_what_the_list_shows_becomes_a_segment_with_two_clicks(
    browser: Client, people: Any, query: str, text: str
) -> None:
    query = query.replace("tag=VIP", f"tag={Tag.objects.get().pk}")
    link = browser.get(f"/admin/customers/customer/?{query}").context["save_link"]
    editor = Editor(browser, link)
    listed = set(names_listed(browser, f"/admin/customers/customer/?{query}"))
    assert {customer.name for customer in editor.look.samples} == listed
    editor.press("save")
    assert text_of_rule(Segment.objects.get()).strip("()") == text.strip("()")


def test_a_text_that_begins_like_a_rule_is_told_why_it_is_none(browser: Client, people: Any) -> None:
    shown = text_of(browser.get("/admin/customers/customer/?q=metadata.mrr >").content)
    assert "Searched as words; as a rule:" in shown
    assert "Searched as words" not in text_of(browser.get("/admin/customers/customer/?q=tag").content)


def test_filters_say_how_many_each_choice_has(browser: Client, people: Any) -> None:
    forget()
    made("Paying", rule("metadata.mrr > 0"))
    shown = text_of(browser.get("/admin/customers/customer/").content)
    assert "VIP 1" in shown
    assert "Paying 2" in shown
    assert "Never 4" in shown
    assert "pro 1" in shown


def counts_shown(browser: Client, query: str) -> dict[str, dict[str, str]]:
    """Answer the number beside each choice, by filter or metadata key."""
    context = browser.get(f"/admin/customers/customer/?{query}").context
    found = {each.name: {str(c.label): c.count for c in each.choices} for each in context["listing"].offered}
    return found | {key: {value: count for value, count, _link in cs} for key, cs in context["metadata_choices"]}


@pytest.fixture
def crowd(people: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have 30 more: half of them are VIPs, each third pays, all of them came a month ago or just now; and much time."""
    for limit in ("within.COUNTED_WITHIN", "within.COUNTED_BY", "from_list.COUNTED_WITHIN"):
        monkeypatch.setattr(f"customers.admin.{limit}", 60)
    vip = Tag.objects.get(name="VIP")
    for number in range(30):
        tags = [vip] if number % 2 else []
        plan = "pro" if number % 3 == 0 else "free"
        Customer.register(id=f"c{number}", name=f"Crowd {number}", metadata={"plan": plan}, tags=tags)
    Customer.objects.filter(name__startswith="Crowd 1").update(last_seen=timezone.now() - timedelta(days=3))
    keep_current()
    forget()


@pytest.mark.parametrize(
    ("query", "filter_name", "choice", "and_chosen"),
    [
        ("q=crowd", "tag", "VIP", "q=crowd&tag={vip}"),
        ("q=crowd", "seen", "In the last 7 days", "q=crowd&seen=7"),
        ("q=metadata.plan = pro", "tag", "VIP", "q=metadata.plan = pro&tag={vip}"),
        ("tag={vip}", "seen", "In the last day", "tag={vip}&seen=1"),
        ("tag={vip}", "segment", "Pro", "tag={vip}&segment={pro}"),
        ("tag={vip}", "with", "Has had none", "tag={vip}&with=none"),
        ("tag={vip}", "plan", "free", "tag={vip}&q=metadata.plan = free"),
        # What would be chosen instead is counted without what is chosen.
        ("seen=7&tag={vip}", "seen", "Never", "seen=never&tag={vip}"),
        ("segment={pro}", "segment", "Free", "segment={free}"),
        ("q=nobody at all", "tag", "VIP", "q=nobody at all&tag={vip}"),
    ],
)
def test_filters_of_a_narrowed_list_count_what_they_would_show(
    browser: Client, crowd: Any, query: str, filter_name: str, choice: str, and_chosen: str
) -> None:
    ids = {name: made(name.title(), rule(f"metadata.plan = {name}")).pk for name in ("pro", "free")}
    ids["vip"] = Tag.objects.get(name="VIP").pk
    would_show = len(names_listed(browser, f"/admin/customers/customer/?{and_chosen.format(**ids)}"))
    assert counts_shown(browser, query.format(**ids))[filter_name][choice] == str(would_show)


@pytest.mark.parametrize("small", [{"within": ["COUNTED"]}, {"listing": ["COUNTED", "PAGE_SIZE"]}])
def test_filters_of_a_long_list_are_estimated_and_say_so(
    browser: Client, crowd: Any, monkeypatch: pytest.MonkeyPatch, small: dict[str, list[str]]
) -> None:
    modules = {"within": "customers.admin.within", "listing": "parlant_site.common.console.listing"}
    for module, names in small.items():
        for name in names:
            monkeypatch.setattr(f"{modules[module]}.{name}", 10)  # the sample is everybody
    shown = counts_shown(browser, "q=crowd")
    assert shown["tag"]["VIP"] == "≈ 15"
    assert shown["plan"]["pro"] == "≈ 10"
    assert shown["seen"]["Not for 90 days"] == "few"
    assert shown["segment"] == {}


def test_filters_that_cannot_be_counted_in_time_have_no_numbers(
    browser: Client, crowd: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("customers.admin.within.COUNTED_WITHIN", 0)
    shown = counts_shown(browser, "q=crowd")
    assert shown["tag"] == {"VIP": ""}
    assert set(shown["plan"].values()) == {""}


def test_home_shows_the_segments_that_moved_most(browser: Client, people: Any) -> None:
    made("Paying", rule("metadata.mrr > 0"))
    assert "Segments that moved most today Paying 2 from 0 to 2 in 30 days +2 −0" in text_of(
        browser.get("/admin/").content
    )


def test_the_demo_has_segments_with_a_past(browser: Client) -> None:
    call_command("seed_demo", customers=60, verbosity=0, stdout=StringIO())
    check_laws()
    settle_all()
    check_settled()
    past_days = {segment.name: segment.days.count() for segment in Segment.objects.all()}
    assert past_days["Going cold"] > 3
    assert past_days["Invited to the fair"] >= 1
