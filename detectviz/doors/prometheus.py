"""Views of Prometheus' HTTP API.

Shape and status codes are those of Prometheus' ``web/api/v1``.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, ClassVar

from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt
from rest_framework.exceptions import (
    APIException,
    AuthenticationFailed,
    NotAuthenticated,
)

from detectviz.doors.callers import caller_identify, challenge
from detectviz.doors.parameters import ParameterError, Parameters
from detectviz.permissions.access import Access
from detectviz.promql.errors import (
    ParseError,
    PromqlError,
    QueryCancelledError,
    QueryTimeoutError,
)
from detectviz.promql.json_rows import json_bytes
from detectviz.resources.errors import DomainError
from detectviz.tenancy.requests import org_access
from detectviz.tsdb.interface import RateLimitedError, StoreError

_CLIENT_GONE = 499

logger = logging.getLogger(__name__)


class ApiError(Exception):
    """A failure in Prometheus' words: ``kind`` is ``errorType``."""

    def __init__(self, status: int, kind: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Success:
    """An answer: ``data`` is anything JSON holds, or bytes that are JSON already."""

    data: Any = None
    warnings: Sequence[str] = field(default=())
    infos: Sequence[str] = field(default=())

    def response(self) -> HttpResponse:
        """Return it in Prometheus' shape."""
        data = self.data if isinstance(self.data, bytes) else json_bytes(self.data)
        pieces = [b'{"status":"success"']
        if self.data is not None:
            pieces.append(b',"data":' + data)
        if self.warnings:
            pieces.append(b',"warnings":' + json_bytes(list(self.warnings)))
        if self.infos:
            pieces.append(b',"infos":' + json_bytes(list(self.infos)))
        return HttpResponse(b"".join(pieces) + b"}", content_type="application/json")


@method_decorator(csrf_exempt, name="dispatch")
class PrometheusView(View):
    """One address below ``/orgs/{org}/prometheus/``.

    ``answer`` is called for the methods in ``methods`` once the caller may do ``permission`` in
    the org. It may return a whole response where Prometheus' own is no JSON.
    """

    permission: ClassVar[str] = "series:read"
    methods: ClassVar[frozenset[str]] = frozenset({"GET", "HEAD"})

    org: Any
    access: Access
    parameters: Parameters

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Answer, failures included."""
        try:
            caller_identify(request)
            if request.method == "OPTIONS":
                return HttpResponse(headers={"Allow": self._allowed()})
            if request.method not in self.methods:
                return self._method_refused()
            self.org, self.access = org_access(request, kwargs.pop("org"))
            self.authorize()
            self.parameters = Parameters.of(request)
            found = self.answer(request, **kwargs)
            return found.response() if isinstance(found, Success) else found
        except Exception as error:  # noqa: BLE001 - each becomes an answer, unknown ones are logged
            return failure_response(request, error)

    def answer(self, request: HttpRequest, **kwargs: str) -> Success | HttpResponse:
        """Return what was asked for, or raise."""
        raise NotImplementedError

    def authorize(self) -> None:
        """Raise ForbiddenError unless the caller may ask here."""
        self.access.require(self.permission)

    def _allowed(self) -> str:
        return ", ".join(sorted(self.methods | {"OPTIONS"}))

    def _method_refused(self) -> HttpResponse:
        response = _failure(405, "bad_data", "method not allowed")
        response["Allow"] = self._allowed()
        return response


class FilteredView(PrometheusView):
    """One that answers what of it the caller may read: who may read some of it may ask."""

    def authorize(self) -> None:
        """Raise ForbiddenError for who may read nothing."""
        if not self.access.allows_somewhere(self.permission):
            self.access.require(self.permission)


def failure_response(request: HttpRequest, error: Exception) -> HttpResponse:
    """Return a failure in Prometheus' shape; what nobody foresaw is logged and says nothing."""
    for family, status, kind in _FAILURES:
        if isinstance(error, family):
            return _failure(status, kind, str(error))
    match error:
        case ApiError():
            return _failure(error.status, error.kind, str(error))
        case StoreError():
            return _store_failure(error)
        case DomainError():
            return _failure(error.status_code, _kind(error.status_code), error.message)
        case APIException():
            return _refusal(request, error)
        case RequestDataTooBig() | SuspiciousOperation():
            return _failure(413, "bad_data", "the request is too large")
    logger.error("a door of Prometheus' API failed", exc_info=error)
    return _failure(500, "internal", "something went wrong here; the server's log says what")


_FAILURES: Sequence[tuple[type[Exception], int, str]] = (
    (ParameterError, 400, "bad_data"),
    (ParseError, 400, "bad_data"),
    (QueryTimeoutError, 503, "timeout"),
    (QueryCancelledError, _CLIENT_GONE, "canceled"),
    (PromqlError, 422, "execution"),
)


def _store_failure(error: StoreError) -> HttpResponse:
    if isinstance(error, RateLimitedError):
        response = _failure(429, "too_many_requests", str(error))
        response["Retry-After"] = str(max(1, round(error.retry_after_s)))
        return response
    if error.retryable:
        return _failure(503, "unavailable", str(error))
    return _failure(422, "execution", str(error))


def _refusal(request: HttpRequest, error: APIException) -> HttpResponse:
    response = _failure(error.status_code, _kind(error.status_code), str(error.detail))
    if isinstance(error, NotAuthenticated | AuthenticationFailed):
        response.status_code = HTTPStatus.UNAUTHORIZED
        response["WWW-Authenticate"] = challenge(request)
    wait_s: float | None = getattr(error, "wait", None)  # of Throttled, which its types don't say
    if wait_s:
        response["Retry-After"] = str(round(wait_s))
    return response


def _kind(status: int) -> str:
    kinds = {401: "unauthorized", 403: "forbidden", 404: "not_found", 406: "not_acceptable"}
    return kinds.get(status, "bad_data")


def _failure(status: int, kind: str, message: str) -> HttpResponse:
    body = json_bytes({"status": "error", "errorType": kind, "error": message})
    return HttpResponse(body, status=status, content_type="application/json")
