"""Memberships are kept current by changes of customers, by time, by edits of rules and by the nightly look."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from customers.changing import Change, change_many, difference, register_many, tags_of
from customers.models import Changed, Customer, MembershipEvent, Segment, SegmentMember, SegmentRun
from customers.segments import listing, pinning, publishing, running
from customers.segments.editing import SegmentInUse, SegmentNameTaken, amend, refresh, remove
from customers.segments.history import Cause
from customers.segments.members import read_members
from customers.segments.past import as_of, members_as_of
from customers.segments.worker import look_at_the_clock, settle_all
from parlant_site.common.audit import AuditEntry
from parlant_site.common.errors import NotFound, Refusal
from sessions_app.events import Kind, Mode, Source
from sessions_app.models import Agent, Session
from tags.models import Tag
from tests.segments.membership import check_laws, check_settled, made, members, rule

pytestmark = pytest.mark.django_db
PRO = rule("metadata.plan", "=", "pro")


def settled() -> None:
    """Do all that is to do, and check that all is right."""
    settle_all()
    check_settled()


def test_a_segment_is_counted_when_it_is_made_and_says_when_and_why_each_member_entered() -> None:
    anna = Customer.register(name="Anna", metadata={"plan": "pro"})
    Customer.register(name="Bob", metadata={"plan": "free"})
    settled()
    segment = made("Pro", PRO)
    check_settled()
    assert (segment.size, members(segment)) == (1, {anna.pk})
    member = segment.members.get()
    event = segment.events.get()
    assert (member.via, event.cause, event.move, event.rule_version) == ("rule", "made", "entered", 1)
    assert member.since == event.at
    assert segment.days.get().entered == 1
    assert segment.runs.get().state == "ok"


def test_every_way_in_which_a_customer_changes_reaches_her_segments() -> None:
    agent = Agent.create(name="Iris")
    vip = Tag.add(name="VIP")
    segments = {
        "pro": made("pro", PRO),
        "vip": made("vip", rule("tags", "any", [vip.pk])),
        "named": made("named", rule("name", "=", "Zoë")),
        "talked": made("talked", rule("customer_message_count", ">", 0)),
        "heard": made("heard", rule("ai_message_count", ">", 0)),
        "open": made("open", rule("session_count", ">", 0)),
        "manual": made("manual", rule("manual_session_count", ">", 0)),
        "waiting": made("waiting", rule("waiting_since", "exists")),
    }

    def inside() -> set[str]:
        settled()
        return {name for name, segment in segments.items() if anna.pk in members(segment)}

    anna = Customer.register(name="Anna", metadata={"plan": "pro"}, tags=[vip])
    assert inside() == {"pro", "vip"}
    anna.amend(name="Zoë", set_metadata={"plan": "free"}, remove_tags=[vip.pk])
    assert inside() == {"named"}
    with transaction.atomic():
        rows = list(Customer.objects.select_for_update().filter(pk=anna.pk))
        change = Change(name="Anna", set_metadata={"plan": "pro"}, add_tags=frozenset([vip.pk]))
        change_many(difference(row, tags_of(rows)[row.pk], change) for row in rows)
    assert inside() == {"pro", "vip"}
    vip.remove()
    anna.amend(unset_metadata=["plan"])
    assert inside() == set()
    session = Session.open(agent=agent, customer=anna)
    assert inside() == {"open"}
    session.append_event(kind=Kind.MESSAGE, source=Source.CUSTOMER, data={"message": "Hi"})
    assert inside() == {"open", "talked", "waiting"}
    session.append_event(kind=Kind.MESSAGE, source=Source.AI_AGENT, data={"message": "Hello"})
    assert inside() == {"open", "talked", "heard"}
    session.amend(mode=Mode.MANUAL)
    assert inside() == {"open", "talked", "heard", "manual"}
    session.amend(mode=Mode.AUTO)
    session.delete_events_from(0)
    assert inside() == {"open"}
    bob = Customer.register(name="Bob")
    session.amend(customer=bob)
    assert inside() == set()
    session.amend(customer=anna)
    assert inside() == {"open"}
    session.remove()
    assert inside() == set()
    with transaction.atomic():
        register_many([(Customer(id="many", name="Zoë", metadata={"plan": "pro"}), [])])
    settled()
    assert "many" in members(segments["pro"]) & members(segments["named"])


def test_a_customer_who_is_deleted_leaves_in_the_same_transaction() -> None:
    anna = Customer.register(name="Anna", metadata={"plan": "pro"})
    Customer.objects.bulk_create(Customer(id=f"c{i}", name="C", metadata={"plan": "pro"}) for i in range(5))
    segment = made("Pro", PRO)
    anna.remove()
    check_laws()
    Customer.objects.filter(pk__startswith="c").delete()
    check_laws()
    segment.refresh_from_db()
    assert segment.size == 0
    assert {event.cause for event in segment.events.filter(move="left")} == {"deleted"}
    settled()


def test_pins_outvote_the_rule_and_say_why() -> None:
    anna = Customer.register(name="Anna", metadata={"plan": "pro"})
    bob = Customer.register(name="Bob")
    segment = made("Pro", PRO)
    pinning.pin(segment, bob.pk, is_in=True, reason="Asked for it")
    pinning.pin(segment, anna.pk, is_in=False, reason="Left us")
    check_settled()
    assert members(segment) == {bob.pk}
    assert segment.members.get().via == "pin"
    anna.amend(set_metadata={"plan": "free"})
    anna.amend(set_metadata={"plan": "pro"})
    bob.amend(set_metadata={"plan": "pro"})
    settled()
    pinning.unpin(segment, anna.pk)
    pinning.unpin(segment, bob.pk)
    check_settled()
    assert members(segment) == {anna.pk, bob.pk}
    assert set(segment.members.values_list("via", flat=True)) == {"rule"}
    assert AuditEntry.objects.about("segment", segment.pk).count() == 5
    with pytest.raises(NotFound):
        pinning.unpin(segment, bob.pk)
    with pytest.raises(NotFound):
        pinning.pin(segment, "nobody", is_in=True, reason="Why not")
    with pytest.raises(Refusal):
        pinning.pin(segment, bob.pk, is_in=True, reason=" ")


def test_a_list_has_the_members_that_it_was_given() -> None:
    keys = [Customer.register(name=name).pk for name in ("Anna", "Bob", "Cleo")]
    segment = made("Friends")
    assert listing.add(segment, keys[:2]).entered == 2
    assert listing.add(segment, Customer.objects.exclude(pk="guest")).entered == 1
    assert listing.take_off(segment, [keys[0]]).left == 1
    check_settled()
    assert members(segment) == set(keys[1:])
    assert set(segment.members.values_list("via", flat=True)) == {"list"}
    with pytest.raises(NotFound):
        listing.add(segment, [keys[0], "nobody"])
    assert members(segment) == set(keys[1:])
    with pytest.raises(listing.NotAList):
        listing.add(made("Pro", PRO), keys)
    with pytest.raises(pinning.PinsAreForRules):
        pinning.pin(segment, keys[0], is_in=True, reason="No")
    refresh(segment)
    settled()


def test_an_edited_rule_moves_who_belongs_no_more_and_who_belongs_now() -> None:
    anna = Customer.register(name="Anna", metadata={"plan": "pro"})
    bob = Customer.register(name="Bob", metadata={"plan": "free"})
    segment = made("Plan", PRO)
    edited = amend(segment, rule=rule("metadata.plan", "=", "free"))
    assert edited.rule_version == 2
    settled()
    assert members(segment) == {bob.pk}
    moves = list(segment.events.values_list("customer_ref", "move", "cause", "rule_version"))
    assert (anna.pk, "left", "rule", 2) in moves
    assert (bob.pk, "entered", "rule", 2) in moves
    with pytest.raises(SegmentNameTaken):
        made("Plan", PRO)
    assert AuditEntry.objects.about("segment", segment.pk).filter(act="changed").get().before == {"rule": segment.rule}


def test_segments_of_segments_follow(settings: object) -> None:
    anna = Customer.register(name="Anna", metadata={"plan": "pro"})
    pro = made("Pro", PRO)
    rest = made("Rest", rule("segments", "none", [pro.pk]))
    assert members(rest) == {"guest"}
    anna.amend(set_metadata={"plan": "free"})
    settled()
    assert members(rest) == {"guest", anna.pk}
    amend(pro, rule=rule("metadata.plan", "=", "free"))
    settled()
    assert members(rest) == {"guest"}
    with pytest.raises(SegmentInUse, match="Rest"):
        remove(pro)
    remove(rest)
    remove(pro)
    assert not SegmentMember.objects.exists()
    assert not MembershipEvent.objects.exists()


def test_time_moves_those_alone_whose_dates_a_boundary_passed() -> None:
    now = timezone.now()
    for index in range(10):
        Customer.objects.create(
            id=f"c{index}",
            name="C",
            last_seen=now - timedelta(days=index, minutes=1),
            metadata={"renewed": (now - timedelta(days=index, hours=1)).isoformat()[:19] + "Z"},
        )
    seen = made("Seen", rule("last_seen", "withinLast", "5 days"))
    renewed = made("Renewed", rule("metadata.renewed", "moreThanAgo", "5 days"))
    assert (seen.size, renewed.size) == (5, 5)
    # As if both had last been looked at two days ago.
    for segment in (seen, renewed):
        Segment.objects.filter(pk=segment.pk).update(timed_utc=now - timedelta(days=2))
    listed = {"c3", "c4", "c5", "c6"}
    SegmentMember.objects.filter(segment=seen).delete()
    SegmentMember.objects.bulk_create(
        SegmentMember(segment=seen, customer_id=key, since=now, via="rule") for key in listed
    )
    settle_all()
    # c0 and c1 were seen since; c5 and c6 no longer within 5 days; c2, between the boundaries, is not asked for.
    assert members(seen) == {"c0", "c1", "c3", "c4"}
    moved = seen.events.filter(cause="time").values_list("customer_ref", flat=True)
    assert set(moved) == {"c0", "c1", "c5", "c6"}


def test_the_nightly_look_finds_and_repairs_what_should_never_be() -> None:
    anna = Customer.register(name="Anna", metadata={"plan": "pro"})
    bob = Customer.register(name="Bob", metadata={"plan": "free"})
    segment = made("Pro", PRO)
    refresh(segment, Cause.RECONCILE)
    settled()
    assert segment.runs.first().drift == 0  # type: ignore[union-attr]
    # Somebody writes past the product.
    Customer.objects.filter(pk=anna.pk).update(metadata={})
    Customer.objects.filter(pk=bob.pk).update(metadata={"plan": "pro"})
    SegmentMember.objects.create(segment=segment, customer_id="gone", since=timezone.now(), via="rule")
    refresh(segment, Cause.RECONCILE)
    settle_all()
    run = segment.runs.first()
    assert run is not None
    assert (run.entered, run.left, run.repaired) == (1, 2, 1)
    assert members(segment) == {bob.pk}


def test_what_is_on_its_way_is_no_drift() -> None:
    anna = Customer.register(name="Anna")
    segment = made("Pro", PRO)
    anna.amend(set_metadata={"plan": "pro"})
    from customers.segments import running

    run = running.claim(refresh(segment, Cause.RECONCILE).pk)
    assert run is not None
    assert running.run_to_end(run).drift == 0
    settled()
    assert segment.events.get().cause == "customer"


def test_a_published_tag_is_borne_by_the_members_and_set_by_nobody_else() -> None:
    anna = Customer.register(name="Anna", metadata={"plan": "pro"})
    bob = Customer.register(name="Bob")
    segment = made("Pro", PRO)
    tag = Tag.add(name="Pro")
    publishing.publish(segment, tag)
    settled()
    assert list(tag.customers.all()) == [anna]
    bob.amend(set_metadata={"plan": "pro"})
    anna.amend(unset_metadata=["plan"])
    settled()
    assert list(tag.customers.all()) == [bob]
    for refused in (
        lambda: anna.amend(add_tags=[tag.pk]),
        lambda: bob.amend(remove_tags=[tag.pk]),
        lambda: bob.amend(replace_tags=[]),
        lambda: Customer.register(name="Cleo", tags=[tag]),
        tag.remove,
    ):
        with pytest.raises(publishing.TagReserved, match="Pro"):
            refused()
    with transaction.atomic(), pytest.raises(publishing.TagReserved):
        register_many([(Customer(name="Dora"), [tag.pk])])
    bob.amend(replace_tags=[tag.pk], name="Robert")  # what stays is nobody's doing
    settled()
    other = Tag.add(name="Other")
    anna.amend(add_tags=[other.pk])
    with pytest.raises(publishing.TagInUse):
        publishing.publish(segment, other)
    circle = Tag.add(name="Circle")
    with pytest.raises(publishing.PublishesInCircle):
        publishing.publish(made("Circle", rule("tags", "none", [circle.pk])), circle)
    publishing.unpublish(segment)
    assert not tag.customers.exists()
    anna.amend(add_tags=[tag.pk])
    settled()


def test_a_rule_can_ask_for_a_published_tag() -> None:
    anna = Customer.register(name="Anna", metadata={"plan": "pro"})
    segment, tag = made("Pro", PRO), Tag.add(name="Pro")
    bearing = made("Bearing", rule("tags", "any", [tag.pk]))
    publishing.publish(segment, tag)
    settled()
    assert members(bearing) == {anna.pk}
    anna.amend(unset_metadata=["plan"])
    settled()
    assert members(bearing) == set()


def test_the_members_of_any_instant_are_known() -> None:
    anna = Customer.register(name="Anna", metadata={"plan": "pro"})
    bob = Customer.register(name="Bob")
    segment = made("Pro", PRO)
    first = timezone.now()
    bob.amend(set_metadata={"plan": "pro"})
    Customer.objects.get(pk=anna.pk).remove()
    settled()
    segment.refresh_from_db()
    second = timezone.now()

    def at(instant: object) -> list[str]:
        return [event.customer_ref for event in members_as_of(segment, instant)]  # type: ignore[arg-type]

    assert at(first - timedelta(days=1)) == []
    assert at(first) == [anna.pk]
    assert at(second) == [bob.pk]
    assert as_of([segment])[segment.pk] >= second
    Customer.mark_stale([bob.pk], Changed.METADATA)
    assert as_of([segment])[segment.pk] < timezone.now()


def test_the_instant_for_which_members_are_right_waits_for_whatever_is_on_its_way() -> None:
    pro = made("Pro", PRO)
    rest, both = made("Rest", rule("segments", "none", [pro.pk])), made("All", rule("name", "!=", ""))
    tag = Tag.add(name="Pro")
    publishing.publish(pro, tag)
    bearing = made("Bearing", rule("tags", "any", [tag.pk]))
    outer = made("Outer", rule("segments", "any", [bearing.pk]))
    listed = made("List")

    def waiting() -> set[str]:
        """Answer the names of those that are not known to be right now."""
        before = timezone.now()
        return {row.name for row in rows() if as_of(rows())[row.pk] < before}

    def rows() -> list[Segment]:
        return list(Segment.objects.all())

    assert waiting() == set()
    before = timezone.now()
    amend(pro, rule=rule("metadata.plan", "=", "free"))
    # Who asks for it, through whatever others, waits with it; and the clock that goes on makes nothing right.
    look_at_the_clock()
    assert waiting() == {"Pro", "Rest", "Bearing", "Outer"}
    assert before <= as_of([outer])[outer.pk] == as_of([Segment.objects.get(pk=pro.pk)])[pro.pk]
    SegmentRun.objects.unfinished().update(state="failed", finished_utc=timezone.now())
    assert waiting() == {"Pro", "Rest", "Bearing", "Outer"}
    settle_all()
    refresh(pro)
    settled()
    assert waiting() == set()
    refresh(rest, Cause.RECONCILE)
    assert waiting() == set()
    settled()
    Customer.mark_stale(["guest"], Changed.METADATA)
    assert waiting() == {"Pro", "Rest", "Bearing", "Outer", "All"}
    assert {both.name, listed.name} == {"All", "List"}


def test_members_of_an_instant_say_for_which_instant_they_are_right() -> None:
    anna = Customer.register(name="Anna", metadata={"plan": "pro"})
    segment = made("Pro", PRO)
    first = timezone.now()
    assert read_members(segment, at=first).as_of == first
    assert first < read_members(segment, at=first + timedelta(days=9)).as_of < first + timedelta(days=1)
    anna.amend(set_metadata={"plan": "free"})
    settled()
    segment.refresh_from_db()
    page = read_members(segment, at=first)
    assert ([one.customer_id for one in page.items], page.as_of) == ([anna.pk], first)
    amend(segment, rule=rule("metadata.plan", "=", "free"))
    segment.refresh_from_db()
    later = timezone.now()
    page = read_members(segment, at=later)
    assert page.items == []
    assert first < page.as_of < later


def test_a_pattern_that_takes_for_ever_fails_its_run_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    register_many((Customer(name="Long", metadata={"text": "ab" * 20_000}), ()) for _ in range(20))
    settled()
    monkeypatch.setattr(running, "LONGEST_STEP", 0.005)
    segment = made("Monstrous", rule("metadata.text", "matches", "(?:.?){100}z"))
    run = segment.runs.get()
    if connection.vendor == "postgresql":
        assert (run.state, "took longer than 0.005 seconds" in run.error) == ("failed", True)
    else:  # whose patterns take time in proportion to the text
        assert run.state == "ok"
    check_laws()
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)
