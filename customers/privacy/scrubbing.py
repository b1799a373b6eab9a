"""Taking persons out of texts and JSON that are not theirs alone."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection
from typing import Any

from customers.parts import Subject
from parlant_site.common.rendering import dumps

ERASED = "[erased]"
SHORTEST_WORD = 4  # shorter names and ids are found in everything
READ_AT_ONCE = 1 << 20


class Scrubber:
    """Finds some persons by their ids and by the words that they are known by, and counts where it found whom."""

    def __init__(self, subjects: Collection[Subject]) -> None:
        self.subjects = subjects
        self.counts: dict[str, Counter[str]] = {subject.id: Counter() for subject in subjects}
        self.pseudonyms = {key: subject.pseudonym for subject in subjects for key in subject.ids}
        self.ids = frozenset(self.pseudonyms)
        self._patterns = {
            each.id: _pattern([*each.words, *(key for key in each.ids if len(key) >= SHORTEST_WORD)])
            for each in subjects
        }
        self._in_files = {each.id: _Words([*each.words, *each.ids]) for each in subjects}
        self._ids_in_files = {each.id: _Words(each.ids) for each in subjects}

    def clean(self, value: Any, *, sort: str) -> Any:
        """Answer JSON in which an id is a pseudonym, and a text that names one of them is gone."""
        cleaned = self._clean(value) if self._may_name(value) else value
        if cleaned != value:
            self._count(value, sort)
        return cleaned

    def finds(self, *values: Any, sort: str) -> bool:
        """Answer whether values name one of them."""
        found = any(self._may_name(value) and self._clean(value) != value for value in values)
        if found:
            self._count([*values], sort)
        return found

    def finds_in_file(self, file: Any, *, sort: str, by_id: bool = False) -> bool:
        """Answer whether a file names one of them, or has an id of hers; a missing file names nobody."""
        wanted = self._ids_in_files if by_id else self._in_files
        found: set[str] = set()
        try:
            with file.storage.open(file.name, "rb") as source:
                tail = b""
                while block := source.read(READ_AT_ONCE):
                    text = (tail + block).decode("utf-8", "ignore")
                    lower = text.lower()
                    found |= {key for key, words in wanted.items() if words.are_in(text, lower)}
                    tail = block[-1000:]
        except OSError:
            return False
        for key in found:
            self.counts[key][sort] += 1
        return bool(found)

    def _may_name(self, value: Any) -> bool:
        """Answer, soon, whether it is worth looking at every text of a value: most name nobody."""
        if not value:
            return False
        text = dumps(value).decode().lower()
        return any(word in text for words in self._in_files.values() for word in words.plain)

    def _clean(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {self.pseudonyms.get(key, key): self._clean(part) for key, part in value.items()}
        if isinstance(value, list):
            return [self._clean(part) for part in value]
        if not isinstance(value, str):
            return value
        if value in self.pseudonyms:
            return self.pseudonyms[value]
        return ERASED if any(pattern.search(value) for pattern in self._patterns.values()) else value

    def _count(self, value: Any, sort: str) -> None:
        text = str(value)
        for subject in self.subjects:
            if self._patterns[subject.id].search(text) or any(repr(key) in text for key in subject.ids):
                self.counts[subject.id][sort] += 1


class _Words:
    """Words to find in files, as CSV and JSON write them. Plain ones are found many times faster than a pattern."""

    def __init__(self, words: Collection[str]) -> None:
        written = {form for word in words for form in (word, word.replace('"', '""'), dumps(word).decode()[1:-1])}
        self.plain = tuple({word.lower() for word in written})
        self.pattern = _pattern([*written])

    def are_in(self, text: str, lower: str) -> bool:
        """Answer whether one of the words is in a text, as a whole word; `lower` is the text in small letters."""
        return any(word in lower for word in self.plain) and bool(self.pattern.search(text))


def _pattern(words: list[str]) -> re.Pattern[str]:
    """Answer what finds these as whole words, whatever their case."""
    wanted = sorted(set(words), key=len, reverse=True)
    return re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, wanted))})(?!\w)" if wanted else r"(?!)", re.IGNORECASE)
