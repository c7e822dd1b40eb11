"""How a datasource's server is asked, and what its failures mean."""

from base64 import b64decode

import pytest

from detectviz.contracts.datasource import DatasourceSettings
from detectviz.contracts.errors import (
    ConfigurationError,
    DeadlineExceededError,
    PluginError,
    QueryError,
)
from detectviz.contracts.http_source import HttpSource, base_url, relative_path
from detectviz.contracts.types import JsonValue
from detectviz.testing.datasource_fakes import FakeHttp, datasource_context, http_response

SECRETS = {"basic_auth_password": "reader-secret-71", "tls_key": "PEM", "token": "t-secret"}


def source(http: FakeHttp, *, is_cancelled: bool = False) -> HttpSource:
    settings = DatasourceSettings(
        uid="a",
        name="a",
        version=1,
        url="server.test:80/below/",
        basic_auth=True,
        basic_auth_user="reader",
        json_data={"tls_skip_verify": True, "tls_ca": "CA"},
        secrets=SECRETS,
    )
    context = datasource_context(
        settings, http=http, max_bytes=10, is_cancelled=lambda: is_cancelled
    )
    return HttpSource(context, name="Server", reason=said)


def said(document: JsonValue) -> str:
    return str(document["why"]) if isinstance(document, dict) and "why" in document else ""


def test_basic_authentication_wins_and_tls_is_as_configured() -> None:
    http = FakeHttp(lambda _: http_response(b'{"a": 1}'))
    assert source(http).get("x", {"q": "ä b"}) == {"a": 1}
    (request,) = http.requests
    assert request.url == "http://server.test:80/below/x?q=%C3%A4+b"
    scheme, _, pair = dict(request.headers)["Authorization"].partition(" ")
    assert (scheme, b64decode(pair)) == ("Basic", b"reader:reader-secret-71")
    assert (request.tls.verify, request.tls.ca_pem) == (False, "CA")
    assert request.tls.private_key_pem == "PEM"
    assert not request.follow_redirects


def test_forms_and_json_are_posted() -> None:
    http = FakeHttp(lambda _: http_response(b"[]"))
    source(http).post_form("", {"q": "a"})
    source(http).post_json("x", {"q": 1})
    form, document = http.requests
    assert (form.method, form.url, form.body) == ("POST", "http://server.test:80/below", b"q=a")
    assert dict(form.headers)["Content-Type"] == "application/x-www-form-urlencoded"
    assert document.body == b'{"q": 1}'


@pytest.mark.parametrize(
    ("status", "body", "error", "words"),
    [
        (301, b"", PluginError, "redirects"),
        (401, b"go away", PluginError, "refuses to let us in (401): go away"),
        (403, b"<html>Sign in</html>", PluginError, "status 403"),
        (404, b"404 page not found", PluginError, "no Server at this address"),
        (404, b'{"why": "no such index"}', QueryError, "no such index"),
        (400, b'{"why": "wrong near x"}', QueryError, "wrong near x"),
        (400, b"reader-secret-71\nis wrong", QueryError, "query: ••••"),
        (429, b"slow down", PluginError, "cannot answer (429): slow down"),
        (504, b"", DeadlineExceededError, "took too long"),
        (500, bytes(range(256)), PluginError, "cannot answer (500)"),
    ],
)
def test_failures_become_errors_that_fit(
    status: int, body: bytes, error: type[PluginError], words: str
) -> None:
    http = FakeHttp(lambda _: http_response(body, status_code=status))
    with pytest.raises(error) as caught:
        source(http).get("x")
    assert words in caught.value.message
    assert isinstance(caught.value, QueryError) is (error is QueryError)


def test_an_answer_that_is_too_large_or_no_json_is_told() -> None:
    with pytest.raises(QueryError) as caught:
        source(FakeHttp(lambda _: http_response(b" " * 100_000))).get("x")
    assert caught.value.status == 413
    with pytest.raises(PluginError, match="no JSON"):
        source(FakeHttp(lambda _: http_response(b"<html>"))).get("x")


def test_nothing_is_asked_when_nobody_waits() -> None:
    http = FakeHttp(lambda _: http_response(b"{}"))
    with pytest.raises(PluginError, match="cancelled"):
        source(http, is_cancelled=True).get("x")
    assert not http.requests


@pytest.mark.parametrize(
    "url", ["", "ftp://a", "http://me:pw@a", "http://[", "http://a/?b=1", "http://a:99999"]
)
def test_a_wrong_address_names_its_field(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        base_url(url)
    assert caught.value.field == "/url"


def test_a_path_stays_below_the_address() -> None:
    assert relative_path("/a b/c%20d?x=%31&y=") == ("a%20b/c%20d", [("x", "1"), ("y", "")])
    for path in ("../a", "a/%2e%2e/b", "a%2fb", "a\\..\\b", "a/./b"):
        with pytest.raises(QueryError):
            relative_path(path)
