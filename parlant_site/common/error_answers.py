"""From what a view raised to the error shapes of the contract."""

import logging
import math
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.db import IntegrityError
from django.http import Http404
from rest_framework import exceptions, status
from rest_framework.response import Response
from rest_framework.views import set_rollback

from parlant_site.common.errors import BadInput, Refusal
from parlant_site.common.json import JSONValue

logger = logging.getLogger(__name__)


def problems_of(detail: Any, loc: list[Any], given: Any) -> list[dict[str, JSONValue]]:
    """Flatten a REST framework error detail into the contract's list; `given` is what stood at `loc`."""
    if isinstance(detail, dict):
        found = []
        for key, part in detail.items():
            if key == "non_field_errors":
                found += problems_of(part, loc, given)
            else:
                inner = given.get(key) if hasattr(given, "get") else _item(given, key)
                found += problems_of(part, [*loc, key], inner)
        return found
    if isinstance(detail, (list, tuple)):
        found = []
        for index, part in enumerate(detail):
            if isinstance(part, dict):
                if part:
                    found += problems_of(part, [*loc, index], _item(given, index))
            else:
                found += problems_of(part, loc, given)
        return found
    code = getattr(detail, "code", "invalid")
    return [{"loc": loc, "msg": str(detail), "type": "missing" if code == "required" else code, "input": given}]


def _item(given: Any, index: Any) -> Any:
    try:
        return given[index]
    except (LookupError, TypeError):
        return None


def answer_error(error: Exception, context: dict[str, Any]) -> Response:
    """Answer the contract's error shape for what a view raised; what nobody expected is logged, and told to nobody."""
    headers = {}
    if isinstance(error, BadInput):
        body: Any = error.problems
        code = error.status
    elif isinstance(error, Refusal):
        body, code = error.detail, error.status
    elif isinstance(error, Http404):
        body, code = "Not Found", status.HTTP_404_NOT_FOUND
    elif isinstance(error, PermissionDenied):
        body, code = "Permission denied", status.HTTP_403_FORBIDDEN
    elif isinstance(error, RequestDataTooBig):
        body, code = "The body is too large", 413
    elif isinstance(error, exceptions.ValidationError):
        body = problems_of(error.detail, ["query"], context["request"].query_params)
        code = 422
    elif isinstance(error, exceptions.APIException):
        body, code = str(error.detail), error.status_code
        if getattr(error, "auth_header", None):
            headers["WWW-Authenticate"] = error.auth_header  # type: ignore[attr-defined]
        if isinstance(error, exceptions.Throttled) and (wait := getattr(error, "wait", None)) is not None:
            headers["Retry-After"] = str(max(1, math.ceil(wait)))
    elif isinstance(error, IntegrityError):
        # What was valid when it was looked at, and is not any more: the database has the last word.
        logger.error("Refused by the database in %s", context.get("view"), exc_info=error)
        body, code = "Something that this request names was changed at the same time: look again", 422
    else:
        logger.error("Unexpected error in %s", context.get("view"), exc_info=error)
        body, code = "Internal Server Error", 500
    set_rollback()
    return Response({"detail": body}, status=code, headers=headers)
