import json
import threading
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured, MiddlewareNotUsed
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from pytest_django import Settings

from detectviz.contracts.middleware import MiddlewareContext, RequestView, Verdict
from detectviz.runtime.keyed import KeyedHandler
from detectviz.runtime.plugin_middleware import PluginMiddleware, request_view

ORIGIN = "https://app.example.org"


def configured(settings: Settings, **plugins: Any) -> None:
    settings.MIDDLEWARE_PLUGINS = tuple(plugins)
    settings.MIDDLEWARE_CONFIG = json.dumps(plugins)


def served(request: HttpRequest) -> HttpResponse:
    return HttpResponse("served")


def test_without_plugins_it_is_not_there() -> None:
    with pytest.raises(MiddlewareNotUsed):
        PluginMiddleware(served)
    KeyedHandler()  # the short chain does without it too


def test_headers_are_added_and_vary_is_kept(settings: Settings) -> None:
    configured(settings, cors={"origins": [ORIGIN]})
    request = RequestFactory().get("/apis/", headers={"origin": ORIGIN})
    response = PluginMiddleware(lambda _: HttpResponse(headers={"Vary": "Cookie"}))(request)
    assert response["Access-Control-Allow-Origin"] == ORIGIN
    assert response["Vary"] == "Cookie, Origin"


def test_too_many_requests_get_a_problem_that_says_when(settings: Settings) -> None:
    configured(settings, ratelimit={"client_per_s": 0, "org_per_s": 0.001, "org_burst": 1})
    chain = PluginMiddleware(served)
    request = RequestFactory().get("/orgs/test-middleware/prometheus/api/v1/query")
    answers = [chain(request) for _ in range(3)]
    assert [answer.status_code for answer in answers][-1] == 429
    assert int(answers[-1]["Retry-After"]) > 1
    assert answers[-1]["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("path", "org"),
    [
        ("/orgs/acme/prometheus/api/v1/query", "acme"),
        ("/o/acme/monitors", "acme"),
        ("/apis/core/v1/orgs/acme/users", "acme"),
        ("/apis/core/v1/orgs", ""),
        ("/login", ""),
        ("/", ""),
    ],
)
def test_the_org_is_the_one_of_the_path(path: str, org: str) -> None:
    assert request_view(RequestFactory().get(path)).org == org


def test_a_view_holds_no_credentials() -> None:
    headers = {"authorization": "Bearer secret", "cookie": "a=secret", "x-api-key": "secret"}
    view = request_view(RequestFactory().get("/apis/", headers=headers))
    assert "secret" not in repr(view)


class Stuck:
    def __init__(self) -> None:
        self.release = threading.Event()

    def handle(self, request: RequestView, context: MiddlewareContext) -> Verdict:
        self.release.wait(10)
        return Verdict()


@pytest.mark.parametrize(("on_failure", "status"), [("open", 200), ("closed", 503)])
def test_one_that_hangs_passes_or_refuses_as_configured(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, on_failure: str, status: int
) -> None:
    configured(settings, ratelimit={"on_failure": on_failure})
    settings.MIDDLEWARE_TIMEOUT_MS = 20
    chain, stuck = PluginMiddleware(served), Stuck()
    monkeypatch.setattr(
        "detectviz.pluginhost.client.PluginClient.call",
        lambda *call: call[-1](stuck),
    )
    try:
        statuses = [chain(RequestFactory().get("/apis/")).status_code for _ in range(5)]
    finally:
        stuck.release.set()
    assert statuses == [status] * 5


@pytest.mark.parametrize(
    ("plugins", "said"),
    [
        ({"cors": {"origins": ["*"], "allow_credentials": True}}, "allow_credentials"),
        ({"cors": {}}, "DETECTVIZ_MIDDLEWARE: middleware/cors"),
        ({"coors": {}}, "DETECTVIZ_MIDDLEWARE: "),
    ],
)
def test_a_wrong_configuration_stops_the_start(
    settings: Settings, plugins: dict[str, Any], said: str
) -> None:
    configured(settings, **plugins)
    with pytest.raises(ImproperlyConfigured, match=said):
        PluginMiddleware(served)


@pytest.mark.django_db
def test_a_preflight_needs_nobody(settings: Settings) -> None:
    configured(settings, cors={"origins": [ORIGIN]})
    headers = {"origin": ORIGIN, "access-control-request-method": "PUT"}
    answer = Client().options("/apis/core/v1/orgs/acme/users", headers=headers)
    assert answer.status_code == 204
    assert answer["Access-Control-Allow-Origin"] == ORIGIN
