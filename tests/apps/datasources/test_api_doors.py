"""Health, resources and the proxy, over a real HTTP server."""

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from django.test import Client

from apps.datasources.models import Datasource
from apps.orgs.models import Org
from detectviz.testing.http_server import Answer, ReceivedRequest, RunningServer, http_server
from tests.factories.datasources import make_datasource
from tests.factories.orgs import make_org
from tests.factories.pages import make_browser

pytestmark = pytest.mark.django_db
BASE = "/apis/datasources/v1/orgs/acme/datasources/warehouse"


def respond(request: ReceivedRequest) -> Answer:
    if request.path == "/base/moved":
        return Answer(status=302, headers=(("Location", "http://169.254.169.254/secrets"),))
    answers = {"code=401": 401, "code=500": 500}
    return Answer(
        status=answers.get(request.query, 200),
        headers=(
            ("Content-Type", "text/html"),
            ("Set-Cookie", "session=stolen"),
            ("Content-Security-Policy", "default-src *"),
            ("X-Powered-By", "shelf"),
            ("Access-Control-Allow-Origin", "*"),
        ),
        body=b"x" * (17 << 20) if request.query == "big=1" else b"<script>alert(1)</script>",
    )


@pytest.fixture
def server() -> Iterator[RunningServer]:
    with http_server(respond) as running:
        yield running


@pytest.fixture
def org() -> Org:
    return make_org("acme")


@pytest.fixture
def shelf_row(org: Org, server: RunningServer) -> Datasource:
    return make_datasource(org, url=f"{server.url}/base/")


@pytest.fixture
def browser(org: Org, shelf_row: Datasource) -> Client:
    return make_browser(org)


def test_health_says_and_remembers(browser: Client, shelf_row: Datasource) -> None:
    for database, status, words in (
        ("good", "ok", "good is ok"),
        ("bad", "error", "bad is error"),
        ("refuses", "error", "the shelf is closed"),
        ("raises", "error", "The plugin of this datasource failed"),
    ):
        Datasource.objects.for_org(shelf_row.org_id).update(database=database)
        found = browser.post(f"{BASE}/health", content_type="application/json").json()
        shelf_row.refresh_from_db()

        assert found["status"] == shelf_row.health_status == status
        assert words in found["message"]
        assert "hush" not in found["message"]
        assert browser.get(BASE).json()["status"]["health"] == status


def test_a_resource_is_asked_with_its_parameters(browser: Client) -> None:
    asked = browser.get(f"{BASE}/resources/tables/of", {"schema": "public"})
    told = browser.post(f"{BASE}/resources/tables", {"a": [1]}, content_type="application/json")

    assert asked.json() == {
        "path": "tables/of",
        "method": "GET",
        "parameters": {"schema": "public"},
        "body": {},
    }
    assert told.json()["body"] == {"a": [1]}
    assert browser.get(f"{BASE}/resources/gone").status_code == 404
    assert (
        browser.post(f"{BASE}/resources/x", [1], content_type="application/json").status_code == 422
    )


def test_the_proxy_replaces_who_the_caller_is(browser: Client, server: RunningServer) -> None:
    answer = browser.get(
        f"{BASE}/proxy/api/v1/query?query=up%7Bjob%3D%22a%22%7D&format=json",
        headers={"Accept": "text/csv", "X-Scope-OrgID": "other", "X-Forwarded-For": "1.2.3.4"},
    )

    seen = server.requests[-1]
    assert (seen.path, seen.query) == (
        "/base/api/v1/query",
        "query=up%7Bjob%3D%22a%22%7D&format=json",
    )
    assert seen.headers["authorization"] == "Bearer hush"
    assert seen.headers["accept"] == "text/csv"
    assert not {"cookie", "x-scope-orgid", "x-forwarded-for"} & set(seen.headers)
    assert answer.content == b"<script>alert(1)</script>"
    assert answer.headers["Content-Security-Policy"] == "sandbox"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert not {"X-Powered-By", "Access-Control-Allow-Origin"} & set(answer.headers)
    assert "stolen" not in answer.cookies.output()


def test_a_body_goes_with_a_post_alone(browser: Client, server: RunningServer) -> None:
    browser.post(
        f"{BASE}/proxy/api/v1/query", "query=up", content_type="application/x-www-form-urlencoded"
    )

    assert server.requests[-1].body == b"query=up"
    assert server.requests[-1].headers["content-type"] == "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", "api/v1/admin"),
        ("get", "api/v1/labels/more"),
        ("get", "x/api/v1/labels"),
        ("post", "api/v1/labels"),
        ("get", "api/v1/./labels"),
        ("get", "api/v1/../v1/labels"),
        ("get", "api/v1/%2e%2e/v1/labels"),
        ("get", "api/v1/%252e%252e/labels"),
        ("get", "api//v1/labels"),
        ("get", "api/v1/labels%5c..%5cadmin"),
        ("get", "api/v1/labels%0aHost:x"),
        ("get", "api/v1/labels%3Fadmin"),
        ("get", "api/v1/labels%23"),
        ("get", "api/v1/labels;a=b"),
        ("get", "api/v1/labels%00"),
    ],
)
def test_what_the_plugin_does_not_list_never_leaves(
    browser: Client, server: RunningServer, method: str, path: str
) -> None:
    answer = getattr(browser, method)(f"{BASE}/proxy/{path}")

    assert answer.status_code in {400, 404, 422}
    assert server.requests == []


def test_encoded_separators_are_refused_where_the_server_shows_them(
    browser: Client, server: RunningServer
) -> None:
    raw = f"{BASE}/proxy/api%2Fv1%2Flabels"

    assert browser.get(raw, RAW_URI=raw).status_code == 422
    assert server.requests == []


@pytest.mark.parametrize(
    ("address", "status", "words"),
    [
        ("moved", 502, "follows no redirect"),
        ("api/v1/query?code=401", 502, "credentials"),
        ("api/v1/query?code=500", 500, "script"),
        ("api/v1/query?big=1", 413, "larger"),
    ],
)
def test_what_a_datasource_may_not_say_is_told_in_our_words(
    browser: Client, server: RunningServer, address: str, status: int, words: str
) -> None:
    answer = browser.get(f"{BASE}/proxy/{address}")

    assert answer.status_code == status
    assert words in answer.content.decode()
    assert len(server.requests) == 1


def test_the_proxy_stays_within_the_egress_policy(org: Org) -> None:
    make_datasource(org, url="http://169.254.169.254/")

    answer = make_browser(org).get(f"{BASE}/proxy/moved")

    assert answer.status_code == 502
    assert "link-local" in answer.content.decode()


@pytest.mark.parametrize("url", ["db.example.org:5432", "ftp://x.example.org", "http://a/?b=c"])
def test_what_is_no_web_address_has_no_proxy(org: Org, url: str) -> None:
    make_datasource(org, url=url)

    assert make_browser(org).get(f"{BASE}/proxy/moved").status_code == 422


def test_logs_tell_neither_host_nor_parameters(
    browser: Client, server: RunningServer, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="apps.datasources"):
        browser.get(f"{BASE}/proxy/api/v1/query?query=secret_metric")

    lines = [each.getMessage() for each in caplog.records if each.name.startswith("apps.")]
    assert "outcome=200" in lines[0]
    assert not any(word in lines[0] for word in ("127.0.0.1", "secret_metric", "hush"))


def test_who_may_not_query_reaches_nothing(org: Org, shelf_row: Datasource) -> None:
    viewer = make_browser(org, "viewer")

    for path in ("resources/tables", "proxy/moved"):
        assert viewer.get(f"{BASE}/{path}").status_code == 403
    assert viewer.post(f"{BASE}/health").status_code == 403


def test_a_plugin_that_is_gone_says_so(org: Org) -> None:
    make_datasource(org, type="vanished")

    answer: Any = make_browser(org).get(f"{BASE}/resources/tables")

    assert answer.status_code == 503
    assert "vanished" in answer.json()["detail"]
