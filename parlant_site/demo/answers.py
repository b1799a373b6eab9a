"""The canned responses of the demo: answers.txt, read and written."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from random import Random

from django.db import transaction

from parlant_site.common.ids import make_id
from parlant_site.demo.customers import EPOCH_MS
from sessions_app.events import Purpose
from sessions_app.models import CannedResponse
from tags.models import Tag


@dataclass
class Answer:
    """Something that the demo's agents say."""

    key: str
    number: int
    value: str = ""
    purpose: Purpose = Purpose.ANSWER
    signals: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    needs: list[str] = field(default_factory=list)

    @property
    def id(self) -> str:
        """The id of the canned response: the same in every demo."""
        return make_id(EPOCH_MS + self.number * 1000, Random(f"answer/{self.key}").getrandbits(64))


@cache
def answers() -> dict[str, Answer]:
    """Answer the demo's answers by their key."""
    found: dict[str, Answer] = {}
    answer = Answer("", 0)
    for text in (Path(__file__).parent / "answers.txt").read_text(encoding="utf-8").splitlines():
        word, _, rest = text.partition(" ")
        if not text or word == "#":
            continue
        if word == "=":
            answer = found[rest] = Answer(rest, len(found))
        elif word == "?":
            answer.signals.append(rest)
        elif word == "for:":
            answer.tags = _words(rest)
        elif word == "needs:":
            answer.needs = _words(rest)
        elif word == "purpose:":
            answer.purpose = Purpose(rest)
        else:
            answer.value = text.replace("\\n", "\n")
    return found


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",")]


@transaction.atomic
def write_answers(tags: Mapping[str, Tag], anchor: datetime) -> list[CannedResponse]:
    """Write the answers that are missing, and answer them; who was deleted since stays deleted."""
    every = list(answers().values())
    there = set(CannedResponse.objects.filter(pk__in=[one.id for one in every]).values_list("pk", flat=True))
    last = max((one.number for one in every if one.id in there), default=-1)
    begin = anchor - timedelta(days=200)
    return [
        CannedResponse.create(
            id=one.id,
            creation_utc=begin + timedelta(hours=one.number),
            value=one.value,
            purpose=one.purpose,
            signals=one.signals,
            field_dependencies=one.needs,
            tags=[tags[name] for name in one.tags],
        )
        for one in every[last + 1 :]
    ]
