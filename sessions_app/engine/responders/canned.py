"""Answers from canned responses: the closest one whose template can be rendered, else a human takes over."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from threading import Lock
from typing import Any, NamedTuple

from django.conf import settings

from sessions_app.engine import templates
from sessions_app.engine.conversation import Conversation, text_of
from sessions_app.engine.lanes import on_lane
from sessions_app.engine.ranking import Ranker
from sessions_app.engine.replies import Reply
from sessions_app.engine.small_talk import SMALL_TALK, SmallTalk
from sessions_app.engine.wording import Candidate, bearing_of, candidate_of, render, values_for
from sessions_app.events import Purpose, Rationale
from sessions_app.models import Agent, CannedResponse

PURPOSE_OF = {Rationale.BUY_TIME: Purpose.BUY_TIME, Rationale.FOLLOW_UP: Purpose.FOLLOW_UP}
# A question may be spread over so many messages.
MESSAGES = 3
# Small talk has to be meant clearly: "hello" in a longer question is none.
CLEARLY = 0.8
# What is said to a message that moderation flagged.
NOT_TO_BE_ANSWERED = "I am sorry, I cannot answer that message."


class Found(NamedTuple):
    """A candidate that fits, rendered."""

    candidate: Candidate
    text: str
    score: float


class Library:
    """All canned responses, indexed; read again when one of them changed."""

    def __init__(self) -> None:
        self._version: object = None
        self._lock = Lock()
        self.candidates: list[Candidate] = []
        self._ranker = Ranker([])
        self._owners: list[int] = []

    def refresh(self) -> None:
        """Read the canned responses again if any was added, changed or deleted; on a lane."""
        version = CannedResponse.objects.version()
        with self._lock:
            if version == self._version:
                return
            usable = CannedResponse.objects.filter(enabled=True).prefetch_related("tag_links")
            self.index([candidate_of(row) for row in usable])
            self._version = version

    def index(self, candidates: Sequence[Candidate]) -> None:
        """Index what may be said; the small talk comes after what the business says itself."""
        self.candidates = [*candidates, *(_small_talk(one) for one in SMALL_TALK)]
        phrases = [
            (place, phrase)
            for place, one in enumerate(self.candidates)
            if one.purpose == Purpose.ANSWER
            for phrase in (one.signals if one.is_small_talk else (*one.signals, templates.words_of(one.value)))
        ]
        self._owners = [place for place, _ in phrases]
        self._ranker = Ranker([phrase for _, phrase in phrases])

    def closest(self, text: str) -> list[tuple[Candidate, float]]:
        """Answer the candidates that come closest to what was said, the best first, with how sure that is."""
        best: dict[int, float] = {}
        with self._lock:
            for place, score in self._ranker.rank(text):
                owner = self._owners[place]
                best[owner] = max(best.get(owner, 0.0), score)
            return sorted(((self.candidates[owner], score) for owner, score in best.items()), key=lambda one: -one[1])

    def meant_for(self, purpose: Purpose) -> list[Candidate]:
        """Answer what is said on an occasion; the business's own first."""
        with self._lock:
            return [one for one in self.candidates if one.purpose == purpose]


LIBRARY = Library()


def _small_talk(one: SmallTalk) -> Candidate:
    return Candidate(one.id, one.value, one.purpose, one.signals, hands_over=one.hands_over, is_small_talk=True)


def find(
    conversation: Conversation, agent: Agent, texts: Collection[str], fields: Mapping[str, Any] | None = None
) -> list[Found]:
    """Answer what fits one of the texts and can be said, the best first."""
    values, bearing = values_for(conversation, agent, fields), bearing_of(conversation, agent)
    best: dict[str, Found] = {}
    for text in texts:
        for candidate, score in LIBRARY.closest(text):
            known = best.get(candidate.id)
            if known and known.score >= score:
                continue
            if (rendered := render(candidate, values, bearing)) is not None:
                best[candidate.id] = Found(candidate, rendered, score)
    return sorted(best.values(), key=lambda found: -found.score)


def on_occasion(conversation: Conversation, agent: Agent, purpose: Purpose) -> tuple[Candidate, str]:
    """Answer what is said on an occasion: the first of the business's own that can be said, or the small talk."""
    values, bearing = values_for(conversation, agent), bearing_of(conversation, agent)
    for candidate in LIBRARY.meant_for(purpose):
        if text := render(candidate, values, bearing):
            return candidate, text
    raise LookupError(purpose)  # the small talk has something for every occasion


def _reply(found: tuple[Candidate, str], **more: Any) -> Reply:
    candidate, text = found
    return Reply(text, canned=[(candidate.id, text)], **more)


def is_sure(found: Found) -> bool:
    """Whether it was probably meant."""
    return found.score >= (CLEARLY if found.candidate.is_small_talk else settings.PARLANT_CANNED_THRESHOLD)


def answer(conversation: Conversation, agent: Agent) -> Reply:
    """Answer what the agent says; on a lane."""
    LIBRARY.refresh()
    if conversation.guidelines:
        return _follow(conversation, agent)
    messages = [text_of(event) for event in conversation.unanswered()][-MESSAGES:]
    if not messages and not conversation.is_asked_by_customer:
        purpose = Purpose.FOLLOW_UP if conversation.was_spoken_by_agent() else Purpose.GREETING
        return _reply(on_occasion(conversation, agent, purpose))
    if not messages:
        return Reply(NOT_TO_BE_ANSWERED)
    for found in find(conversation, agent, {messages[-1], "\n".join(messages)}):
        if is_sure(found):
            asked = "The customer asked for a human" if found.candidate.hands_over else ""
            metadata = {"score": round(found.score, 3)}
            return _reply((found.candidate, found.text), metadata=metadata, hand_over=asked)
    reason = "No canned response fits"
    return _reply(on_occasion(conversation, agent, Purpose.NO_ANSWER), hand_over=reason, is_last_resort=True)


def _follow(conversation: Conversation, agent: Agent) -> Reply:
    """Answer what comes closest to what the agent was told to do."""
    actions = {guideline.action for guideline in conversation.guidelines}
    for found in find(conversation, agent, actions):
        if is_sure(found):
            return _reply((found.candidate, found.text))
    purpose = PURPOSE_OF.get(conversation.guidelines[0].rationale, Purpose.FOLLOW_UP)
    return _reply(on_occasion(conversation, agent, purpose))


async def respond(turn: Any, agent: Agent) -> Reply:
    """Answer what the agent says."""
    return await on_lane(answer, turn.conversation, agent)
