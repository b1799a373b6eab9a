"""The tags that rows name: looked up for a whole chunk, and made where that is wanted."""

from __future__ import annotations

from collections.abc import Iterable

from customers.segments.publishing import reserved_among
from customers.transfer.reading import Said, Unusable
from customers.transfer.tables import Row
from tags.models import NAME_LENGTH, Tag, TagNameTaken


class Tagging:
    """Ids of tags by their names, or by their ids; `made` are the names of those that were new."""

    def __init__(self, words: Iterable[str], *, create: bool, dry_run: bool) -> None:
        wanted = [*dict.fromkeys(words)]
        by_id = set(Tag.objects.filter(pk__in=wanted).values_list("pk", flat=True))
        self.known: dict[str, str] = {key: key for key in by_id}
        self.known |= dict(Tag.objects.filter(name__in=wanted).values_list("name", "pk"))
        self.reserved = reserved_among(self.known.values())
        self.create, self.dry_run = create, dry_run
        self.made: list[str] = []

    def resolve(self, rows: Iterable[Said], rejected: list[tuple[Row, str]]) -> list[Said]:
        """Put ids for the names of the rows' tags; a row that names a tag that cannot be is rejected.

        In a dry run a new tag goes by its name. Tags that segments publish say nothing: their segments decide.
        """
        usable = []
        for one in rows:
            try:
                if one.tags:
                    ids = [self.known.get(word) or self._make(word) for word in one.tags]
                    one.tags = [key for key in ids if key not in self.reserved]
            except Unusable as refusal:
                rejected.append((one.row, str(refusal)))
            else:
                usable.append(one)
        return usable

    def _make(self, name: str) -> str:
        if not self.create:
            raise Unusable(f"tags: there is no tag {name!r}")
        if len(name) > NAME_LENGTH:
            raise Unusable(f"tags: {name[:40]}… is longer than {NAME_LENGTH} characters")
        if not self.dry_run:
            try:
                self.known[name] = Tag.add(name=name).pk
            except TagNameTaken:  # by somebody else, just now
                self.known[name] = Tag.objects.get(name=name).pk
                return self.known[name]
        self.made.append(name)
        return self.known.setdefault(name, name)
