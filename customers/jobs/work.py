"""What a job does: one class per kind, found by name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from customers.jobs.models import DataJob, JobProblem
from parlant_site.common.errors import BadInput
from parlant_site.common.json import JSONValue


@dataclass
class Batch:
    """What one chunk works on; `cursor` is where the next one begins."""

    rows: list[Any]
    cursor: JSONValue


@dataclass
class Outcome:
    """What became of the rows of a chunk."""

    done: int
    changed: int = 0
    skipped: int = 0
    problems: list[JobProblem] = field(default_factory=list)


class Work(ABC):
    """The work of one job: a loop of read (outside), write (inside the transaction that keeps the progress)."""

    kind: ClassVar[str]
    label: ClassVar[Any] = ""  # what people call the kind; translatable
    permission: ClassVar[str]
    can_be_undone: ClassVar[bool] = True
    undo_kind: ClassVar[str] = "undo"  # the kind of job that undoes one of this kind

    def __init__(self, job: DataJob) -> None:
        self.job = job

    @classmethod
    @abstractmethod
    def checked(cls, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Answer the parameters as a job keeps them; BadInput or another Refusal for wrong ones."""

    @classmethod
    @abstractmethod
    def describe(cls, parameters: Mapping[str, Any]) -> str:
        """Answer a title: what is done, in a few words."""

    def count(self) -> int | None:
        """Answer how many rows there are to do, to measure progress by."""
        return None

    @abstractmethod
    def read(self, cursor: JSONValue) -> Batch | None:
        """Answer the chunk that begins at a cursor (None: the first); None when there is nothing left."""

    @abstractmethod
    def write(self, batch: Batch) -> Outcome:
        """Do a chunk. All or nothing: what raises is rolled back and done again, or fails the job."""

    def finish(self) -> None:  # noqa: B027 - most have nothing to say
        """Add to job.report and job.result what is to be said at the end; in a transaction of its own."""


_kinds: dict[str, type[Work]] = {}


def kind(work: type[Work]) -> type[Work]:
    """Register a class under its kind."""
    _kinds[work.kind] = work
    return work


def work_class(name: str) -> type[Work]:
    """Answer the class of a kind; BadInput for an unknown one."""
    if name not in _kinds:
        raise BadInput.at("kind", msg=f"Unknown kind of job {name!r}; known are {', '.join(sorted(_kinds))}")
    return _kinds[name]


def kinds() -> list[tuple[str, Any]]:
    """Answer every kind with what people call it."""
    return [(name, label_of(name)) for name in _kinds]


def label_of(name: str) -> Any:
    """Answer what people call a kind; its name when nobody knows it any more."""
    return (_kinds[name].label if name in _kinds else "") or name.replace("_", " ").capitalize()
