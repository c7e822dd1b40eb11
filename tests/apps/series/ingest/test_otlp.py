"""The OTLP door."""

import gzip
from typing import Any, cast

import orjson
import pytest
from django.test import Client
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)

from apps.orgs.models import Org
from apps.series.services import series_store, series_store_use
from detectviz.clock import to_ms, utc_now
from detectviz.tsdb.interface import Matcher, MatchOp, RateLimitedError, SeriesStore
from tests.factories.series import RefusingStore

NOW = to_ms(utc_now())
PROTOBUF = "application/x-protobuf"


def gauge(name: str, value: float) -> dict[str, Any]:
    point = {"as_double": value, "time_unix_nano": NOW * 1_000_000}
    return {"name": name, "gauge": {"data_points": [point]}}


def delta(name: str) -> dict[str, Any]:
    return {"name": name, "sum": {"aggregation_temporality": 1, "data_points": [{}]}}


def encoded(*metrics: dict[str, Any]) -> bytes:
    group: Any = {"scope_metrics": [{"metrics": metrics}]}
    return bytes(ExportMetricsServiceRequest(resource_metrics=[group]).SerializeToString())


def push(key: str, body: bytes, content_type: str = PROTOBUF, **headers: str) -> Any:
    sent = {"Authorization": f"Bearer {key}"} | headers
    return Client().post("/orgs/acme/otlp/v1/metrics", body, content_type, headers=sent)


def stored(org: Org, name: str) -> list[float]:
    matcher = Matcher("__name__", MatchOp.EQUAL, name)
    found = series_store().select(org.uid, [matcher], 0, 2**50)
    return [float(value) for value in found.values]


@pytest.mark.parametrize("is_zipped", [False, True])
def test_protobuf_is_stored(org: Org, key: str, is_zipped: bool) -> None:
    body = encoded(gauge("load", 0.5))
    if is_zipped:
        answer = push(key, gzip.compress(body), **{"Content-Encoding": "gzip"})
    else:
        answer = push(key, body)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer["Content-Type"] == PROTOBUF
    assert stored(org, "load") == [0.5]


def test_json_is_stored_and_answered_in_json(org: Org, key: str) -> None:
    point = {"asDouble": 0.5, "timeUnixNano": str(NOW * 1_000_000)}
    metric = {"name": "load", "gauge": {"dataPoints": [point]}}
    body = orjson.dumps({"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]})
    answer = push(key, body, "application/json; charset=utf-8")
    assert (answer.status_code, answer.json()) == (200, {})
    assert stored(org, "load") == [0.5]


def test_what_is_refused_is_a_partial_success(org: Org, key: str) -> None:
    push(key, encoded(gauge("load", 0.5)))
    answer = push(key, encoded(delta("requests"), gauge("load", 0.7), gauge("heat", 1.0)))
    assert answer.status_code == 200
    partial = ExportMetricsServiceResponse.FromString(answer.content).partial_success
    assert partial.rejected_data_points == 2
    assert "'requests' is not cumulative" in partial.error_message
    assert "duplicate sample" in partial.error_message
    assert stored(org, "heat") == [1.0]


@pytest.mark.parametrize(
    ("body", "content_type", "encoding", "expected"),
    [
        (b"\xff", PROTOBUF, "", (400, 3)),
        (b"[", "application/json", "", (400, 3)),
        (b"", "text/plain", "", (415, 3)),
        (b"x", PROTOBUF, "br", (415, 3)),
        (b"x", PROTOBUF, "gzip", (400, 3)),
        (gzip.compress(b"\0" * 40_000_000, 1), PROTOBUF, "gzip", (413, 11)),
    ],
)
def test_failures_are_a_status_in_the_encoding_of_the_request(
    key: str, body: bytes, content_type: str, encoding: str, expected: tuple[int, int]
) -> None:
    status, code = expected
    answer = push(key, body, content_type, **{"Content-Encoding": encoding})
    assert answer.status_code == status
    if content_type == "application/json":
        assert answer.json()["code"] == code
    else:
        assert answer.content[:2] == bytes((8, code))


def test_a_wrong_key_is_a_status_too(org: Org) -> None:
    answer = push("dv_1_2", encoded(gauge("load", 0.5)))
    assert (answer.status_code, answer.content[:2]) == (401, bytes((8, 16)))
    assert "WWW-Authenticate" in answer


def test_limits_say_when_to_come_back(org: Org, key: str) -> None:
    limited = RateLimitedError("too fast", retry_after_s=7.0)
    series_store_use(cast("SeriesStore", RefusingStore(limited)))
    answer = push(key, encoded(gauge("load", 0.5)))
    assert (answer.status_code, answer["Retry-After"]) == (429, "7")
    series_store_use(cast("SeriesStore", RefusingStore()))
    assert push(key, encoded(gauge("load", 0.5))).status_code == 429
    partial = push(key, encoded(gauge("load", 0.5), gauge("heat", 1.0)))
    assert partial.status_code == 200
    assert b"the org has its 5 series" in partial.content
