"""What every address of Alertmanager's API has in common: callers, orgs, failures in its words."""

import logging
from http import HTTPStatus
from typing import Any, ClassVar

import orjson
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.http import HttpRequest, HttpResponse
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.csrf import csrf_exempt
from rest_framework.exceptions import APIException, AuthenticationFailed, NotAuthenticated

from detectviz.doors.callers import caller_identify, challenge
from detectviz.permissions.access import Access
from detectviz.resources.errors import DomainError, InvalidFieldsError, NotFoundError
from detectviz.tenancy.requests import org_access

logger = logging.getLogger(__name__)


class AnswerError(Exception):
    """A refusal in Alertmanager's words; ``body`` is its JSON, None for an empty answer."""

    def __init__(self, status: int, body: Any = None) -> None:
        super().__init__(str(body))
        self.status = status
        self.body = body


@method_decorator(csrf_exempt, name="dispatch")
class AlertmanagerView(View):
    """One address below ``/orgs/{org}/alertmanager/``; a method is allowed by its permission."""

    permissions: ClassVar[dict[str, str]] = {}

    org: Any
    access: Access

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Answer, failures included."""
        try:
            caller_identify(request)
            if request.method == "OPTIONS":
                return HttpResponse(headers={"Allow": self._allowed()})
            method = "GET" if request.method == "HEAD" else str(request.method)
            if method not in self.permissions:
                return self._method_refused(str(request.method))
            self.org, self.access = org_access(request, kwargs.pop("org"))
            self.authorize(self.permissions[method])
            handler = getattr(self, method.lower())
            answer: HttpResponse = handler(request, **kwargs)
        except Exception as error:  # noqa: BLE001 - each becomes an answer, unknown ones are logged
            return failure_response(request, error)
        return answer

    def authorize(self, permission: str) -> None:
        """Raise ForbiddenError unless the caller may do this everywhere in the org."""
        if permission:
            self.access.require(permission)

    def _method_refused(self, method: str) -> HttpResponse:
        message = f"method {method} is not allowed, but [{self._allowed()}] are"
        response = json_answer({"code": 405, "message": message}, status=405)
        response["Allow"] = self._allowed()
        return response

    def _allowed(self) -> str:
        implied = {"OPTIONS", *(("HEAD",) if "GET" in self.permissions else ())}
        return ",".join(sorted(implied | self.permissions.keys()))


def json_answer(body: Any, *, status: int = 200) -> HttpResponse:
    """Return JSON; None is an empty body."""
    content = b"" if body is None else orjson.dumps(body)
    return HttpResponse(content, status=status, content_type="application/json")


def failure_response(request: HttpRequest, error: Exception) -> HttpResponse:
    """Return a failure; what nobody foresaw is logged and says nothing."""
    match error:
        case AnswerError():
            return json_answer(error.body, status=error.status)
        case InvalidFieldsError():
            return json_answer(_fields_text(error), status=400)
        case NotFoundError():
            return json_answer(error.message, status=404)
        case DomainError():
            return json_answer(error.message, status=error.status_code)
        case APIException():
            return _refusal(request, error)
        case RequestDataTooBig() | SuspiciousOperation():
            return json_answer("the request is too large", status=413)
    logger.error("a door of Alertmanager's API failed", exc_info=error)
    return json_answer("something went wrong here; the server's log says what", status=500)


def _fields_text(error: InvalidFieldsError) -> str:
    told = []
    for path, texts in error.fields.items():
        field = path.removeprefix("spec.")
        told.append(f"{field}: {' '.join(texts)}")
    return "; ".join(told)


def _refusal(request: HttpRequest, error: APIException) -> HttpResponse:
    response = json_answer(str(error.detail), status=error.status_code)
    if isinstance(error, NotAuthenticated | AuthenticationFailed):
        response.status_code = HTTPStatus.UNAUTHORIZED
        response["WWW-Authenticate"] = challenge(request)
    wait_s: float | None = getattr(error, "wait", None)  # of Throttled, which its types don't say
    if wait_s:
        response["Retry-After"] = str(round(wait_s))
    return response
