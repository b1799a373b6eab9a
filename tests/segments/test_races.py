"""Two who change segments and tags at the same moment: the second waits, and sees what the first did."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Thread
from typing import Any

import pytest
from django.db import connection, transaction

from customers.models import Customer, CustomerTag, Segment
from customers.segments.circles import RuleInCircle
from customers.segments.editing import SegmentInUse, amend, make, remove
from customers.segments.files import import_segments
from customers.segments.publishing import PublishesInCircle, TagInUse, TagReserved, publish
from customers.segments.worker import settle_all
from parlant_site.common.errors import NotFound, Refusal
from tags.models import Tag
from tests.segments.membership import check_settled, made, rule

pytestmark = pytest.mark.usefixtures("database")
WAIT = 0.5  # seconds: long enough for the second to come to its end if nothing held it


def met(first: Callable[[], Any], second: Callable[[], Any]) -> Refusal | None:
    """Let somebody do the second while the first is done and not committed; answer what the second was refused with."""
    refused: list[Refusal | None] = []
    done = Event()

    def run() -> None:
        try:
            second()
            refused.append(None)
        except Refusal as refusal:
            refused.append(refusal)
        finally:
            connection.close()
            done.set()

    thread = Thread(target=run)
    with transaction.atomic():
        first()
        thread.start()
        done.wait(WAIT)
    thread.join(30)
    (answer,) = refused
    return answer


def asks_for(segment: Segment) -> Any:
    """Answer a rule that asks for a segment."""
    return rule("segments", "any", [segment.pk])


@pytest.fixture
def two() -> tuple[Segment, Segment]:
    """Two segments that know nothing of each other."""
    return made("A", rule("name", "=", "a")), made("B", rule("name", "=", "b"))


def test_two_edits_at_once_close_no_circle(two: tuple[Segment, Segment]) -> None:
    one, other = two
    refused = met(lambda: amend(one, rule=asks_for(other)), lambda: amend(other, rule=asks_for(one)))
    assert isinstance(refused, RuleInCircle)
    assert "B -> A -> B" in str(refused)


def test_a_new_segment_and_an_edit_close_no_circle(two: tuple[Segment, Segment]) -> None:
    one, _ = two
    refused = met(
        lambda: amend(one, rule=rule("segments", "any", ["later"])),
        lambda: make(name="New", id="later", rule=asks_for(one)),
    )
    assert isinstance(refused, RuleInCircle)


def test_an_edit_and_a_published_tag_close_no_circle(two: tuple[Segment, Segment]) -> None:
    one, _ = two
    tag = Tag.add(name="T")
    bears = rule("tags", "any", [tag.pk])
    assert isinstance(met(lambda: publish(one, tag), lambda: amend(one, rule=bears)), RuleInCircle)
    other, second = two[1], Tag.add(name="U")
    bears = rule("tags", "any", [second.pk])
    assert isinstance(met(lambda: amend(other, rule=bears), lambda: publish(other, second)), PublishesInCircle)


def test_an_edit_and_a_file_close_no_circle(two: tuple[Segment, Segment]) -> None:
    one, other = two
    file = "segments: [{name: B, rule: segment:A}]"
    assert isinstance(met(lambda: amend(one, rule=asks_for(other)), lambda: import_segments(file)), RuleInCircle)


def test_no_rule_names_a_segment_that_is_deleted_at_this_moment(two: tuple[Segment, Segment]) -> None:
    one, other = two
    assert isinstance(met(lambda: amend(one, rule=asks_for(other)), lambda: remove(other)), SegmentInUse)


@pytest.mark.parametrize(
    "put_on",
    [
        lambda tag: Customer.objects.get(pk="ada").amend(add_tags=[tag.pk]),
        lambda tag: Customer.register(name="Ben", tags=[tag]),
    ],
)
def test_a_tag_that_is_put_on_and_published_at_once_is_borne_by_members_alone(
    two: tuple[Segment, Segment], put_on: Callable[[Tag], Any]
) -> None:
    Customer.register(id="ada", name="Ada")
    first, second = Tag.add(name="T"), Tag.add(name="U")
    assert isinstance(met(lambda: put_on(first), lambda: publish(two[0], first)), TagInUse)
    assert isinstance(met(lambda: publish(two[0], second), lambda: put_on(second)), TagReserved)
    settle_all()
    assert not CustomerTag.objects.filter(tag=second).exists()
    check_settled()


def test_a_tag_that_is_deleted_and_published_at_once_is_one_of_both(two: tuple[Segment, Segment]) -> None:
    first, second = Tag.add(name="T"), Tag.add(name="U")
    assert isinstance(met(first.remove, lambda: publish(two[0], Tag(id=first.pk))), NotFound)
    assert isinstance(met(lambda: publish(two[0], second), second.remove), TagReserved)
    assert Tag.objects.filter(pk=second.pk).exists()


def test_two_may_put_on_a_tag_at_once_and_two_may_delete_it() -> None:
    tag = Tag.add(name="T")
    for name in ("Ada", "Ben"):
        Customer.register(id=name, name=name)
    ada, ben = Customer.objects.get(pk="Ada"), Customer.objects.get(pk="Ben")
    assert met(lambda: ada.amend(add_tags=[tag.pk]), lambda: ben.amend(add_tags=[tag.pk])) is None
    assert CustomerTag.objects.filter(tag=tag).count() == 2
    met(tag.remove, Tag.objects.get(pk=tag.pk).remove)
    assert not Tag.objects.filter(pk=tag.pk).exists()
