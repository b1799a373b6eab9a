"""The shapes in which the API answers."""

from __future__ import annotations

from typing import Any

import httpx


def refused(answer: httpx.Response, status: int, *naming: str) -> None:
    """Check that a request was refused with a sentence that names these words."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert set(body) == {"detail"}
    assert isinstance(body["detail"], str), body
    for word in naming:
        assert word in body["detail"]


def invalid(answer: httpx.Response, *locations: list[Any]) -> None:
    """Check that a request was refused by validation, with problems at these places, in any order."""
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert set(body) == {"detail"}
    assert isinstance(body["detail"], list), body
    for problem in body["detail"]:
        assert set(problem) == {"loc", "msg", "type", "input"}
        assert problem["loc"][0] in ("body", "query", "path")
        assert isinstance(problem["msg"], str)
        assert problem["msg"]
        assert isinstance(problem["type"], str)
        assert problem["type"]
    found = [problem["loc"] for problem in body["detail"]]
    assert sorted(map(str, found)) == sorted(map(str, locations)), body


def shown(answer: httpx.Response, status: int = 200) -> Any:
    """Answer the JSON of a good answer."""
    assert answer.status_code == status, answer.text
    if status == 204:
        assert answer.content == b""
        return None
    assert answer.headers["content-type"] == "application/json"
    return answer.json()
