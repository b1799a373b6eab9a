"""The console's lists: constant queries, keyset pages, search and filters."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django.utils.html import escape

from customers.models import Customer
from parlant_site.common.console.listing import PAGE_SIZE
from sessions_app.counting_days import Worker, count, count_all, due
from sessions_app.events import Kind, Mode, Source
from sessions_app.message_days import last_days
from sessions_app.models import Agent, MessageDay, Session
from tags.models import Tag
from tests.admin.pages import names_listed, text_of

CUSTOMERS = "/admin/customers/customer/"
SESSIONS = "/admin/sessions_app/session/"
LISTS = [CUSTOMERS, SESSIONS, "/admin/tags/tag/", "/admin/sessions_app/agent/", "/admin/knox/authtoken/", "/admin/"]


def populate(number: int) -> None:
    """Make customers with tags, metadata and a waiting session each."""
    start = Customer.objects.count()
    agent = Agent.create(name=f"Agent {start}")
    for place in range(start, start + number):
        tag = Tag.add(name=f"tag {place}")
        customer = Customer.register(name=f"Person {place}", metadata={"plan": "pro"}, tags=[tag])
        session = Session.open(agent=agent, customer=customer, labels=["urgent"], title="Help")
        session.append_event(kind=Kind.MESSAGE, source=Source.CUSTOMER, data={"message": "Hello?"})
        Agent.create(name=f"Helper {place}", tags=[tag])


@pytest.mark.django_db
@pytest.mark.parametrize("url", LISTS)
def test_a_list_takes_as_many_queries_for_many_rows_as_for_few(url: str, browser: Client) -> None:
    populate(2)
    browser.get(url)  # what is looked up once a minute
    with CaptureQueriesContext(
        connection,
    ) as few:
        assert browser.get(url).status_code == 200
    populate(18)
    with CaptureQueriesContext(connection) as many:
        assert browser.get(url).status_code == 200
    assert len(many) == len(few)
    assert len(many) <= 16


def counted_wholly(queries: CaptureQueriesContext) -> list[str]:
    """Answer the queries that count or skip without a bound."""
    return [
        query["sql"]
        for query in queries.captured_queries
        if " OFFSET " in query["sql"].upper() or ("COUNT(*)" in query["sql"].upper() and " LIMIT " not in query["sql"])
    ]


@pytest.mark.django_db
@pytest.mark.parametrize("url", [CUSTOMERS, f"{CUSTOMERS}?q=person&seen=7&order=seen", SESSIONS, "/admin/tags/tag/"])
def test_no_page_counts_or_skips_without_a_bound(url: str, browser: Client) -> None:
    populate(3)
    for place in range(PAGE_SIZE):
        Customer.register(name=f"More {place}")
    with CaptureQueriesContext(connection) as queries:
        listing = browser.get(url).context["listing"]
        if listing.next_link:
            assert browser.get(url.split("?")[0] + listing.next_link).status_code == 200
    assert counted_wholly(queries) == []


@pytest.mark.django_db
@pytest.mark.parametrize("order", ["created", "-created", "seen", "-seen", "name", "-name"])
def test_pages_show_every_customer_once_and_lead_back(order: str, browser: Client) -> None:
    moment = datetime(2026, 4, 1, tzinfo=UTC)
    total = PAGE_SIZE * 2 + 20
    made = [
        Customer(
            name=f"N{place % 7}",
            creation_utc=moment + timedelta(minutes=place // 9),
            last_seen=None if place % 3 else moment + timedelta(hours=place // 11),
        )
        for place in range(total)
    ]
    Customer.objects.bulk_create(made)
    url = f"{CUSTOMERS}?order={order}"
    forwards: list[list[str]] = []
    while True:
        listing = browser.get(url).context["listing"]
        forwards.append([row.pk for row, _ in listing.table])
        if not listing.next_link:
            break
        url = CUSTOMERS + listing.next_link
    ids = [key for page in forwards for key in page]
    assert len(ids) == len(set(ids)) == total + 1  # and the guest
    backwards = [forwards[-1]]
    while listing.previous_link:
        listing = browser.get(CUSTOMERS + listing.previous_link).context["listing"]
        backwards.append([row.pk for row, _ in listing.table])
    assert backwards[::-1] == forwards
    # sorted, with those without a value last
    column = {"created": "creation_utc", "seen": "last_seen", "name": "name"}[order.lstrip("-")]
    values = [getattr(row, column) for row in (Customer.objects.in_bulk(ids)[key] for key in ids)]
    present = [value for value in values if value is not None]
    assert values == present + [None] * (len(values) - len(present))
    descending = listing.order.descending
    assert present == sorted(present, reverse=descending)


@pytest.mark.django_db
@pytest.mark.parametrize("place", ["nonsense", "W10", "WyJ4IiwgMV0", "W251bGwsICJhXHUwMDAwIl0", "%00"])
def test_an_unreadable_place_shows_the_first_page(place: str, browser: Client) -> None:
    populate(1)
    for parameter in ("after", "before"):
        response = browser.get(f"{CUSTOMERS}?{parameter}={place}")
        assert response.status_code == 200
        assert len(response.context["listing"].table) == 2


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("Anna", ["Anna Schäfer"]),
        ("schäfer", ["Anna Schäfer"]),
        ("cust-17", ["Bo"]),
        ("Hôtel", ["Bo"]),
        ("plan pro", ["Anna Schäfer", "Bo"]),
        ("pro 50%", ["Bo"]),
        ("nobody", []),
        ("\0", ["Anna Schäfer", "Bo", "Guest"]),
        ("'; --", []),
    ],
)
def test_search_looks_at_id_name_and_metadata(words: str, found: list[str], browser: Client) -> None:
    Customer.register(name="Anna Schäfer", metadata={"plan": "pro"})
    Customer.register(name="Bo", id="cust-17", metadata={"plan": "pro", "company": "Hôtel du Port", "note": "50%"})
    response = browser.get(CUSTOMERS, {"q": words, "order": "name"})
    assert [row.name for row, _ in response.context["listing"].table] == found


@pytest.mark.django_db
def test_filters_narrow_and_combine(browser: Client) -> None:
    vip, eu = Tag.add(name="VIP"), Tag.add(name="EU")
    now = timezone.now()
    people = {
        "both": Customer.register(name="both", tags=[vip, eu]),
        "vip": Customer.register(name="vip", tags=[vip]),
        "none": Customer.register(name="none"),
    }
    Customer.objects.filter(pk=people["both"].pk).update(last_seen=now - timedelta(days=2))
    Customer.objects.filter(pk=people["vip"].pk).update(last_seen=now - timedelta(days=40))

    def names(query: str) -> list[str]:
        return sorted(name for name in names_listed(browser, f"{CUSTOMERS}?{query}") if name != "Guest")

    assert names(f"tag={vip.pk}") == ["both", "vip"]
    assert names(f"tag={vip.pk}&tag={eu.pk}") == ["both"]
    assert names("seen=7") == ["both"]
    assert names("seen=-30") == ["vip"]
    assert names("seen=never") == ["none"]
    assert names(f"seen=7&tag={eu.pk}&q=bo") == ["both"]
    assert names("seen=rubbish&created=rubbish&with=rubbish") == ["both", "none", "vip"]
    page = browser.get(f"{CUSTOMERS}?tag={vip.pk}&seen=7").content.decode()
    assert "Last seen: <b" in page
    assert "Clear" in text_of(page)


@pytest.mark.django_db
def test_nothing_found_and_nothing_there_say_so(browser: Client) -> None:
    assert "Nothing matches." in text_of(browser.get(f"{CUSTOMERS}?q=zzz").content)
    assert "No agents yet" in text_of(browser.get("/admin/sessions_app/agent/").content)


@pytest.mark.django_db
def test_chosen_metadata_columns_are_remembered(browser: Client) -> None:
    Customer.register(name="Ann", metadata={"plan": "pro", "a key": "<b>value</b>"})
    answer = browser.get(CUSTOMERS, {"columns": "1", "key": "a key", "order": "name"})
    assert answer.status_code == 302
    assert "order=name" in answer["Location"]
    page = browser.get(CUSTOMERS).content.decode()
    assert "&lt;b&gt;value&lt;/b&gt;" in page
    assert "<b>value</b>" not in page
    browser.get(CUSTOMERS, {"columns": "1"})
    assert "&lt;b&gt;value" not in browser.get(CUSTOMERS).content.decode()


@pytest.mark.django_db
def test_sessions_by_state(browser: Client) -> None:
    populate(1)
    quiet = Session.open(agent=Agent.create(name="A"), customer=Customer.guest(), title="Quiet")
    held = Session.open(agent=Agent.create(name="B"), customer=Customer.guest(), title="Held")
    held.amend(mode=Mode.MANUAL)

    def titles(query: str) -> set[str]:
        return {row.title for row, _ in browser.get(f"{SESSIONS}?{query}").context["listing"].table}

    assert titles("state=waiting") == {"Help"}
    assert titles("state=manual") == {"Held"}
    assert titles("state=auto") == {"Help", "Quiet"}
    assert titles(f"agent={quiet.agent_ref}") == {"Quiet"}
    assert titles("customer=guest") == {"Quiet", "Held"}
    assert titles("label=urgent") == {"Help"}
    assert titles("q=hello") == {"Help"}


@pytest.mark.django_db
def test_every_number_at_home_leads_to_as_many_rows(browser: Client) -> None:
    populate(3)
    numbers = browser.get("/admin/").context["numbers"]
    assert len(numbers) == 7
    for number in numbers:
        rows = browser.get(number.link).context["listing"].table
        guest = sum(1 for row, _ in rows if row.pk == "guest")
        assert len(rows) - guest == int(number.value) - (guest if "New customers" in str(number.label) else 0)


@pytest.mark.django_db
def test_messages_per_day_lead_to_the_conversations_in_which_they_were_said(browser: Client) -> None:
    assert "Not counted yet" in text_of(browser.get("/admin/").content)
    populate(2)
    first, second = Session.objects.order_by("creation_utc")
    days = last_days()
    noon = timezone.make_aware(datetime(days[-3].year, days[-3].month, days[-3].day, 12))
    for session, hours in ((first, 0), (first, 11.9), (first, -12.1), (second, 12.1)):
        said = {"kind": Kind.MESSAGE, "source": Source.AI_AGENT, "data": {"message": "Hello"}}
        session.append_event(**said, creation_utc=noon + timedelta(hours=hours))
    first.append_event(kind=Kind.STATUS, source=Source.AI_AGENT, data={"status": "ready"})
    Session.objects.update(creation_utc=noon - timedelta(days=3), last_event_utc=timezone.now())
    count_all()
    bars = {bar.day: bar for bar in browser.get("/admin/").context["bars"]}
    assert [bars[day].count for day in days[-4:]] == [1, 2, 1, 2]
    assert sum(bar.count for bar in bars.values()) == 6
    for day, sessions in ((days[-4], {first.pk}), (days[-3], {first.pk}), (days[-2], {second.pk})):
        listed = browser.get(bars[day].link).context["listing"].page.rows
        assert {session.pk for session in listed} == sessions
    assert browser.get("/admin/sessions_app/session/?said=nonsense").context["listing"].page.rows == []
    shown = browser.get("/admin/").content
    assert shown.count(f'href="{bars[days[-3]].link}"'.encode()) == 2, "from the chart and from the table"

    first.remove()
    assert not Worker().look(), "nothing is due"
    MessageDay.objects.filter(day=days[-1]).delete()
    assert Worker().look()
    assert MessageDay.objects.get(day=days[-1]).messages == 1
    later = timezone.now() + timedelta(minutes=2)
    assert due(later) == days[-1]
    assert count(days[-1], later).messages == 1
    later += timedelta(hours=1)
    count(days[-1], later)
    assert due(later) in days[:-1], "days before are counted again, too, one after the other"
    MessageDay.objects.create(day=days[0] - timedelta(days=1), messages=1, counted_utc=later)
    MessageDay.objects.update(counted_utc=noon)
    count_all()
    assert dict(MessageDay.objects.exclude(messages=0).values_list("day", "messages")) == {days[-2]: 1, days[-1]: 1}


@pytest.mark.django_db
def test_what_one_may_not_see_is_neither_listed_nor_in_the_menu(browser_of: Callable[..., Client]) -> None:
    browser = browser_of("tags.view_tag")
    assert browser.get("/admin/tags/tag/").status_code == 200
    for url in (
        CUSTOMERS,
        SESSIONS,
        "/admin/sessions_app/agent/",
        "/admin/knox/authtoken/",
        "/admin/knox/authtoken/add/",
    ):
        assert browser.get(url).status_code == 403
    page = browser.get("/admin/").content.decode()
    assert "Tags" in page
    assert reverse("admin:customers_customer_changelist") not in page
    assert browser.get("/admin/").context["numbers"] == []


@pytest.mark.django_db
def test_a_stranger_signs_in_first() -> None:
    for url in LISTS:
        answer = Client().get(url)
        assert answer.status_code == 302
        assert answer["Location"].startswith("/admin/login/")


@pytest.mark.django_db
def test_tags_say_how_many_bear_them(browser: Client) -> None:
    vip, eu = Tag.add(name="VIP"), Tag.add(name="EU")
    for place in range(3):
        Customer.register(name=f"N{place}", tags=[vip] if place else [vip, eu])
    Agent.create(name="Iris", tags=[eu])
    rows = {row.name: row for row, _ in browser.get("/admin/tags/tag/").context["listing"].table}
    assert {name: (row.customer_count, row.agent_count) for name, row in rows.items()} == {"VIP": (3, 0), "EU": (1, 1)}


@pytest.mark.django_db
def test_search_follows_every_change(browser: Client) -> None:
    """On PostgreSQL the searched text is kept apart from the customer."""

    def found(words: str) -> list[str]:
        return [row.name for row, _ in browser.get(CUSTOMERS, {"q": words}).context["listing"].table]

    ann = Customer.register(name="Ann", metadata={"city": "Bonn"})
    assert found("bonn") == ["Ann"]
    ann.amend(name="Anna", set_metadata={"city": "Köln"})
    assert found("bonn") == []
    assert found("anna köln") == ["Anna"]
    Customer.objects.filter(pk=ann.pk).update(name="Bea")
    assert found("bea") == ["Bea"]
    Customer.objects.bulk_create([Customer(name="Cleo", id="c-1")])
    assert found("C-1") == ["Cleo"]
    key = ann.pk
    ann.remove()
    assert found("köln") == []
    Customer.register(name="Dora", id=key)
    assert found(key) == ["Dora"]
    assert found("guest") == ["Guest"]


@pytest.mark.django_db
def test_few_and_many_matches_are_found_alike(browser: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    tag = Tag.add(name="VIP")
    for place in range(6):
        Customer.register(name=f"N{place}", metadata={"plan": "pro"}, tags=[tag] if place % 2 else [])
    expected = ["N1", "N3", "N5"]
    for few in (10_000, 1):
        monkeypatch.setattr("customers.searching.FEW", few)
        assert names_listed(browser, f"{CUSTOMERS}?tag={tag.pk}&q=plan&order=name") == expected


def test_what_was_followed_is_said_on_the_list_and_can_be_dropped(browser: Client, operator: User) -> None:
    ann = Customer.register(id="ann", name="Ann")
    agent = Agent.create(name="Quill")
    Session.open(agent=agent, customer=ann)
    shown = browser.get("/admin/sessions_app/session/?customer=ann&label=vip&label=late").content
    assert "Agent Quill Label: vip × Drop this filter Label: late ×" in text_of(shown), "her tab says whose they are"
    assert b'href="?customer=ann&amp;label=late"' in shown
    assert b'class="clear-all" href="?customer=ann"' in shown
    assert b"clear-all" not in browser.get("/admin/sessions_app/session/?customer=ann").content
    audit = text_of(browser.get(f"/admin/parlant_site/auditentry/?actor={operator.pk}&job=nowhere").content)
    assert f"Who: {operator.username} ×" in audit
    assert "Data job: nowhere ×" in audit
    assert "Who: 99x ×" in text_of(browser.get("/admin/customers/datajob/?actor=99x").content)
    assert browser.get("/admin/sessions_app/session/?customer=%00").status_code == 200


def test_a_customers_conversations_and_audit_stand_under_her_tabs(
    browser: Client, browser_of: Callable[..., Client]
) -> None:
    Customer.register(id="ann", name="Ann")
    for url, tab in (
        ("/admin/sessions_app/session/?customer=ann", "Conversations"),
        ("/admin/parlant_site/auditentry/?kind=customer&object=ann", "Audit"),
    ):
        shown = browser.get(url).content.decode()
        assert f'aria-current="page">{tab}</a>' in shown
        assert '<h1 dir="auto">Ann</h1>' in shown
    blind = browser_of("sessions_app.view_session", "parlant_site.view_auditentry")
    assert b">Ann</h1>" not in blind.get("/admin/sessions_app/session/?customer=ann").content
    assert b">Ann</h1>" not in blind.get("/admin/parlant_site/auditentry/?kind=customer&object=ann").content


def test_the_audit_of_an_object_leads_back_to_its_page(browser: Client) -> None:
    tag = Tag.add(name="VIP")
    page = browser.get(f"/admin/tags/tag/{tag.pk}/change/")
    link = page.context["audit_link"]
    assert f'href="{escape(link)}"' in page.content.decode()
    assert f'<a href="/admin/tags/tag/{tag.pk}/change/" dir="auto">VIP</a></nav>' in browser.get(link).content.decode()
    for nonsense in ("kind=user&object=x", "kind=nothing&object=1", "kind=tag&object=%00", "kind=tag&object=gone"):
        assert browser.get(f"/admin/parlant_site/auditentry/?{nonsense}").status_code == 200
