"""OTLP metrics as samples, with the OpenTelemetry project's own messages."""

import math
from typing import Any

import numpy as np
import orjson
import pytest
from google.protobuf import json_format
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)

from detectviz.ingest import otlp
from detectviz.ingest.batch import Batch, MetricFacts
from detectviz.ingest.errors import MalformedError
from detectviz.ingest.otlp_messages import encode_answer
from detectviz.ingest.otlp_names import Kind, label_name, metric_name, unit_name
from detectviz.tsdb.histograms import Histogram
from detectviz.tsdb.interface import STALE_NAN_BITS

T = 1_700_000_000_000
NS = T * 1_000_000
START = NS - 60_000_000_000


def attributes(**pairs: Any) -> list[dict[str, Any]]:
    kinds = {str: "string_value", bool: "bool_value", int: "int_value", float: "double_value"}
    return [
        {"key": key.replace("__", "."), "value": {kinds[type(value)]: value}}
        for key, value in pairs.items()
    ]


def request(*metrics: dict[str, Any], scope: str = "", **resource: str) -> Any:
    group: Any = {
        "resource": {"attributes": attributes(**resource)},
        "scope_metrics": [{"scope": {"name": scope}, "metrics": metrics}],
    }
    return ExportMetricsServiceRequest(resource_metrics=[group])


def parsed(*metrics: dict[str, Any], scope: str = "", **resource: str) -> Batch:
    message = request(*metrics, scope=scope, **resource)
    return otlp.parse(message.SerializeToString(), is_json=False)


def text(labels: Any) -> str:
    rest = {name: value for name, value in labels.items() if name != "__name__"}
    inside = ",".join(f"{name}={value}" for name, value in sorted(rest.items()))
    return f"{labels['__name__']}{{{inside}}}"


def values(batch: Batch) -> dict[str, float]:
    columns = batch.columns
    return {
        text(columns.labels_of(columns.series[owner])): float(value)
        for owner, value in zip(columns.owners.tolist(), columns.values, strict=True)
    }


def total(**changes: Any) -> dict[str, Any]:
    point = {"as_int": 7, "time_unix_nano": NS, "start_time_unix_nano": START} | changes
    data = {"aggregation_temporality": 2, "is_monotonic": True, "data_points": [point]}
    return {"name": "http.requests", "unit": "{request}", "description": "Served.", "sum": data}


@pytest.mark.parametrize(
    ("name", "unit", "kind", "expected"),
    [
        ("http.server.duration", "s", Kind.OTHER, "http_server_duration_seconds"),
        ("memory.usage", "By", Kind.GAUGE, "memory_usage_bytes"),
        ("memory.usage.bytes", "By", Kind.GAUGE, "memory_usage_bytes"),
        ("requests", "1", Kind.COUNTER, "requests_total"),
        ("requests.total", "", Kind.COUNTER, "requests_total"),
        ("cpu.utilization", "1", Kind.GAUGE, "cpu_utilization_ratio"),
        ("network", "By/s", Kind.GAUGE, "network_bytes_per_second"),
        ("faults", "{fault}/s", Kind.GAUGE, "faults_per_second"),
        ("disk..io__ops", "", Kind.OTHER, "disk_io_ops"),
        ("2xx", "", Kind.GAUGE, "_2xx"),
        ("load", "m/s²", Kind.GAUGE, "load_meters_per_s"),
        ("job:rate", "", Kind.GAUGE, "job:rate"),
        ("...", "", Kind.GAUGE, ""),
    ],
)
def test_metric_names(name: str, unit: str, kind: Kind, expected: str) -> None:
    assert metric_name(name, unit, kind) == expected


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("http.method", "http_method"),
        ("1st", "key_1st"),
        ("_x", "key_x"),
        ("__x", "__x"),
        ("é", ""),
    ],
)
def test_label_names(key: str, expected: str) -> None:
    assert label_name(key) == expected


def test_units_in_words() -> None:
    assert (unit_name("By/s"), unit_name("{x}"), unit_name("1")) == ("bytes_per_second", "", "")


def test_a_counter_with_its_resource_and_scope() -> None:
    batch = parsed(
        total(attributes=attributes(http__method="GET", ok=True, code=200, share=0.5)),
        scope="lib",
        service__name="shop",
        service__namespace="eu",
        service__instance__id="i-1",
        host__name="h1",
    )
    labels = (
        "code=200,http_method=GET,instance=i-1,job=eu/shop,ok=true,otel_scope_name=lib,share=0.5"
    )
    assert values(batch) == {
        f"http_requests_total{{{labels}}}": 7.0,
        "target_info{host_name=h1,instance=i-1,job=eu/shop}": 1.0,
    }
    assert batch.columns.timestamps_ms.tolist() == [T, T]
    assert batch.columns.start_times_ms is not None
    assert batch.columns.start_times_ms.tolist() == [START // 1_000_000, 0]
    assert MetricFacts(name="http_requests_total", type="counter", help="Served.") in batch.facts


def test_a_resource_without_a_service_has_no_target_info() -> None:
    assert values(parsed(total(), host__name="h1")) == {"http_requests_total{}": 7.0}


def test_a_sum_that_may_fall_is_a_gauge() -> None:
    metric = total()
    metric["sum"]["is_monotonic"] = False
    batch = parsed(metric)
    assert values(batch) == {"http_requests{}": 7.0}
    assert batch.facts[0].type == "gauge"
    assert batch.columns.start_times_ms is None


def test_a_histogram_becomes_cumulative_buckets() -> None:
    point = {
        "time_unix_nano": NS,
        "count": 6,
        "sum": 9.5,
        "explicit_bounds": [0.005, 1.0, 1e-7 * 1e9],
        "bucket_counts": [1, 2, 0, 3],
        "exemplars": [{"as_double": 0.7, "time_unix_nano": NS, "trace_id": b"\1" * 16}],
    }
    data = {"aggregation_temporality": 2, "data_points": [point]}
    batch = parsed({"name": "latency", "unit": "s", "histogram": data})
    assert values(batch) == {
        "latency_seconds_bucket{le=0.005}": 1.0,
        "latency_seconds_bucket{le=1}": 3.0,
        "latency_seconds_bucket{le=100}": 3.0,
        "latency_seconds_bucket{le=+Inf}": 6.0,
        "latency_seconds_sum{}": 9.5,
        "latency_seconds_count{}": 6.0,
    }
    (exemplar,) = batch.exemplars
    assert text(batch.columns.labels_of(exemplar.series)) == "latency_seconds_bucket{le=1}"
    assert exemplar.labels == {"trace_id": "01" * 16}


def test_an_exponential_histogram_becomes_a_native_one() -> None:
    point = {
        "time_unix_nano": NS,
        "count": 10,
        "sum": 3.0,
        "scale": 2,
        "zero_count": 1,
        "positive": {"offset": -1, "bucket_counts": [2, 0, 3, 0, 0, 0, 1]},
        "negative": {"offset": 4, "bucket_counts": [3]},
    }
    data = {"aggregation_temporality": 2, "data_points": [point]}
    batch = parsed({"name": "latency", "exponential_histogram": data})
    assert batch.columns.histograms is not None
    assert batch.columns.histograms[0] == Histogram(
        count=10,
        sum=3.0,
        schema=2,
        zero_threshold=1e-128,
        zero_count=1,
        positive_spans=((0, 3), (3, 1)),
        positive=(2, 0, 3, 1),
        negative_spans=((5, 1),),
        negative=(3,),
    )


def test_a_scale_too_fine_is_brought_down() -> None:
    point = {
        "time_unix_nano": NS,
        "count": 7,
        "scale": 9,
        "positive": {"offset": -2, "bucket_counts": [1, 2, 4]},
    }
    data = {"aggregation_temporality": 2, "data_points": [point]}
    batch = parsed({"name": "latency", "exponential_histogram": data})
    assert batch.columns.histograms is not None
    found = batch.columns.histograms[0]
    assert (found.schema, found.positive_spans, found.positive) == (8, ((0, 2),), (3.0, 4.0))


def test_a_summary_has_quantiles_sum_and_count() -> None:
    point = {
        "time_unix_nano": NS,
        "count": 3,
        "sum": 4.5,
        "quantile_values": [{"quantile": 0.99, "value": 2.5}],
    }
    batch = parsed({"name": "rpc", "summary": {"data_points": [point]}})
    assert values(batch) == {"rpc{quantile=0.99}": 2.5, "rpc_sum{}": 4.5, "rpc_count{}": 3.0}


def test_no_recorded_value_is_a_stale_marker() -> None:
    batch = parsed(total(flags=1))
    assert batch.columns.values.view(np.uint64).tolist() == [STALE_NAN_BITS]


@pytest.mark.parametrize(
    ("metric", "count", "words"),
    [
        ({"name": "d", "sum": {"aggregation_temporality": 1, "data_points": [{}, {}]}}, 2, "'d'"),
        ({"name": "!", "gauge": {"data_points": [{}]}}, 1, "no name"),
        ({"name": "g", "gauge": {"data_points": [{"as_int": 1}]}}, 1, "no time"),
        (
            {
                "name": "h",
                "histogram": {
                    "aggregation_temporality": 2,
                    "data_points": [{"time_unix_nano": NS, "bucket_counts": [1, 2]}],
                },
            },
            1,
            "need 1 buckets",
        ),
        (
            {
                "name": "e",
                "exponential_histogram": {
                    "aggregation_temporality": 2,
                    "data_points": [{"time_unix_nano": NS, "scale": -5}],
                },
            },
            1,
            "scale -5",
        ),
    ],
)
def test_what_cannot_be_stored_is_counted_and_named(
    metric: dict[str, Any], count: int, words: str
) -> None:
    batch = parsed(metric, total())
    assert batch.refusals.count == count
    assert words in batch.refusals.examples[0]
    assert values(batch) == {"http_requests_total{}": 7.0}


def test_an_attribute_that_gives_way_is_told() -> None:
    batch = parsed(total(attributes=attributes(job="mine")), service__name="shop")
    assert values(batch) == {"http_requests_total{job=shop}": 7.0}
    assert "attribute 'job' gives way" in batch.warnings[0]


def test_names_that_become_one_are_joined_in_order() -> None:
    batch = parsed(total(attributes=[*attributes(a__b="1"), *attributes(a_b="2")]))
    assert values(batch) == {"http_requests_total{a_b=1;2}": 7.0}


def test_json_says_the_same() -> None:
    point = {"as_double": 0.5, "time_unix_nano": NS, "trace_id": bytes(range(16))}
    message = request(total(exemplars=[point]), service__name="shop")
    content = json_format.MessageToDict(message)
    metric = content["resourceMetrics"][0]["scopeMetrics"][0]["metrics"][0]
    metric["sum"]["aggregationTemporality"] = 2
    metric["sum"]["dataPoints"][0]["exemplars"][0]["traceId"] = bytes(range(16)).hex()
    metric["somethingNew"] = 1
    batch = otlp.parse(orjson.dumps(content), is_json=True)
    assert values(batch) == {"http_requests_total{job=shop}": 7.0}
    assert batch.exemplars[0].labels == {"trace_id": bytes(range(16)).hex()}


def test_answers_are_what_the_project_reads() -> None:
    message = ExportMetricsServiceResponse.FromString(encode_answer(300, "no", is_json=False))
    assert message.partial_success.rejected_data_points == 300
    assert message.partial_success.error_message == "no"
    assert encode_answer(0, "", is_json=False) == b""
    assert (
        json_format.Parse(encode_answer(300, "no", is_json=True), ExportMetricsServiceResponse())
        == message
    )


@given(st.binary(max_size=200), st.booleans())
@settings(max_examples=300)
def test_garbage_is_malformed_and_never_a_crash(data: bytes, is_json: bool) -> None:
    try:
        otlp.parse(data, is_json=is_json)
    except MalformedError:
        return


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=5,
)


@given(json_values, st.integers(0, 5))
@settings(max_examples=200)
def test_json_of_any_shape_is_malformed_or_read(value: Any, place: int) -> None:
    metric = {"name": "g", "gauge": {"dataPoints": [{"asDouble": 1, "timeUnixNano": str(NS)}]}}
    content: Any = {"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]}
    target: Any = content
    for step in ("resourceMetrics", "scopeMetrics", "metrics")[: place % 4]:
        target = target[step][0]
    target[("resourceMetrics", "scopeMetrics", "metrics", "gauge")[place % 4]] = value
    try:
        otlp.parse(orjson.dumps(content, default=str), is_json=True)
    except (MalformedError, orjson.JSONEncodeError):
        return


@given(st.integers(0, 10**6), st.integers(0, 255))
@settings(max_examples=300)
def test_a_damaged_request_is_malformed_or_read(at: int, byte: int) -> None:
    point = {"time_unix_nano": NS, "count": 1, "positive": {"bucket_counts": [1]}}
    metric = {
        "name": "e",
        "exponential_histogram": {"aggregation_temporality": 2, "data_points": [point]},
    }
    data = bytearray(request(metric, total(), service__name="shop").SerializeToString())
    data[at % len(data)] = byte
    try:
        otlp.parse(bytes(data), is_json=False)
    except MalformedError:
        return


def test_infinite_bounds_are_written_as_prometheus_does() -> None:
    point = {
        "time_unix_nano": NS,
        "count": 1,
        "quantile_values": [{"quantile": 1.0, "value": math.inf}],
    }
    assert "rpc{quantile=1}" in values(parsed({"name": "rpc", "summary": {"data_points": [point]}}))
