"""The ingest doors of a running product, spoken to by the senders people have."""

import gzip
import json
import math
import time
from collections.abc import Callable, Iterator
from functools import partial
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlencode

import pytest
import yaml
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write.point import Point
from influxdb_client.client.write_api import SYNCHRONOUS
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource
from prometheus_client import CollectorRegistry, Gauge, push_to_gateway
from prometheus_client.exposition import basic_auth_handler

from detectviz.testing.product import Product, embedded_product, until
from detectviz.testing.services import find_program, free_port, http_is_ready, run_server
from tests.factories.prompb import V2, RequestV2, snappy

Answer = dict[tuple[tuple[str, str], ...], float]


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    with embedded_product(tmp_path_factory.mktemp("senders")) as running:
        yield running


def ask(port: int, path: str, key: str = "") -> Any:
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path, headers={"Authorization": f"Bearer {key}"} if key else {})
    response = connection.getresponse()
    text = response.read()
    connection.close()
    assert response.status == 200, text
    return json.loads(text)


def result(product: Product, promql: str, at: float | None = None) -> Answer:
    path = "/orgs/default/prometheus/api/v1/query?"
    return vector(ask(product.port, path + query_of(promql, at), product.key))


def query_of(promql: str, at: float | None) -> str:
    return urlencode({"query": promql} | ({} if at is None else {"time": f"{at:.3f}"}))


def vector(answer: Any) -> Answer:
    return {
        tuple(sorted(one["metric"].items())): float(one["value"][1])
        for one in answer["data"]["result"]
        if "value" in one
    }


@pytest.fixture(scope="module")
def prometheus(product: Product, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Run a Prometheus that scrapes itself and writes all of it into the product."""
    folder, port = tmp_path_factory.mktemp("prometheus"), free_port()
    settings = {
        "global": {"scrape_interval": "1s", "external_labels": {"replica": "a"}},
        "scrape_configs": [
            {"job_name": "prometheus", "static_configs": [{"targets": [f"127.0.0.1:{port}"]}]}
        ],
        "remote_write": [
            {
                "url": f"{product.url}/orgs/default/prometheus/api/v1/write",
                "basic_auth": {"username": "prometheus", "password": product.key},
                "queue_config": {"batch_send_deadline": "500ms"},
                "metadata_config": {"send": True, "send_interval": "1s"},
                "send_exemplars": True,
            }
        ],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(settings))
    program = find_program("prometheus")
    assert program is not None
    argv = [
        program,
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--enable-feature=exemplar-storage",
    ]

    with run_server(
        argv, ready=lambda: http_is_ready(port), timeout_s=60, cwd=folder, env={"PATH": "/usr/bin"}
    ):
        yield port


@pytest.mark.services("prometheus")
def test_prometheus_writes_what_it_scrapes_and_our_answers_are_its_own(
    product: Product, prometheus: int
) -> None:
    until(
        lambda: list(result(product, "count_over_time(up[1m])").values()) >= [5.0],
        "five scrapes arrive",
    )
    at = math.floor(time.time()) - 1.0
    until(lambda: max(result(product, "timestamp(up)").values()) > at, "samples of now arrive")
    queries = (
        "up",
        'count by (__name__) ({job="prometheus"})',
        "prometheus_http_requests_total",
        'sum(prometheus_http_request_duration_seconds_bucket{le="+Inf"})',
        "prometheus_tsdb_head_series",
        # no rate(): 2.42 extrapolates a counter that has just begun otherwise than Prometheus 3
        "sum_over_time(prometheus_tsdb_head_samples_appended_total[3s])",
        "prometheus_build_info",
    )
    for promql in queries:
        path = f"/api/v1/query?{query_of(promql, at)}"
        expected = vector(ask(prometheus, path))
        assert expected, promql
        if promql.startswith(("up", "prometheus_b")):
            assert any(("replica", "a") in labels for labels in result(product, promql, at))
        # its queues do not send in the order of time: one may be behind
        until(partial(is_same, product, promql, at, expected), f"{promql} is as there")


def is_same(product: Product, promql: str, at: float, expected: Answer) -> bool:
    found = {
        tuple(pair for pair in labels if pair[0] != "replica"): value
        for labels, value in result(product, promql, at).items()
    }
    return bool(found == pytest.approx(expected))


@pytest.mark.services("prometheus")
def test_prometheus_tells_what_its_metrics_are(product: Product, prometheus: int) -> None:
    path = "/orgs/default/prometheus/api/v1/metadata?metric=prometheus_build_info"
    found = until(
        lambda: ask(product.port, path, product.key)["data"].get("prometheus_build_info"),
        "metadata arrives",
    )
    assert found[0]["type"] == "gauge"
    failed = query_of("prometheus_remote_storage_samples_failed_total", None)
    assert set(vector(ask(prometheus, f"/api/v1/query?{failed}")).values()) == {0.0}


def test_a_remote_write_two_sender_is_told_what_was_written(product: Product) -> None:
    now_ms = int(time.time() * 1000)
    request = RequestV2()
    request.add(
        labels_refs=request.refs(name="two_total", job="a"),
        samples=[V2["Sample"](value=2.0, timestamp=now_ms, start_timestamp=now_ms - 60_000)],
        metadata={"type": 1},
    )
    histogram = {
        "count_int": 3,
        "sum": 6.0,
        "schema": 0,
        "positive_spans": [{"offset": 0, "length": 2}],
        "positive_deltas": [1, 1],
        "timestamp": now_ms,
    }
    request.add(labels_refs=request.refs(name="two_seconds"), histograms=[histogram])
    headers = {
        "Authorization": f"Bearer {product.key}",
        "Content-Type": "application/x-protobuf;proto=io.prometheus.write.v2.Request",
        "Content-Encoding": "snappy",
        "X-Prometheus-Remote-Write-Version": "2.0.0",
        "User-Agent": "test/1.0",
    }
    path = "/orgs/default/prometheus/api/v1/write"
    status, answered = send(product, path, snappy(request.encoded()), headers)
    assert status == 204
    assert answered["x-prometheus-remote-write-samples-written"] == "1"
    assert answered["x-prometheus-remote-write-histograms-written"] == "1"
    assert list(result(product, "two_total").values()) == [2.0]
    assert list(result(product, "histogram_count(two_seconds)").values()) == [3.0]


def send(
    product: Product, path: str, body: Any, headers: dict[str, str], *, is_chunked: bool = False
) -> tuple[int, dict[str, str]]:
    connection = HTTPConnection("127.0.0.1", product.port, timeout=30)
    connection.request("POST", path, body=body, headers=headers, encode_chunked=is_chunked)
    response = connection.getresponse()
    response.read()
    connection.close()
    return response.status, {name.lower(): text for name, text in response.getheaders()}


@pytest.fixture
def meters(product: Product) -> Iterator[MeterProvider]:
    """Return OpenTelemetry's own SDK, exporting to the product."""
    exporter = OTLPMetricExporter(
        endpoint=f"{product.url}/orgs/default/otlp/v1/metrics",
        headers={"Authorization": f"Bearer {product.key}"},
        compression=Compression.Gzip,
    )
    view = View(
        instrument_type=Histogram,
        instrument_name="sizes",
        aggregation=ExponentialBucketHistogramAggregation(),
    )
    provider = MeterProvider(
        metric_readers=[PeriodicExportingMetricReader(exporter, export_interval_millis=600_000)],
        resource=Resource({"service.name": "shop", "service.instance.id": "i1", "host.name": "h1"}),
        views=[view],
        shutdown_on_exit=False,
    )
    yield provider
    provider.shutdown()


def test_the_opentelemetry_sdk_exports(product: Product, meters: MeterProvider) -> None:
    meter = meters.get_meter("orders", "1.0")
    meter.create_counter("orders", unit="1", description="Orders.").add(3, {"http.method": "GET"})
    meter.create_up_down_counter("queue.length").add(-2)
    latency = meter.create_histogram("latency", unit="s")
    sizes = meter.create_histogram("sizes", unit="By")
    for value in (0.5, 2.0, 700.0):
        latency.record(value)
        sizes.record(value)
    assert meters.force_flush()
    same = {"job": "shop", "instance": "i1"}
    ours = "{job='shop'}"
    ((labels, value),) = result(product, f"orders_total{ours}").items()
    assert value == 3.0
    assert dict(labels) == {
        **same,
        "__name__": "orders_total",
        "http_method": "GET",
        "otel_scope_name": "orders",
        "otel_scope_version": "1.0",
    }
    assert list(result(product, f"queue_length{ours}").values()) == [-2.0]
    assert list(result(product, f"latency_seconds_count{ours}").values()) == [3.0]
    buckets = result(product, f"count(latency_seconds_bucket{ours})")
    assert next(iter(buckets.values())) > 5
    assert list(result(product, f"histogram_sum(sizes_bytes{ours})").values()) == [702.5]
    ((labels, _),) = result(product, f"target_info{ours}").items()
    assert ("host_name", "h1") in labels


def test_the_influx_client_writes(product: Product) -> None:
    make: Callable[..., Any] = InfluxDBClient  # the library is untyped
    with make(url=f"{product.url}/orgs/default/influx", token=product.key, org="x") as client:
        point: Callable[..., Any] = Point
        record = point("disk").tag("path", "/a b").field("used", 5).time(time.time_ns())
        client.write_api(write_options=SYNCHRONOUS).write(bucket="any", record=record)
    assert result(product, "disk_used") == {(("__name__", "disk_used"), ("path", "/a b")): 5.0}


def test_a_body_without_a_length_is_read_as_telegraf_sends_it(product: Product) -> None:
    packed = gzip.compress(f"cpu,host=a idle=93.5 {time.time_ns()}\n".encode())
    status, _ = send(
        product,
        "/orgs/default/influx/write?db=telegraf&precision=ns",
        iter([packed[:10], packed[10:]]),
        {
            "Authorization": f"Token {product.key}",
            "Content-Encoding": "gzip",
            "Transfer-Encoding": "chunked",
        },
        is_chunked=True,
    )
    assert status == 204
    assert list(result(product, "cpu_idle").values()) == [93.5]


def test_the_prometheus_client_pushes_a_group(product: Product) -> None:
    def handler(
        url: str, method: str, timeout: float | None, headers: Any, data: bytes
    ) -> Callable[[], None]:
        return basic_auth_handler(url, method, timeout, headers, data, "push", product.key)

    registry = CollectorRegistry()
    Gauge("batch_rows", "Rows.", registry=registry).set(42)
    push_to_gateway(
        f"{product.url}/orgs/default",
        job="a/nightly",
        registry=registry,
        grouping_key={"instance": "db"},
        handler=handler,
    )
    expected = (("__name__", "batch_rows"), ("instance", "db"), ("job", "a/nightly"))
    assert result(product, "batch_rows") == {expected: 42.0}
    ((_, at),) = result(product, "push_time_seconds").items()
    assert abs(at - time.time()) < 60
