"""How large a rule's segment would have been follows from what was recorded."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from io import StringIO
from zoneinfo import ZoneInfo

import pytest
from django.core.management import CommandError, call_command
from django.db import models

from customers.models import Customer, Segment
from customers.rules.reading import read_rule
from customers.segments.backtesting import Backtest, backtest
from parlant_site.common.audit import AuditEntry
from sessions_app.events import Kind, Source
from sessions_app.models import Agent, Session
from tags.models import Tag
from tests.segments.membership import made, rule

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 20, 12, tzinfo=UTC)


def days_ago(number: float) -> datetime:
    return NOW - timedelta(days=number)


def done(number: float, act: Callable[[], object]) -> None:
    """Do something as if so many days ago."""
    last = AuditEntry.objects.order_by("-id").values_list("id", flat=True).first() or 0
    act()
    models.QuerySet.update(AuditEntry.objects.filter(id__gt=last), at=days_ago(number))


def tried(field: str, operator: str, value: object = None, days: int = 10) -> Backtest:
    return backtest(read_rule(rule(field, operator, value)), zone=ZoneInfo("UTC"), days=days, now=NOW)


def sizes(found: Backtest) -> list[int]:
    return [day.size for day in found.days]


@pytest.fixture
def vip() -> Tag:
    """A past: Anna came 8 days ago, was pro for 4 days and VIP for 2; Bob, always pro, was deleted 3 days ago."""
    tag = Tag.add(name="VIP")
    agent = Agent.create(name="Iris")
    Customer.objects.filter(pk="guest").update(creation_utc=days_ago(100))
    done(20, lambda: Customer.register(id="bob", name="Bob", metadata={"plan": "pro"}))
    done(8, lambda: Customer.register(id="anna", name="Anna", metadata={"plan": "free"}))
    Customer.objects.filter(pk="anna").update(creation_utc=days_ago(8))
    anna = Customer.objects.get(pk="anna")
    done(6, lambda: anna.amend(set_metadata={"plan": "pro"}))
    session = Session.open(agent=agent, customer=anna)
    Session.objects.filter(pk=session.pk).update(creation_utc=days_ago(5))
    for number, source in ((5, Source.CUSTOMER), (4, Source.AI_AGENT), (1, Source.CUSTOMER)):
        session.append_event(kind=Kind.MESSAGE, source=source, data={"message": "Hi"}, creation_utc=days_ago(number))
    done(3, lambda: Customer.objects.get(pk="bob").remove())
    done(2, lambda: anna.amend(unset_metadata=["plan"], add_tags=[tag.pk]))
    return tag


def test_each_day_has_the_size_that_it_would_have_had(vip: Tag) -> None:
    found = tried("metadata.plan", "=", "pro")
    assert sizes(found) == [1, 1, 1, 2, 2, 2, 1, 0, 0, 0]
    assert [day.entered for day in found.days] == [0, 0, 0, 1, 0, 0, 0, 0, 0, 0]
    assert [day.left for day in found.days] == [0, 0, 0, 0, 0, 0, 1, 1, 0, 0]
    assert [found.days[0].day.isoformat(), found.days[-1].day.isoformat()] == ["2026-03-11", "2026-03-20"]
    assert found.is_exact
    assert sizes(tried("tags", "any", [vip.pk])) == [0, 0, 0, 0, 0, 0, 0, 1, 1, 1]
    # The guest, Bob until he was deleted, Anna since she came.
    assert sizes(tried("id", "!=", "nobody")) == [2, 3, 3, 3, 3, 3, 2, 2, 2, 2]


def test_messages_tell_what_was_going_on(vip: Tag) -> None:
    assert sizes(tried("customer_message_count", "=", 1)) == [0, 0, 0, 0, 1, 1, 1, 1, 0, 0]
    assert sizes(tried("waiting_since", "exists")) == [0, 0, 0, 0, 1, 0, 0, 0, 1, 1]
    assert sizes(tried("session_count", ">", 0)) == [0, 0, 0, 0, 1, 1, 1, 1, 1, 1]
    assert sizes(tried("last_seen", "withinLast", "2 days")) == [0, 0, 0, 0, 1, 1, 0, 0, 1, 1]
    assert tried("manual_session_count", "=", 0).as_of_today == ["manual_session_count"]


def test_segments_tell_who_was_in_them(vip: Tag) -> None:
    segment = made("VIP", rule("tags", "any", [vip.pk]))
    Segment.objects.filter(pk=segment.pk).update(changed_utc=days_ago(2))
    segment.events.update(at=days_ago(2))
    assert sizes(tried("segments", "any", [segment.pk])) == [0, 0, 0, 0, 0, 0, 0, 1, 1, 1]


def test_the_command_prints_a_line_for_each_day(vip: Tag) -> None:
    printed = StringIO()
    call_command("segment", "backtest", 'metadata.plan = "pro"', "--days", "3", stdout=printed)
    assert printed.getvalue().count("\n") == 4
    printed = StringIO()
    call_command("segment", "backtest", 'metadata.plan = "pro"', "--days", "3", "--json", stdout=printed)
    found = json.loads(printed.getvalue())
    assert (len(found["days"]), found["is_exact"]) == (3, True)
    with pytest.raises(CommandError, match="1 to 90"):
        call_command("segment", "backtest", 'metadata.plan = "pro"', "--days", "91")


def test_of_many_customers_some_stand_for_all(vip: Tag) -> None:
    Customer.objects.bulk_create(
        Customer(id=f"c{number:03}", name="C", metadata={"plan": "pro"}, creation_utc=days_ago(50))
        for number in range(97)
    )
    everybody = read_rule(rule("metadata.plan", "=", "pro"))
    found = backtest(everybody, zone=ZoneInfo("UTC"), days=2, most=20, now=NOW)
    assert (found.sampled, found.customers, found.is_exact) == (20, 99, False)
    assert 80 <= found.days[-1].size <= 100
