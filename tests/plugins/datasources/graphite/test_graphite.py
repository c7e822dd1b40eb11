"""Answers as Graphite's documentation shows them."""

import json
from typing import cast
from urllib.parse import parse_qsl

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
POINTS: JsonValue = [[None if n == 3 else n / 2, END_S - 60 * (9 - n)] for n in range(10)]
SERIES: JsonValue = [
    {"target": f"servers.{host}.cpu", "tags": {"name": "cpu", "host": host}, "datapoints": POINTS}
    for host in "ab"
]
NODES: JsonValue = [
    {"leaf": 0, "context": {}, "text": "servers", "expandable": 1, "id": "servers"},
    {"leaf": 1, "context": {}, "text": "up", "expandable": 0, "id": "up"},
]


def answer(request: HttpRequest) -> HttpResponse:
    if dict(request.headers).get("Authorization") != f"Bearer {TOKEN}":
        return http_response(b"", status_code=401)
    if "metrics/find" in request.url:
        return http_response(json.dumps(NODES).encode())
    if dict(parse_qsl(request.body.decode()))["target"] == "sum(":
        said = b"Invalid target for 'target' parameter: Expected end of text"
        return http_response(said, status_code=400, content_type="text/plain")
    return http_response(json.dumps(SERIES).encode())


def settings_of() -> DatasourceSettings:
    return datasource_settings("graphite", url="http://graphite.test", secrets={"token": TOKEN})


class TestConformance(DatasourceConformance):
    name = "graphite"
    speaks_http = True
    queries = ({"target": "servers.*.cpu"},)
    wrong_queries = (({"target": "sum("}, "Expected end of text"),)
    wrong_secrets = {"token": "not-the-token"}

    @pytest.fixture
    def http(self) -> HttpClient:
        return FakeHttp(answer)

    @pytest.fixture
    def settings(self) -> DatasourceSettings:
        return settings_of()


def plugin() -> Datasource:
    return built_in_plugins().load(PluginKind.DATASOURCE, "graphite")


def test_a_target_is_rendered_over_the_range() -> None:
    http = FakeHttp(answer)
    context = datasource_context(settings_of(), http=http)
    frames = plugin().query(data_query("graphite", {"target": "servers.*.cpu"}), context)
    assert dict(parse_qsl(http.requests[0].body.decode())) == {
        "target": "servers.*.cpu",
        "from": str(END_S - HOUR_MS // 1000 - 1),
        "until": str(END_S),
        "format": "json",
        "maxDataPoints": "1000",
    }
    assert [(frame.name, dict(frame.fields[1].labels)) for frame in frames] == [
        ("servers.a.cpu", {"host": "a"}),
        ("servers.b.cpu", {"host": "b"}),
    ]
    assert list(frames[0].fields[1].values)[2:5] == [1.0, None, 2.0]


def test_the_editor_is_told_paths() -> None:
    context = datasource_context(settings_of(), http=FakeHttp(answer))
    request = ResourceRequest(path="metrics", parameters={"query": "*"})
    answered = cast("ResourceCaller", plugin()).call_resource(request, context)
    assert answered == {
        "metrics": [
            {"path": "servers", "name": "servers", "is_leaf": False},
            {"path": "up", "name": "up", "is_leaf": True},
        ]
    }
