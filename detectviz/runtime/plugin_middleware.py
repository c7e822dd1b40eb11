"""The middlewares of plugins, as one middleware of Django that is not there without them."""

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final, TypeVar

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured, MiddlewareNotUsed
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.utils.cache import patch_vary_headers

from detectviz.contracts.errors import ConfigurationError
from detectviz.contracts.middleware import (
    Answer,
    AnswerView,
    MiddlewareContext,
    RequestView,
    Verdict,
)
from detectviz.contracts.types import PluginKind
from detectviz.observability.context import current_context
from detectviz.runtime.caching import PrefixedCache
from detectviz.runtime.chosen import (
    ChosenPlugin,
    chosen_host,
    names_check,
    plugin_chosen,
    plugin_config,
)

T = TypeVar("T")
GetResponse = Callable[[HttpRequest], HttpResponseBase]
CHOOSER, SETTING = "DETECTVIZ_MIDDLEWARE", "DETECTVIZ_MIDDLEWARE_CONFIG"
# What a middleware may know of headers: nothing that proves who somebody is.
SHOWN_HEADERS: Final = (
    "accept",
    "access-control-request-headers",
    "access-control-request-method",
    "content-length",
    "content-type",
    "origin",
    "referer",
    "user-agent",
    "x-request-id",
)
# What it may add to answers; cookies, content and policies are the host's.
SET_HEADERS: Final = ("access-control-", "ratelimit", "retry-after", "vary", "x-")
HOSTS_OWN: Final = frozenset({"x-frame-options", "x-content-type-options", "x-request-id"})
THREADS, TIMEOUTS, REST_S = 8, 3, 30.0
_IN_PATH: Final = {"orgs": 1, "o": 1, "apis": 4}

logger = logging.getLogger(__name__)
_pool = ThreadPoolExecutor(THREADS, thread_name_prefix="plugin-middleware")


@dataclass(slots=True)
class _Link:
    """One middleware of the chain. After three timeouts in a row it is left alone for a while."""

    plugin: ChosenPlugin
    context: MiddlewareContext
    is_closed: bool
    observes: bool
    timeouts: int = 0
    rests_until: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def handle(self, request: RequestView) -> Verdict:
        """Return the verdict; its own failure is one that lets pass or refuses."""
        if time.monotonic() < self.rests_until:
            return self._failed("it rests after timeouts")
        verdict = self._bounded("handle", lambda each: each.handle(request, self.context))
        return verdict if isinstance(verdict, Verdict) else self._failed("it gave no verdict")

    def observe(self, request: RequestView, answer: AnswerView) -> None:
        """Tell of an answer."""
        if time.monotonic() >= self.rests_until:
            self._bounded("observe", lambda each: each.observe(request, answer, self.context))

    def _bounded(self, operation: str, work: Callable[[Any], T]) -> T | None:
        client, name = chosen_host().client, self.plugin.name
        kind = PluginKind.MIDDLEWARE
        future = _pool.submit(lambda: client.call(kind, name, operation, work))
        try:
            found = future.result(self.context.timeout_s)
        except TimeoutError:
            future.cancel()
            self._count_timeout()
            logger.warning("middleware %s took longer than %g s", name, self.context.timeout_s)
            return None
        except Exception as error:  # noqa: BLE001 - whatever it was, the configuration says what follows
            logger.warning("middleware %s failed: %s", name, error)
            return None
        self.timeouts = 0
        return found

    def _count_timeout(self) -> None:
        with self.lock:
            self.timeouts += 1
            if self.timeouts >= TIMEOUTS:
                self.timeouts, self.rests_until = 0, time.monotonic() + REST_S

    def _failed(self, why: str) -> Verdict:
        if not self.is_closed:
            return Verdict()
        logger.warning("middleware %s refuses, being closed on failure: %s", self.plugin.name, why)
        message = "This request could not be judged; try again."
        return Verdict(answer=Answer(status=HTTPStatus.SERVICE_UNAVAILABLE, message=message))


def middleware_chain() -> Sequence[_Link]:
    """Return the chain the settings name; raise ConfigurationError naming what is wrong."""
    names, text = settings.MIDDLEWARE_PLUGINS, settings.MIDDLEWARE_CONFIG
    names_check(text, names, setting=SETTING, chooser=CHOOSER)
    return [_link(name, plugin_config(text, name, setting=SETTING)) for name in names]


def _link(name: str, given: Mapping[str, Any]) -> _Link:
    chosen = plugin_chosen(PluginKind.MIDDLEWARE, name, setting=CHOOSER, given=given)
    context = MiddlewareContext(
        config=chosen.config,
        secrets=chosen.secrets,
        cache=PrefixedCache(f"middleware:{name}:"),
        now_s=time.time,
        timeout_s=settings.MIDDLEWARE_TIMEOUT_MS / 1000,
        logger=logging.getLogger(f"detectviz.plugins.middleware.{name}"),
    )
    check = getattr(chosen.instance, "check_config", None)
    if check is not None:
        try:
            check(context)
        except ConfigurationError as error:
            raise ConfigurationError(f"{SETTING}: {name}{error.field}: {error.message}") from error
    return _Link(
        plugin=chosen,
        context=context,
        is_closed=chosen.config.get("on_failure", "closed") != "open",
        observes=callable(getattr(chosen.instance, "observe", None)),
    )


class PluginMiddleware:
    """Asks each middleware of the chain, in order; the first answer ends it."""

    def __init__(self, get_response: GetResponse) -> None:
        if not settings.MIDDLEWARE_PLUGINS:
            raise MiddlewareNotUsed
        self.get_response = get_response
        try:
            self.chain = middleware_chain()
        except ConfigurationError as error:
            raise ImproperlyConfigured(str(error)) from error

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Serve the request, or answer it."""
        view, started = request_view(request), time.perf_counter()
        headers: dict[str, str] = {}
        answer: Answer | None = None
        for link in self.chain:
            verdict = link.handle(view)
            headers.update(verdict.headers)
            if verdict.answer is not None:
                answer = verdict.answer
                break
        response = self.get_response(request) if answer is None else _answered(answer, view)
        _add_headers(response, headers)
        for link in self.chain:
            if link.observes:
                link.observe(view, _answer_view(response, time.perf_counter() - started))
        return response


def request_view(request: HttpRequest) -> RequestView:
    """Return what middlewares may know of a request."""
    parts = request.path_info.split("/")
    place = _IN_PATH.get(parts[1] if len(parts) > 1 else "", 0)
    at = place + 1
    is_named = place and len(parts) > at and (parts[1] != "apis" or parts[at - 1] == "orgs")
    user = (
        getattr(request, "user", None) if settings.SESSION_COOKIE_NAME in request.COOKIES else None
    )
    return RequestView(
        method=request.method or "",
        path=request.path_info,
        address=current_context().address or "",
        org=parts[at] if is_named else "",
        user_id=user.pk if user is not None and user.is_authenticated else None,
        is_api=parts[1:2] in (["apis"], ["orgs"]),
        headers={
            name: value
            for name in SHOWN_HEADERS
            if (value := request.headers.get(name)) is not None
        },
    )


def _answered(answer: Answer, view: RequestView) -> HttpResponse:
    if answer.status < HTTPStatus.BAD_REQUEST:
        return HttpResponse(answer.message, status=answer.status, content_type="text/plain")
    if not view.is_api:
        return HttpResponse(f"{answer.message}\n", status=answer.status, content_type="text/plain")
    problem = {
        "type": "urn:detectviz:problem:refused",
        "title": HTTPStatus(answer.status).phrase,
        "status": answer.status,
        "code": "refused",
        "detail": answer.message,
    }
    return JsonResponse(problem, status=answer.status, content_type="application/problem+json")


def _add_headers(response: HttpResponseBase, headers: Mapping[str, str]) -> None:
    for name, value in headers.items():
        lowered = name.lower()
        if lowered == "vary":
            patch_vary_headers(response, [word.strip() for word in value.split(",")])
        elif lowered.startswith(SET_HEADERS) and lowered not in HOSTS_OWN:
            response[name] = value


def _answer_view(response: HttpResponseBase, duration_s: float) -> AnswerView:
    size = None if response.streaming else len(getattr(response, "content", b""))
    return AnswerView(status=response.status_code, duration_s=duration_s, bytes=size)
