"""Answers as Loki's documentation shows them."""

import json
from typing import cast
from urllib.parse import parse_qsl, urlsplit

import pytest

from detectviz.contracts.datasource import (
    Datasource,
    DatasourceSettings,
    ResourceCaller,
    ResourceRequest,
)
from detectviz.contracts.network import HttpClient, HttpRequest, HttpResponse
from detectviz.contracts.types import JsonValue, PluginKind
from detectviz.testing.datasource_fakes import (
    END_MS,
    HOUR_MS,
    FakeHttp,
    data_query,
    datasource_context,
    datasource_settings,
    http_response,
)
from detectviz.testing.datasources import DatasourceConformance
from detectviz.testing.plugins import built_in_plugins

TOKEN = "reader-secret-71"
END_S = END_MS // 1000


def asked(request: HttpRequest) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(request.url).query))


def data_of(request: HttpRequest) -> JsonValue:
    path, expr = urlsplit(request.url).path, asked(request).get("query", "")
    if path.endswith("/labels"):
        return ["app", "level"]
    if path.endswith("/values"):
        return ["api", "web"]
    if path.endswith("/query"):
        result: JsonValue = [{"metric": {"level": "warn"}, "value": [END_S, "6.5"]}]
        return {"resultType": "vector", "result": result}
    if "rate(" in expr:
        points: JsonValue = [[END_S - 60 * n, str(n / 2)] for n in range(9, -1, -1)]
        series: JsonValue = [{"metric": {"app": app}, "values": points} for app in ("a", "b")]
        return {"resultType": "matrix", "result": series}
    lines: JsonValue = [[f"{(END_MS - 1000 * n) * 1_000_000}", f"line {n}"] for n in range(10)]
    own: JsonValue = [[f"{(END_MS - 500) * 1_000_000 + 7}", "traced", {"trace_id": "4bf9"}]]
    streams: JsonValue = [
        {"stream": {"app": "web", "level": "error"}, "values": lines},
        {"stream": {"app": "api"}, "values": own},
    ]
    return {"resultType": "streams", "result": streams, "stats": {"summary": {}}}


def answer(request: HttpRequest) -> HttpResponse:
    if dict(request.headers).get("Authorization") != f"Bearer {TOKEN}":
        return http_response(b"no org id", status_code=401, content_type="text/plain")
    if asked(request).get("query") == "{":
        said = b"parse error at line 1, col 2: syntax error: unexpected $end, expecting STRING"
        return http_response(said, status_code=400, content_type="text/plain")
    return http_response(json.dumps({"status": "success", "data": data_of(request)}).encode())


class TestConformance(DatasourceConformance):
    name = "loki"
    speaks_http = True
    queries = (
        {"expr": '{app="web"}'},
        {"expr": 'rate({app="web"}[1m])', "legend_format": "{{app}}"},
        {"expr": 'sum(rate({app="web"}[1m]))', "type": "instant"},
    )
    wrong_queries = (({"expr": "{"}, "parse error at line 1, col 2"),)
    wrong_secrets = {"token": "not-the-token"}

    @pytest.fixture
    def http(self) -> HttpClient:
        return FakeHttp(answer)

    @pytest.fixture
    def settings(self) -> DatasourceSettings:
        return settings_of()


def settings_of() -> DatasourceSettings:
    return datasource_settings(
        "loki",
        url="http://loki.test:3100",
        json_data={"tenant": "team-a"},
        secrets={"token": TOKEN},
    )


def plugin() -> Datasource:
    return built_in_plugins().load(PluginKind.DATASOURCE, "loki")


def test_lines_of_all_streams_are_in_order_of_time_with_their_labels() -> None:
    http = FakeHttp(answer)
    context = datasource_context(settings_of(), http=http)
    (frame,) = plugin().query(data_query("loki", {"expr": '{app=~".+"}'}), context)
    columns = {field.name: list(field.values) for field in frame.fields}
    assert frame.shape == "logs"
    assert columns["body"][-3:] == ["line 1", "traced", "line 0"]
    assert columns["severity"][-2:] == ["", "error"]
    assert columns["labels"][-2] == {"app": "api", "trace_id": "4bf9"}
    assert columns["id"][-2] == f"{(END_MS - 500) * 1_000_000 + 7}"
    (request,) = http.requests
    assert asked(request) == {
        "query": '{app=~".+"}', "limit": "1000", "direction": "backward", "step": "60.000s",
        "start": f"{END_MS - HOUR_MS}000000", "end": f"{END_MS + 1}000000",
    }  # fmt: skip
    assert dict(request.headers)["X-Scope-OrgID"] == "team-a"


def test_as_many_lines_as_asked_for_may_not_be_all() -> None:
    context = datasource_context(settings_of(), http=FakeHttp(answer))
    query = data_query("loki", {"expr": "{}", "max_lines": 11, "direction": "forward"})
    (frame,) = plugin().query(query, context)
    assert "There may be more than these 11 lines" in frame.notices[0].text


def test_the_editor_is_told_labels() -> None:
    http = FakeHttp(answer)
    context = datasource_context(settings_of(), http=http)
    caller = cast("ResourceCaller", plugin())
    request = ResourceRequest(path="labels/app/values", parameters={"start": "1", "match": "{}"})
    assert caller.call_resource(request, context) == {"values": ["api", "web"]}
    assert asked(http.requests[0]) == {"query": "{}", "start": "1000000"}
    labels = caller.call_resource(ResourceRequest(path="labels"), context)
    assert labels == {"labels": ["app", "level"]}
