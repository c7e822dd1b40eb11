"""What Prometheus is asked, and how its answers are read."""

import json
from collections.abc import Sequence
from typing import cast
from urllib.parse import parse_qsl

import pytest
import re2

from detectviz.contracts.datasource import (
    Datasource,
    DatasourceContext,
    HealthChecker,
    Proxied,
    ResourceCaller,
    ResourceRequest,
)
from detectviz.contracts.errors import PluginError, QueryError
from detectviz.contracts.frames import Frame, Notice
from detectviz.contracts.network import HttpRequest
from detectviz.contracts.types import JsonObject, JsonValue, PluginKind
from detectviz.net.http import SyncHttpClient
from detectviz.testing.datasource_fakes import (
    END_MS,
    HOUR_MS,
    FakeHttp,
    data_query,
    datasource_context,
    datasource_settings,
    http_response,
)
from detectviz.testing.plugins import built_in_plugins

END_S = END_MS // 1000
EXEMPLARS: JsonValue = [
    {
        "seriesLabels": {"__name__": "test_exemplar_metric_total", "instance": "localhost:8090"},
        "exemplars": [
            {"labels": {"trace_id": "Olp9XHlq763ccsfa"}, "value": "19", "timestamp": END_S - 5},
            {"labels": {"trace_id": "EpTxMJ40fUus7aGY"}, "value": "6", "timestamp": END_S - 20.5},
        ],
    }
]


def plugin() -> Datasource:
    return built_in_plugins().load(PluginKind.DATASOURCE, "prometheus")


def answering(data: JsonValue, **more: JsonValue) -> FakeHttp:
    body = json.dumps({"status": "success", "data": data, **more}).encode()
    return FakeHttp(lambda _: http_response(body))


def context_of(http: FakeHttp | SyncHttpClient, **json_data: JsonValue) -> DatasourceContext:
    url = "http://metrics.test/prometheus/"
    settings = datasource_settings(
        "prometheus", url=url, json_data=json_data, secrets={"token": "reader-secret-71"}
    )
    return datasource_context(settings, http=http, timeout_s=9.5)


def ask(http: FakeHttp, model: JsonObject, **json_data: JsonValue) -> Sequence[Frame]:
    return plugin().query(data_query("prometheus", model), context_of(http, **json_data))


def asked(request: HttpRequest) -> dict[str, str]:
    return dict(parse_qsl(request.body.decode() or request.url.partition("?")[2]))


EMPTY: JsonValue = {"resultType": "matrix", "result": []}


def test_a_range_is_asked_in_aligned_steps_with_token_and_tenant() -> None:
    http = answering(EMPTY)
    ask(http, {"expr": "up", "step": "7m"}, flavour="mimir", tenant="team-a")
    (request,) = http.requests
    assert (request.method, request.url) == (
        "POST",
        "http://metrics.test/prometheus/api/v1/query_range",
    )
    headers = dict(request.headers)
    assert headers["Authorization"] == "Bearer reader-secret-71"
    assert headers["X-Scope-OrgID"] == "team-a"
    sent = asked(request)
    assert (sent["query"], sent["step"], sent["timeout"]) == ("up", "420.000", "10s")
    assert float(sent["end"]) == END_S // 420 * 420
    assert float(sent["start"]) == (END_S - HOUR_MS // 1000) // 420 * 420


def test_steps_are_no_shorter_than_scrapes_and_no_range_has_too_many() -> None:
    http = answering(EMPTY)
    short = data_query("prometheus", {"expr": "up"}, interval_ms=1000)
    plugin().query(short, context_of(http, time_interval="30s"))
    long = data_query("prometheus", {"expr": "up"}, start_ms=END_MS - 8760 * HOUR_MS)
    plugin().query(long, context_of(http, http_method="GET", flavour="thanos"))
    first, second = map(asked, http.requests)
    assert first["step"] == "30.000"
    assert 8760 * 3600 / float(second["step"]) < 11_000
    assert (second["dedup"], second["partial_response"]) == ("true", "true")
    assert http.requests[1].method == "GET"


def test_warnings_infos_and_histograms_left_out_become_notices() -> None:
    histogram: JsonValue = {"metric": {"__name__": "h"}, "histograms": [[END_S, {"count": "1"}]]}
    series: JsonValue = {
        "metric": {"__name__": "up", "job": "node"},
        "values": [[END_S - 60.5, "NaN"], [END_S, "+Inf"]],
    }
    data: JsonValue = {"resultType": "matrix", "result": [histogram, series]}
    http = answering(data, warnings=["one store is away"], infos=["metric might not be a counter"])
    (frame,) = ask(http, {"expr": "up", "legend_format": "{{ job }}/{{no}}"})
    assert [notice.severity for notice in frame.notices] == ["warning", "info", "warning"]
    assert frame.notices[0] == Notice(severity="warning", text="one store is away")
    assert "1 series of native histograms" in frame.notices[2].text
    time, value = frame.fields
    assert list(time.values) == [END_MS - 60_500, END_MS]
    assert (value.name, dict(value.labels)) == ("node/", {"job": "node"})
    assert str(list(value.values)) == "[nan, inf]"


def test_an_instant_gives_a_number_for_each_series_at_the_end_of_the_range() -> None:
    result: JsonValue = [
        {"metric": {"__name__": "up", "job": job}, "value": [END_S, "1"]} for job in "ab"
    ]
    http = answering({"resultType": "vector", "result": result})
    (frame,) = ask(http, {"expr": "up", "type": "instant"})
    assert frame.shape == "numeric"
    assert [(each.name, dict(each.labels), list(each.values)) for each in frame.fields] == [
        ("up", {"job": "a"}, [1.0]),
        ("up", {"job": "b"}, [1.0]),
    ]
    assert float(asked(http.requests[0])["time"]) == END_S


def test_scalars_and_texts_are_answers_too() -> None:
    http = answering({"resultType": "scalar", "result": [END_S, "2.5"]})
    (number,) = ask(http, {"expr": "2.5", "type": "instant"})
    assert list(number.fields[0].values) == [2.5]
    http = answering({"resultType": "string", "result": [END_S, "text"]})
    (text,) = ask(http, {"expr": '"text"', "type": "instant"})
    assert list(text.fields[0].values) == ["text"]


def test_a_table_has_a_column_for_each_label() -> None:
    result: JsonValue = [{"metric": {"__name__": "up", "job": "a"}, "value": [END_S, "1"]}]
    http = answering({"resultType": "vector", "result": result})
    (frame,) = ask(http, {"expr": "up", "type": "instant", "format": "table"})
    assert [(each.name, list(each.values)) for each in frame.fields] == [
        ("Time", [END_MS]), ("__name__", ["up"]), ("job", ["a"]), ("Value", [1.0]),
    ]  # fmt: skip


def test_exemplars_are_a_table_in_order_of_time() -> None:
    http = answering(EXEMPLARS)
    (frame,) = ask(http, {"expr": "test_exemplar_metric_total", "type": "exemplars"})
    assert http.requests[0].url.endswith("/api/v1/query_exemplars")
    columns = {each.name: list(each.values) for each in frame.fields}
    assert columns["Time"] == [END_MS - 20_500, END_MS - 5_000]
    assert columns["trace_id"] == ["EpTxMJ40fUus7aGY", "Olp9XHlq763ccsfa"]
    assert columns["Value"] == [6.0, 19.0]


@pytest.mark.services("prometheus")
def test_prometheus_itself_knows_exemplars_labels_and_metrics(
    prometheus_url: str, client: SyncHttpClient
) -> None:
    settings = datasource_settings("prometheus", url=prometheus_url)
    context = datasource_context(settings, http=client)
    query = data_query("prometheus", {"expr": "up", "type": "exemplars"})
    (frame,) = plugin().query(query, context)
    assert frame.rows == 0
    caller = cast("ResourceCaller", plugin())
    for path, key in (
        ("labels", "labels"), ("metrics", "metrics"), ("labels/job/values", "values"),
    ):  # fmt: skip
        request = ResourceRequest(path=path, parameters={"match": "up", "end": str(END_MS)})
        assert isinstance(caller.call_resource(request, context)[key], list)
    wrong = ResourceRequest(path="labels", parameters={"match": "up{"})
    with pytest.raises(QueryError, match="parse error"):
        caller.call_resource(wrong, context)
    assert "2." in cast("HealthChecker", plugin()).check_health(context).message


def test_metrics_are_told_with_what_is_known_of_them() -> None:
    def answer(request: HttpRequest) -> JsonValue:
        if "metadata" in request.url:
            return {"up": [{"type": "gauge", "help": "Is it up.", "unit": ""}]}
        return ["other", "up"]

    http = FakeHttp(
        lambda request: http_response(
            json.dumps({"status": "success", "data": answer(request)}).encode()
        )
    )
    request = ResourceRequest(path="metrics", parameters={"start": "1000"})
    found = cast("ResourceCaller", plugin()).call_resource(request, context_of(http))
    metrics = cast("list[JsonObject]", found["metrics"])
    assert metrics[1] == {"name": "up", "type": "gauge", "help": "Is it up.", "unit": ""}
    assert "start=1.000" in http.requests[0].url
    with pytest.raises(QueryError, match="milliseconds"):
        cast("ResourceCaller", plugin()).call_resource(
            ResourceRequest(path="labels", parameters={"start": "now"}), context_of(http)
        )


@pytest.mark.parametrize(
    ("status", "error"), [(400, QueryError), (422, QueryError), (503, PluginError)]
)
def test_a_failure_repeats_the_servers_reason_without_secrets(
    status: int, error: type[PluginError]
) -> None:
    said = {"status": "error", "errorType": "bad_data", "error": "no reader-secret-71 here"}
    http = FakeHttp(lambda _: http_response(json.dumps(said).encode(), status_code=status))
    with pytest.raises(error) as caught:
        ask(http, {"expr": "up"})
    assert "bad_data: no •••• here" in caught.value.message
    assert caught.value.permanent is (error is QueryError)


def test_the_proxy_lets_reading_through_and_nothing_that_changes() -> None:
    proxied = cast("Proxied", plugin())

    def is_let(method: str, path: str) -> bool:
        return any(
            route.method == method and re2.fullmatch(route.path, path)
            for route in proxied.proxy_routes
        )

    assert is_let("POST", "api/v1/query_range")
    assert is_let("GET", "api/v1/label/job/values")
    assert is_let("GET", "api/v1/rules")
    assert not is_let("POST", "api/v1/admin/tsdb/delete_series")
    assert not is_let("POST", "api/v1/write")
    assert not is_let("GET", "api/v1/status/config")
    assert ("Authorization", "Bearer reader-secret-71") in list(
        proxied.proxy_headers(context_of(answering(EMPTY)))
    )
