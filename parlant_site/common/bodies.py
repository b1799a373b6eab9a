"""Bodies of requests: their size, and reading them as JSON."""

from collections.abc import Callable
from typing import Any, cast

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.utils.module_loading import import_string
from rest_framework.request import Request

from parlant_site.common.errors import BadInput
from parlant_site.common.json import JSONValue, UnusableJSON, parse

GetResponse = Callable[[HttpRequest], HttpResponseBase]


class LimitBodies:
    """Refuse bodies that are larger than their path may take with 413, before anything reads them.

    Whoever reads pages gets a page, shown by the view that the settings name, once it is known who she is; all others
    get JSON, before anything else is looked at.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer 413 or go on."""
        if _fits(request) or _reads_pages(request):
            return self.get_response(request)
        return JsonResponse({"detail": f"The body is larger than {largest_body(request.path)} bytes"}, status=413)

    def process_view(self, request: HttpRequest, *view: object) -> HttpResponseBase | None:
        """Answer 413 to those who read pages: before the check of the form's token, which would read the body."""
        if _fits(request):
            return None
        too_large: GetResponse = import_string(settings.PARLANT_TOO_LARGE_VIEW)
        return too_large(request)


def largest_body(path: str) -> int:
    """Answer how many bytes the body of a request for a path may have: operators upload files to the admin."""
    if path.startswith("/admin/"):
        return int(settings.PARLANT_MAX_UPLOAD_BYTES)
    return int(settings.PARLANT_MAX_BODY_BYTES)


def _reads_pages(request: HttpRequest) -> bool:
    offered = ["application/json", "text/html"]  # the first one for who takes anything
    return request.path.startswith("/admin/") and request.get_preferred_type(offered) == "text/html"


def _fits(request: HttpRequest) -> bool:
    try:
        return int(request.META.get("CONTENT_LENGTH") or 0) <= largest_body(request.path)
    except ValueError:
        return True


def json_body(request: Request) -> dict[str, JSONValue]:
    """Answer the body as a JSON object, whatever content type it claims.

    Raises BadInput for a missing body, broken or unusable JSON and what is no object; RequestDataTooBig for one that is
    too large (a chunked body announces no length).
    """
    text = cast(Any, request)._request.body
    if len(text) > settings.PARLANT_MAX_BODY_BYTES:
        raise RequestDataTooBig
    if not text:
        raise BadInput.at("body", msg="Field required", type="missing")
    try:
        value = parse(text)
    except UnusableJSON as error:
        raise BadInput.at("body", msg=str(error), type="json_invalid") from None
    if not isinstance(value, dict):
        raise BadInput.at("body", msg="Input should be an object", type="dict_type", input=value)
    return value
