"""A program's request takes the short way and gets the same answer."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from django.test import RequestFactory

from detectviz.runtime.keyed import KeyedHandler, is_keyed
from tests.factories.queries import NOW_S, Asker


def sent(path: str, **headers: str) -> dict[str, Any]:
    request = RequestFactory().get(path, {"query": "up", "time": str(NOW_S)}, headers=headers)
    environ = {**request.environ, "HTTP_HOST": "testserver"}
    environ.pop("HTTP_COOKIE", None)
    return environ


@pytest.fixture(autouse=True)
def _same_connection() -> Iterator[None]:
    """Keep the test's transaction: a handler closes connections around its requests."""
    around = (request_started, request_finished)
    for signal in around:
        signal.disconnect(close_old_connections)
    yield
    for signal in around:
        signal.connect(close_old_connections)


def answered(handler: Any, environ: dict[str, Any]) -> tuple[str, dict[str, str], bytes]:
    said: list[Any] = []
    response = handler(environ, lambda status, headers: said.extend((status, dict(headers))))
    return said[0], said[1], b"".join(response)


@pytest.mark.parametrize("path", ["query", "labels", "status/buildinfo"])
def test_both_ways_lead_to_the_same_answer(asker: Asker, path: str) -> None:
    asker.put(1, job="api")
    token = asker.client.defaults["HTTP_AUTHORIZATION"]
    environ = sent(f"/orgs/acme/prometheus/api/v1/{path}", Authorization=token)
    status, headers, body = answered(KeyedHandler(), dict(environ))
    usual_status, _, usual_body = answered(get_wsgi_application(), dict(environ))
    assert (status, body) == (usual_status, usual_body)
    assert headers["Content-Length"] == str(len(body))
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["X-Request-ID"]


@pytest.mark.parametrize(
    "credentials", ["Bearer dv_wrong_key", "Bearer of.another.kind", "Basic x"]
)
def test_without_a_valid_key_nobody_enters(asker: Asker, credentials: str) -> None:
    environ = sent("/orgs/acme/prometheus/api/v1/query", Authorization=credentials)
    status, headers, _ = answered(KeyedHandler(), environ)
    assert status.startswith("401")
    assert "WWW-Authenticate" in headers


def test_a_request_with_a_cookie_may_be_a_browsers() -> None:
    assert is_keyed({"HTTP_AUTHORIZATION": "x"})
    assert not is_keyed({"HTTP_AUTHORIZATION": "x", "HTTP_COOKIE": "sessionid=1"})
    assert not is_keyed({})
