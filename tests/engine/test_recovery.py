"""What a crash leaves behind is taken up by others: real processes, killed in the middle of a reply."""

from __future__ import annotations

import time

from sessions_app import actions
from sessions_app.models import Event, Session
from tests.engine.conftest import shapes, wait_for, wait_until_ready
from tests.engine.workers import Nursery

# Nobody waits until this runs out.
LONG = 3600.0


def ask(session: Session) -> Event:
    asked = actions.post_customer_message(session, message="Hello")
    wait_for(lambda: shapes(session)[-1] == "processing")
    return asked


def test_a_reply_that_died_is_closed_and_written_by_another_process(session: Session, workers: Nursery) -> None:
    first = workers.start(is_slow=True)
    asked = ask(session)
    first.kill()
    died = time.monotonic()
    workers.start()
    said = wait_for(lambda: (said := shapes(session, asked.trace_id)).count("ready") == 2 and said, 15)
    assert time.monotonic() - died < 15
    assert said == [
        "customer: Hello",
        "acknowledged",
        "processing",
        "error",
        "ready",
        "acknowledged",
        "processing",
        "typing",
        "ai_agent: Hello Alice! How can I help you?",
        "ready",
    ]


def test_a_newer_message_is_answered_at_once_though_the_worker_of_the_older_died(
    session: Session, workers: Nursery
) -> None:
    first = workers.start(is_slow=True, lease=LONG)
    asked = ask(session)
    first.kill()
    workers.start()
    newer = actions.post_customer_message(session, message="Good morning")
    wait_until_ready(session, newer.trace_id)
    assert shapes(session, asked.trace_id)[-2:] == ["cancelled", "ready"]


def test_who_is_told_to_end_leaves_its_replies_to_others(session: Session, workers: Nursery) -> None:
    first = workers.start(is_slow=True, lease=LONG)
    asked = ask(session)
    assert first.terminate() == 0
    workers.start()
    said = wait_for(lambda: (said := shapes(session, asked.trace_id)).count("ready") == 2 and said)
    assert said[3:6] == ["cancelled", "ready", "acknowledged"]


def test_many_sessions_survive_workers_that_are_killed_again_and_again(session: Session, workers: Nursery) -> None:
    """Nothing is answered twice, nothing is left open, nothing stays unanswered."""
    sessions = [Session.open(agent=session.agent, customer=session.customer) for _ in range(60)]
    for round_ in range(3):
        killed = workers.start(PARLANT_AGENTS_CONCURRENCY=5)
        for one in sessions[round_ * 20 : round_ * 20 + 20]:
            actions.post_customer_message(one, message="Hello")
        time.sleep(0.02 * round_)  # in the middle of its work, wherever that is
        killed.kill()
    workers.start()
    workers.start()
    wait_for(lambda: not Session.objects.exclude(reply_due=None).exists())
    for one in sessions:
        said = shapes(one)
        assert len([shape for shape in said if shape.startswith("ai_agent")]) == 1, said
        assert said.count("acknowledged") == said.count("ready")
        assert said[-1] == "ready"
        offsets = list(one.events.order_by("offset").values_list("offset", flat=True))
        assert offsets == list(range(len(offsets)))


def test_several_processes_share_the_work_and_nobody_is_answered_twice(session: Session, workers: Nursery) -> None:
    sessions = [Session.open(agent=session.agent, customer=session.customer) for _ in range(40)]
    workers.start()
    workers.start()
    for one in sessions:
        actions.post_customer_message(one, message="Hello")
    wait_for(lambda: not Session.objects.exclude(reply_due=None).exists())
    for one in sessions:
        assert shapes(one)[1:] == [
            "acknowledged",
            "processing",
            "typing",
            "ai_agent: Hello Alice! How can I help you?",
            "ready",
        ]
