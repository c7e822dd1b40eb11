"""Answers as Elasticsearch's documentation shows them."""

import json
from typing import cast
from urllib.parse import urlsplit

import pytest

from detectviz.contracts.datasource import (
    Datasource,
    DatasourceSettings,
    ResourceCaller,
    ResourceRequest,
)
from detectviz.contracts.network import HttpClient, HttpRequest, HttpResponse
from detectviz.contracts.types import JsonObject, JsonValue, PluginKind
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

KEY = "reader-secret-71"
GROUPED: JsonObject = {
    "metrics": [
        {"type": "count"},
        {"type": "avg", "field": "took"},
        {"type": "percentiles", "field": "took", "percents": [95]},
    ],
    "group_by": [{"field": "host"}],
}
NO_FIELD = {
    "error": {
        "root_cause": [{"type": "illegal_argument_exception", "reason": "Text fields are not."}],
        "type": "search_phase_execution_exception",
        "reason": "all shards failed",
    },
    "status": 400,
}


def _bucket(key: JsonValue, **more: JsonValue) -> JsonObject:
    return {
        "key": key,
        "doc_count": 3,
        "1": {"value": None if key == END_MS else 2.5},
        "2": {"values": {"95.0": 9.5}},
        **more,
    }


def _aggregations(aggs: JsonObject) -> JsonObject:
    if "over_time" in aggs:
        times = [END_MS - 60_000 * n for n in range(9, -1, -1)]
        return {"over_time": {"buckets": [_bucket(time_ms) for time_ms in times]}}
    if "group" in aggs:
        inner = cast("JsonObject", cast("JsonObject", aggs["group"])["aggs"])
        groups = [_bucket(host, **_aggregations(inner)) for host in "ab"]
        return {"group": {"buckets": groups, "sum_other_doc_count": 0}}
    return {}


def _hits(size: int) -> list[JsonValue]:
    return [
        {
            "_index": "logs",
            "_id": f"id{n}",
            "_source": {
                "@timestamp": f"2026-01-15T11:59:{59 - n:02}.123456789Z",
                "message": f"line {n}",
                "log": {"level": "error"},
                "took": n / 2,
            },
        }
        for n in range(min(size, 10))
    ]


def answer(request: HttpRequest) -> HttpResponse:
    if dict(request.headers).get("Authorization") != f"ApiKey {KEY}":
        return http_response(b'{"error": "missing authentication"}', status_code=401)
    if urlsplit(request.url).path.endswith("/_field_caps"):
        fields: JsonObject = {
            "@timestamp": {"date": {}},
            "took": {"double": {}, "long": {}},
            "_id": {"_id": {}},
        }
        return http_response(json.dumps({"indices": ["logs"], "fields": fields}).encode())
    body = json.loads(request.body)
    if "text_field" in request.body.decode():
        return http_response(json.dumps(NO_FIELD).encode(), status_code=400)
    total = {"value": 42, "relation": "eq"}
    found = {
        "took": 5,
        "timed_out": False,
        "_shards": {"total": 2, "successful": 1, "failed": 1},
        "hits": {"total": total, "hits": _hits(body["size"])},
    }
    if "aggs" in body:
        found["aggregations"] = _aggregations(body["aggs"])
    return http_response(json.dumps(found).encode())


def settings_of() -> DatasourceSettings:
    return datasource_settings(
        "elasticsearch",
        url="https://search.test:9200",
        json_data={"index": "logs-*", "level_field": "log.level"},
        secrets={"api_key": KEY},
    )


class TestConformance(DatasourceConformance):
    name = "elasticsearch"
    speaks_http = True
    queries = (
        {"query": "level:error"},
        GROUPED,
        {**GROUPED, "time_series": False},
        {"type": "logs"},
        {"type": "raw", "size": 5},
    )
    wrong_queries = (
        ({"metrics": [{"type": "avg", "field": "text_field"}]}, "Text fields are not."),
        ({"metrics": [{"type": "avg"}]}, "field of avg"),
    )
    wrong_secrets = {"api_key": "not-the-key"}

    @pytest.fixture
    def http(self) -> HttpClient:
        return FakeHttp(answer)

    @pytest.fixture
    def settings(self) -> DatasourceSettings:
        return settings_of()


def plugin() -> Datasource:
    return built_in_plugins().load(PluginKind.DATASOURCE, "elasticsearch")


def test_a_search_is_of_the_range_grouped_and_over_time() -> None:
    http = FakeHttp(answer)
    context = datasource_context(settings_of(), http=http)
    frames = plugin().query(data_query("elasticsearch", {**GROUPED, "query": "a:b"}), context)
    (request,) = http.requests
    assert request.url == "https://search.test:9200/logs-*/_search"
    body = json.loads(request.body)
    between, words = body["query"]["bool"]["filter"]
    assert between["range"]["@timestamp"]["gte"] == END_MS - HOUR_MS
    assert words["query_string"]["query"] == "a:b"
    assert body["aggs"]["group"]["terms"] == {"field": "host", "size": 10}
    over_time = body["aggs"]["group"]["aggs"]["over_time"]
    assert over_time["date_histogram"]["fixed_interval"] == "60000ms"
    assert over_time["aggs"]["1"] == {"avg": {"field": "took"}}
    assert [(frame.name, dict(frame.fields[1].labels)) for frame in frames] == [
        (name, {"host": host}) for host in "ab" for name in ("count", "avg took", "p95 took")
    ]
    assert list(frames[1].fields[1].values)[-2:] == [2.5, None]
    assert frames[0].notices[0].text == "1 shards failed; what they hold is missing."


def test_without_time_and_groups_the_total_is_the_count() -> None:
    context = datasource_context(settings_of(), http=FakeHttp(answer))
    (frame,) = plugin().query(data_query("elasticsearch", {"time_series": False}), context)
    assert list(frame.fields[0].values) == [42]


def test_logs_are_oldest_first_and_documents_flat() -> None:
    context = datasource_context(settings_of(), http=FakeHttp(answer))
    (logs,) = plugin().query(data_query("elasticsearch", {"type": "logs"}), context)
    columns = {field.name: list(field.values) for field in logs.fields}
    assert (logs.shape, columns["body"][-1], columns["severity"][-1]) == ("logs", "line 0", "error")
    assert columns["time"][-1] == END_MS - 1000 + 123
    assert columns["labels"][-1] == {"log.level": "error", "took": "0.0"}
    (raw,) = plugin().query(data_query("elasticsearch", {"type": "raw"}), context)
    assert [field.name for field in raw.fields] == [
        "@timestamp", "_id", "_index", "log.level", "message", "took",
    ]  # fmt: skip


def test_the_editor_is_told_fields_by_type() -> None:
    context = datasource_context(settings_of(), http=FakeHttp(answer))
    request = ResourceRequest(path="fields", parameters={"type": "long"})
    answered = cast("ResourceCaller", plugin()).call_resource(request, context)
    assert answered == {"fields": [{"name": "took", "type": "double,long"}]}
