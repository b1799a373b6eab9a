"""Refusals: classes that carry the status; their text is for the caller to read."""

from typing import ClassVar

from parlant_site.common.json import JSONValue


class Refusal(Exception):
    """The request cannot be done."""

    status: ClassVar[int] = 422

    def __init__(self, detail: str | None = None) -> None:
        self.detail = detail or (type(self).__doc__ or "").strip()
        super().__init__(self.detail)


class NotFound(Refusal):
    """There is no such thing."""

    status = 404

    def __init__(self, what: str, key: object) -> None:
        super().__init__(f"{what} {str(key)!r} was not found")


class BadInput(Refusal):
    """Some fields of a request are wrong: a list of {loc, msg, type, input}, as the contract shows it."""

    def __init__(self, problems: list[dict[str, JSONValue]]) -> None:
        super().__init__("; ".join(_sentence(problem) for problem in problems))
        self.problems = problems

    def under(self, *places: str) -> "BadInput":
        """Answer the same problems, at a place of a request."""
        where: list[JSONValue] = [place for place in places if place]
        return type(self)([{**problem, "loc": [*where, *_listed(problem["loc"])]} for problem in self.problems])

    @classmethod
    def at(cls, *loc: str, msg: str, type: str = "value_error", input: JSONValue = None) -> "BadInput":
        """Answer the refusal of one value at a place such as ("body", "name")."""
        return cls([{"loc": list(loc), "msg": msg, "type": type, "input": input}])


def _sentence(problem: dict[str, JSONValue]) -> str:
    """Answer what is wrong and where, for people."""
    where = ".".join(str(part) for part in _listed(problem["loc"]))
    return f"{where}: {problem['msg']}" if where else str(problem["msg"])


def _listed(loc: JSONValue) -> list[JSONValue]:
    return loc if isinstance(loc, list) else [loc]
