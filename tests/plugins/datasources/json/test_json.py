"""JSON by JSONPath, as tables and series."""

import json
from typing import cast

import pytest

from detectviz.contracts.datasource import (
    Datasource,
    DatasourceContext,
    DatasourceSettings,
    ResourceCaller,
    ResourceRequest,
)
from detectviz.contracts.errors import QueryError
from detectviz.contracts.network import HttpClient, HttpRequest, HttpResponse
from detectviz.contracts.types import JsonObject, JsonValue, PluginKind
from detectviz.testing.datasource_fakes import (
    END_MS,
    FakeHttp,
    data_query,
    datasource_context,
    datasource_settings,
    http_response,
)
from detectviz.testing.datasources import DatasourceConformance
from detectviz.testing.plugins import built_in_plugins

TOKEN = "reader-secret-71"
ITEMS: JsonValue = [
    {"at": END_MS - 60_000 * n, "name": "ab"[n % 2], "deep": {"n": str(n / 2)}, "ok": n > 3}
    for n in range(30)
]
SERIES: JsonObject = {
    "path": "items",
    "rows": "$.data[*]",
    "format": "time_series",
    "columns": [
        {"path": "$.at", "name": "time", "type": "time"},
        {"path": "$.name", "type": "string"},
        {"path": "$.deep.n", "name": "n", "type": "number"},
    ],
}


def answer(request: HttpRequest) -> HttpResponse:
    if dict(request.headers).get("Authorization") != f"Bearer {TOKEN}":
        return http_response(b'{"message": "who are you"}', status_code=401)
    if "missing" in request.url:
        return http_response(b'{"detail": "no such item"}', status_code=404)
    return http_response(json.dumps({"data": ITEMS}).encode())


def settings_of() -> DatasourceSettings:
    return datasource_settings("json", url="http://api.test/v1", secrets={"token": TOKEN})


class TestConformance(DatasourceConformance):
    name = "json"
    speaks_http = True
    queries = ({"path": "items", "rows": "$.data"}, SERIES, {"path": "items?a=b"})
    wrong_queries = (
        ({"path": "missing"}, "no such item"),
        ({"rows": "$.["}, "no"),
        ({"path": "../admin"}, "without . and .."),
        ({"method": "POST", "body": "{"}, "body is no JSON"),
    )
    wrong_secrets = {"token": "not-the-token"}

    @pytest.fixture
    def http(self) -> HttpClient:
        return FakeHttp(answer)

    @pytest.fixture
    def settings(self) -> DatasourceSettings:
        return settings_of()


def plugin() -> Datasource:
    return built_in_plugins().load(PluginKind.DATASOURCE, "json")


def context_of(http: FakeHttp) -> DatasourceContext:
    return datasource_context(settings_of(), http=http)


def test_columns_have_names_and_types_and_texts_are_labels() -> None:
    (frame,) = plugin().query(data_query("json", SERIES), context_of(FakeHttp(answer)))
    assert frame.shape == "time-series"
    assert list(frame.fields[0].values)[-1] == END_MS
    named = {field.labels["$.name"]: list(field.values)[-1] for field in frame.fields[1:]}
    assert named == {"a": 0.0, "b": None}


def test_without_columns_the_members_of_the_rows_are_the_columns() -> None:
    model: JsonObject = {"rows": "$.data"}
    (frame,) = plugin().query(data_query("json", model), context_of(FakeHttp(answer)))
    assert [(field.name, field.type.value) for field in frame.fields] == [
        ("at", "number"), ("name", "string"), ("deep", "other"), ("ok", "boolean"),
    ]  # fmt: skip
    plain = FakeHttp(lambda _: http_response(b"[1, 2]"))
    (frame,) = plugin().query(data_query("json", {}), context_of(plain))
    assert list(frame.fields[0].values) == [1, 2]


def test_a_body_is_posted_below_the_address() -> None:
    http = FakeHttp(answer)
    model: JsonObject = {"path": "a?x=1", "method": "POST", "body": '{"q": [1]}'}
    plugin().query(data_query("json", model), context_of(http))
    (request,) = http.requests
    assert (request.method, request.url) == ("POST", "http://api.test/v1/a?x=1")
    assert json.loads(request.body) == {"q": [1]}


def test_patterns_of_a_backtracking_engine_are_refused() -> None:
    for path in ("$[?(@.a =~ /(a+)+$/)]", "$[?search(@.a, '(a+)+$')]", "$" + "..a" * 11):
        with pytest.raises(QueryError):
            plugin().query(data_query("json", {"rows": path}), context_of(FakeHttp(answer)))


def test_the_editor_is_told_the_members_of_a_row() -> None:
    request = ResourceRequest(path="fields", parameters={"rows": "$.data"})
    answered = cast("ResourceCaller", plugin()).call_resource(request, context_of(FakeHttp(answer)))
    assert answered == {"fields": ["at", "name", "deep", "ok"]}
