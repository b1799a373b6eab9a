"""Bulk actions on segments: lists and pins, with undo."""

from __future__ import annotations

import pytest
from django.core.exceptions import PermissionDenied

from customers.jobs.bulk import preview
from customers.jobs.models import DataJob
from customers.jobs.running import claim, run
from customers.jobs.starting import start, undo
from customers.models import Customer
from customers.segments.editing import make
from customers.segments.listing import NotAList, add, take_off
from customers.segments.models import Segment, SegmentMember, SegmentPin
from customers.segments.pinning import PinsAreForRules, pin
from customers.selection import Selection
from parlant_site.common.errors import BadInput, NotFound
from tests.data.test_roles import user_in

pytestmark = pytest.mark.django_db
NOBODY = {"combinator": "and", "rules": [{"field": "name", "operator": "=", "value": "Nobody"}]}


def people(number: int) -> None:
    Customer.objects.bulk_create(Customer(id=f"c{index:04}", name=f"Customer {index}") for index in range(number))


def done(kind: str, segment: Segment, **more: object) -> DataJob:
    """Start a job for all customers, run it and answer it."""
    query = Selection.matching({"search": "Customer"})
    job = start(kind, by=None, selection=query, parameters={"segment": segment.pk, **more})
    return finished(job)


def finished(job: DataJob) -> DataJob:
    claimed = claim(job.pk)
    assert claimed
    ended = run(claimed)
    assert ended.error == ""
    return ended


def members(segment: Segment) -> set[str]:
    segment.refresh_from_db()
    found = set(SegmentMember.objects.filter(segment=segment).values_list("customer_id", flat=True))
    assert segment.size == len(found)
    return found


def test_a_selection_is_put_on_a_list_and_undo_leaves_who_was_moved_since() -> None:
    people(250)
    vips = make(name="VIPs", is_static=True)
    add(vips, ["c0000", "c0001"])
    job = done("list_add", vips)
    assert (job.done, job.changed) == (250, 248)
    assert len(members(vips)) == 250
    take_off(vips, ["c0002"])
    Customer.objects.get(pk="c0003").remove()
    back = finished(undo(job, by=None))
    assert (back.changed, back.skipped) == (246, 2)
    assert {each.ref for each in back.problems.all()} == {"c0002", "c0003"}
    assert members(vips) == {"c0000", "c0001"}


def test_a_selection_is_taken_off_a_list_and_put_back() -> None:
    people(120)
    vips = make(name="VIPs", is_static=True)
    add(vips, Customer.objects.filter(pk__lt="c0110"))
    job = done("list_remove", vips)
    assert (job.done, job.changed) == (120, 110)
    assert members(vips) == set()
    assert finished(undo(job, by=None)).changed == 110
    assert len(members(vips)) == 110


def test_a_selection_is_pinned_and_pins_that_were_there_come_back() -> None:
    people(4)
    segment = make(name="Nobody", rule=NOBODY)
    pin(segment, "c0000", is_in=True, reason="mine")
    pin(segment, "c0001", is_in=False, reason="mine too")
    job = done("pin", segment, is_in=True, reason="all of them")
    assert (job.done, job.changed) == (4, 3)
    assert members(segment) == {"c0000", "c0001", "c0002", "c0003"}
    pin(segment, "c0003", is_in=True, reason="another reason")
    back = finished(undo(job, by=None))
    assert (back.changed, back.skipped) == (2, 1)
    assert members(segment) == {"c0000", "c0003"}
    pins = SegmentPin.objects.filter(segment=segment).order_by("customer_id")
    assert list(pins.values_list("customer_id", "is_in", "reason")) == [
        ("c0000", True, "mine"),
        ("c0001", False, "mine too"),
        ("c0003", True, "another reason"),
    ]


def test_what_cannot_be_is_refused() -> None:
    people(1)
    lists, rules = make(name="L", is_static=True), make(name="R", rule=NOBODY)
    everybody = Selection.matching({})
    for kind, parameters, refusal in (
        ("list_add", {"segment": "none"}, NotFound),
        ("list_add", {"segment": rules.pk}, NotAList),
        ("list_remove", {"segment": rules.pk}, NotAList),
        ("pin", {"segment": lists.pk, "is_in": True, "reason": "x"}, PinsAreForRules),
        ("pin", {"segment": rules.pk, "is_in": True, "reason": " "}, BadInput),
        ("pin", {"segment": rules.pk, "reason": "x"}, BadInput),
    ):
        with pytest.raises(refusal):
            start(kind, by=None, selection=everybody, parameters=parameters)
    with pytest.raises(PermissionDenied):
        start("list_add", by=user_in("Operator"), selection=everybody, parameters={"segment": lists.pk})
    assert start("list_add", by=user_in("Segment editor"), selection=everybody, parameters={"segment": lists.pk})


def test_previews_show_who_moves_and_how() -> None:
    people(5)
    listed, dynamic = Segment.objects.create(name="Fair", kind="static"), make(name="By rule", rule=NOBODY)
    add(listed, ["c0003", "c0004"])
    pin(dynamic, "c0004", is_in=False, reason="No")
    pin(dynamic, "c0003", is_in=True, reason="Asked")
    everybody = Selection.matching({"search": "Customer"})

    def shown(kind: str, **parameters: object) -> list[tuple[str, object, object]]:
        found = preview(kind, selection=everybody, parameters=parameters)
        assert found.total == 5
        return [(one.customer.pk, one.before, one.after) for one in found.samples]

    assert shown("list_add", segment=listed.pk) == [(f"c000{n}", {}, {"list": "Fair"}) for n in (2, 1, 0)]
    assert shown("list_remove", segment=listed.pk) == [(f"c000{n}", {"list": "Fair"}, {"list": None}) for n in (4, 3)]
    assert shown("pin", segment=dynamic.pk, is_in=True, reason="VIP") == [
        ("c0004", {"pin": "out: No"}, {"pin": "in: VIP"}),
        ("c0002", {}, {"pin": "in: VIP"}),
        ("c0001", {}, {"pin": "in: VIP"}),
    ]
    assert shown("export", form="csv") == []
    assert members(listed) == {"c0003", "c0004"}


def test_the_preview_of_an_erasure_shows_who_goes_and_leaves_the_guest_out() -> None:
    people(2)
    wanted = {"conversations": "delete"}
    found = preview("erase", selection=Selection.matching({}), parameters=wanted)
    assert found.total == 2
    assert [one.before for one in found.samples] == [{"customer": "Customer 1"}, {"customer": "Customer 0"}]
    assert start("erase", by=None, selection=Selection.matching({}), parameters=wanted).total == 2
    with pytest.raises(BadInput):
        preview("import", selection=Selection.matching({}), parameters={})
