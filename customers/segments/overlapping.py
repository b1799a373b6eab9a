"""How much segments overlap."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from django.db import connection

from customers.segments.models import Segment, SegmentMember
from parlant_site.common.errors import BadInput
from parlant_site.common.json import JSONValue

MOST = 4


@dataclass(frozen=True)
class Overlap:
    """Members of every one of some segments: all of them, and those who are in none of the other segments asked for."""

    segments: tuple[Segment, ...]
    members: int
    only: int

    def to_json(self) -> dict[str, JSONValue]:
        """Answer {segments: [id], members, only}."""
        return {"segments": [segment.pk for segment in self.segments], "members": self.members, "only": self.only}


def overlap(segments: Sequence[Segment]) -> list[Overlap]:
    """Answer the sizes of all intersections of 1 to 4 segments, single segments first; BadInput for more or none."""
    if not 1 <= len(segments) <= MOST or len({segment.pk for segment in segments}) < len(segments):
        raise BadInput.at("ids", msg=f"Name 1 to {MOST} different segments")
    regions = _regions(segments)
    found = []
    for number in range(1, len(segments) + 1):
        for chosen in combinations(range(len(segments)), number):
            mask = sum(1 << place for place in chosen)
            members = sum(count for region, count in regions.items() if region & mask == mask)
            found.append(Overlap(tuple(segments[place] for place in chosen), members, regions.get(mask, 0)))
    return found


def _regions(segments: Sequence[Segment]) -> dict[int, int]:
    """Answer how many customers are in exactly which of the segments: bits by place."""
    bits = " ".join(f"WHEN %s THEN {1 << place}" for place in range(len(segments)))
    marks = ", ".join(["%s"] * len(segments))
    keys = [segment.pk for segment in segments]
    statement = (
        f"SELECT region, count(*) FROM (SELECT sum(CASE segment_id {bits} END) AS region"
        f" FROM {SegmentMember._meta.db_table} WHERE segment_id IN ({marks}) GROUP BY customer_id) regions"
        " GROUP BY region"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [*keys, *keys])
        return {int(region): int(count) for region, count in cursor.fetchall()}
