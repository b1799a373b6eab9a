"""How well questions find their answers: the demo's canned responses, asked as people ask."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from parlant_site.demo.answers import answers
from sessions_app.engine import ranking
from sessions_app.engine.responders import canned
from sessions_app.engine.wording import Candidate
from sessions_app.events import Purpose

# Each line: the key of the right answer (small-talk-… for what every agent says, - for none), and the question.
QUESTIONS = [
    tuple(line.split(maxsplit=1))
    for line in (Path(__file__).parent / "questions.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]


@cache
def library(semantic: bool) -> canned.Library:
    """Index the demo's answers, as if they were in the database; with or without the extra `semantic`."""
    found = canned.Library()
    demo = [Candidate(one.key, one.value, one.purpose, tuple(one.signals)) for one in answers().values()]
    found.index(demo)
    return found


def answer_to(question: str, semantic: bool) -> str:
    """Answer the key of what would be said, or "-"."""
    for candidate, score in library(semantic).closest(question):
        if canned.is_sure(canned.Found(candidate, "", score)):
            return candidate.id
    return "-"


BY_MEANING_TOO = pytest.param(True, marks=pytest.mark.skipif(not ranking.is_semantic(), reason="no extra `semantic`"))


@pytest.mark.parametrize("semantic", [False, BY_MEANING_TOO])
def test_most_questions_are_answered_rightly_and_hardly_any_wrongly(
    semantic: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not semantic:
        monkeypatch.setattr(ranking, "encode", lambda texts: None)
    said = [(question, key, answer_to(question, semantic)) for key, question in QUESTIONS]
    missed = [one for one in said if one[2] == "-" != one[1]]
    wrong = [one for one in said if one[2] not in ("-", one[1])]
    assert len(QUESTIONS) > 75
    assert len(missed) <= 3, missed  # a human is asked: a pity
    assert len(wrong) <= 1, wrong  # something else is answered: worse


@pytest.mark.parametrize("semantic", [False, BY_MEANING_TOO])
def test_each_example_phrase_finds_its_answer(semantic: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not semantic:
        monkeypatch.setattr(ranking, "encode", lambda texts: None)
    asked = [(one.key, phrase) for one in answers().values() if one.purpose == Purpose.ANSWER for phrase in one.signals]
    assert [(key, phrase) for key, phrase in asked if answer_to(phrase, semantic) != key] == []


def test_misspelt_and_bent_words_still_match() -> None:
    ranker = ranking.Ranker(["reset the password", "download the invoices", "予約をキャンセルする"])
    for text, place in (("pasword", 0), ("passwords", 0), ("my invoice", 1), ("キャンセル", 2)):
        assert ranker.rank(text)[0].place == place


def test_a_response_of_the_business_wins_over_small_talk() -> None:
    known = canned.Library()
    known.index([Candidate("own", "Moin!", Purpose.ANSWER, ("Hello",))])
    assert known.closest("hello")[0][0].id == "own"


def test_nothing_is_asked_of_an_empty_collection() -> None:
    assert ranking.Ranker([]).rank("hello") == []
    assert ranking.Ranker(["", "?"]).rank("hello") == []
    assert ranking.Ranker(["hello"]).rank("") == []
