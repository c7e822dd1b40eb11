"""Every failure of the API as problem details (RFC 9457) that name the field."""

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig, TooManyFieldsSent
from django.http import Http404
from rest_framework import exceptions, status
from rest_framework.response import Response
from rest_framework.views import exception_handler

from detectviz.resources.api.formats import ProblemRenderer
from detectviz.resources.errors import DomainError, InvalidFieldsError, NotFoundError
from detectviz.resources.validation import flatten_errors


def problem(
    status_code: int, code: str, detail: str, fields: Mapping[str, list[str]] | None = None
) -> dict[str, Any]:
    """Return the body of one problem."""
    body: dict[str, Any] = {
        "type": f"urn:detectviz:problem:{code}",
        "title": code.replace("-", " ").capitalize(),
        "status": status_code,
        "code": code,
        "detail": detail,
    }
    if fields:
        body["errors"] = [
            {"field": path, "message": message}
            for path, texts in fields.items()
            for message in texts
        ]
    return body


def handle_exception(error: Exception, context: Mapping[str, Any]) -> Response | None:
    """DRF's exception handler: domain errors, DRF's own, and Django's 404 and 403."""
    answer = _answer(error, context)
    if answer is not None and (request := context.get("request")) is not None:
        # DRF renders by what it negotiated with the request, whatever the answer says.
        request.accepted_renderer = ProblemRenderer()
        request.accepted_media_type = ProblemRenderer.media_type
    return answer


def _answer(error: Exception, context: Mapping[str, Any]) -> Response | None:
    if isinstance(error, Http404):
        error = NotFoundError()
    if isinstance(error, (RequestDataTooBig, TooManyFieldsSent)):
        told = "There is too much in the request: its body is too large or its parameters too many."
        return _response(status.HTTP_413_REQUEST_ENTITY_TOO_LARGE, "too-large", told)
    if isinstance(error, DomainError):
        fields = error.fields if isinstance(error, InvalidFieldsError) else None
        return _response(error.status_code, error.code, error.message, fields)
    response = exception_handler(error, dict(context))
    if response is None:
        return None
    answer = _from_drf(error, response)
    for header in ("WWW-Authenticate", "Retry-After", "Allow"):
        if header in response.headers:
            answer[header] = response.headers[header]
    return answer


def _from_drf(error: Exception, response: Response) -> Response:
    if isinstance(error, exceptions.ValidationError):
        fields = flatten_errors(error.detail, "")
        clean = {path.lstrip("."): messages for path, messages in fields.items()}
        return _response(
            status.HTTP_422_UNPROCESSABLE_ENTITY, "invalid-fields", "Some fields are wrong.", clean
        )
    if isinstance(error, PermissionDenied):
        return _response(response.status_code, "forbidden", str(error) or "Not allowed.")
    detail = getattr(error, "detail", str(error))
    code = getattr(detail, "code", "error").replace("_", "-")
    return _response(response.status_code, code, str(detail))


def _response(
    status_code: int, code: str, detail: str, fields: Mapping[str, list[str]] | None = None
) -> Response:
    response = Response(problem(status_code, code, detail, fields), status=status_code)
    response.accepted_renderer = ProblemRenderer()
    response.accepted_media_type = ProblemRenderer.media_type
    vars(response)["renderer_context"] = {}  # DRF sets it on negotiated answers only
    return response
