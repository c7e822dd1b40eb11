"""The same samples in our store and in Debian's Prometheus, and the same queries to both."""

import http.client
import json
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from detectviz.promql.engine import Engine
from detectviz.promql.errors import PromqlError
from detectviz.promql.json import result_json
from detectviz.testing.backends import prometheus
from detectviz.tsdb.histograms import CounterReset, Histogram
from detectviz.tsdb.interface import STALE_NAN, Sample
from detectviz.tsdb.labels import label_key
from detectviz.tsdb.remote_histograms import encode_histogram
from detectviz.tsdb.remote_write import HEADERS, compressed, encode_labels, encode_series
from tests.conformance.promql.store import MemoryStore

TENANT = "oracle"
# Prometheus 2.42 has closed windows, 3.x left-open ones. No sample and no step of a subquery lies
# on the edge of a window: samples are between seconds, times of evaluation 13 s past a minute,
# all ranges, offsets and steps multiples of 30 s.
BASE_MS = 1_699_998_000_000 - 1_699_998_000_000 % 3_600_000
FIRST_S = BASE_MS // 1000 + 13
MINUTES = 40
_INTERVAL_MS = 15_000
_JOBS, _INSTANCES = "ab", "123"
_BOUNDS = (0.1, 0.5, 1.0, float("inf"))

Answer = dict[str, Any] | str


def samples() -> list[list[Sample]]:
    """Return the samples, a list for each series: counters, gauges and histograms."""
    random = np.random.default_rng(42)
    found: list[list[Sample]] = []
    for job in _JOBS:
        found.append(_series(random, {"__name__": "zone_info", "job": job, "zone": job * 2}, "one"))
        for instance in _INSTANCES:
            owner = {"job": job, "instance": instance}
            for name, kind in (("hits_total", "counter"), ("mem", "gauge"), ("odd", "odd")):
                found.append(_series(random, {"__name__": name, **owner}, kind))
            found.append(_natives(random, {"__name__": "lat", **owner}))
            found += _classic(random, owner)
    return found


def _times(random: np.random.Generator) -> list[int]:
    count = MINUTES * 60_000 // _INTERVAL_MS
    kept = np.flatnonzero(random.random(count) > 0.08)
    return [
        BASE_MS + int(one) * _INTERVAL_MS + int(random.integers(1, 999)) for one in kept.tolist()
    ]


def _series(random: np.random.Generator, labels: dict[str, str], kind: str) -> list[Sample]:
    found: list[Sample] = []
    # A counter that restarts falls to a third, so that its zero never matters to a rate.
    total = 1e9
    for at in _times(random):
        total = float(total // 3 if random.random() < 0.02 else total + random.integers(0, 50))
        gauge = float(np.round(random.normal(0, 100), 3))
        value = {"counter": total, "gauge": gauge, "odd": gauge, "one": 1.0}[kind]
        if kind == "odd" and random.random() < 0.2:
            value = float(random.choice([np.nan, np.inf, -np.inf, 0.0]))
        found.append(Sample(labels, at, STALE_NAN if random.random() < 0.02 else value))
    return found


def _classic(random: np.random.Generator, owner: dict[str, str]) -> list[list[Sample]]:
    counts = np.full(len(_BOUNDS), 1e6)
    rows: list[list[Sample]] = [[] for _ in _BOUNDS]
    for at in _times(random):
        counts += np.sort(random.integers(0, 40, len(_BOUNDS)))
        for row, bound, count in zip(rows, _BOUNDS, np.sort(counts).tolist(), strict=True):
            le = "+Inf" if bound == float("inf") else str(bound)
            row.append(Sample({"__name__": "wait_bucket", "le": le, **owner}, at, count))
    return rows


def _natives(random: np.random.Generator, labels: dict[str, str]) -> list[Sample]:
    found: list[Sample] = []
    counts = np.full(4, 1000.0)
    for at in _times(random):
        counts = counts + random.integers(0, 9, 4)
        histogram = Histogram(
            count=float(counts.sum() + 2),
            sum=float(counts.sum() * 1.5),
            schema=1,
            zero_threshold=0.001,
            zero_count=2.0,
            positive_spans=((0, 3), (2, 1)),
            positive=tuple(counts.tolist()),
            counter_reset=CounterReset.UNKNOWN,
        )
        found.append(Sample(labels, at, histogram=histogram))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Both:
    """Asks Prometheus and our engine."""

    port: int
    engine: Engine

    def instant(self, query: str, at_s: int) -> tuple[Answer, Answer]:
        """Return both answers: Prometheus' first; text is an error."""
        theirs = self._ask("query", query=query, time=str(at_s))
        return theirs, _ours(lambda: self.engine.instant(TENANT, query, at_s * 1000))

    def range(self, query: str, start_s: int, end_s: int, step_s: int) -> tuple[Answer, Answer]:
        """Return both answers over a range of time."""
        theirs = self._ask(
            "query_range", query=query, start=str(start_s), end=str(end_s), step=str(step_s)
        )
        bounds = (start_s * 1000, end_s * 1000, step_s * 1000)
        return theirs, _ours(lambda: self.engine.range(TENANT, query, *bounds))

    def formatted(self, query: str) -> str | None:
        """Return Prometheus' own text of a query; None if it refuses it."""
        answer = self._get("format_query", query=query)
        return str(answer["data"]) if answer["status"] == "success" else None

    def _ask(self, path: str, **parameters: str) -> Answer:
        answer = self._get(path, **parameters)
        return answer["data"] if answer["status"] == "success" else str(answer["error"])

    def _get(self, path: str, **parameters: str) -> dict[str, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", f"/api/v1/{path}?{urllib.parse.urlencode(parameters)}")
            answer: dict[str, Any] = json.loads(connection.getresponse().read())
            return answer
        finally:
            connection.close()


def _ours(ask: Any) -> Answer:
    try:
        return result_json(ask())
    except PromqlError as error:
        return str(error)


@contextmanager
def both(folder: Path) -> Iterator[Both]:
    """Run Prometheus with native histograms, filled as our store is."""
    store = MemoryStore()
    with prometheus(folder, flags=["--enable-feature=native-histograms"]) as (port, _):
        for series in samples():
            store.append(TENANT, series)
            _write(port, series)
        yield Both(port=port, engine=Engine(store))


def _write(port: int, series: list[Sample]) -> None:
    message = encode_series(
        [encode_labels(label_key(series[0].labels))],
        np.array([len(series)]),
        np.array([one.timestamp_ms for one in series]),
        np.array([one.value for one in series]),
        {
            place: encode_histogram(one.histogram, one.timestamp_ms)
            for place, one in enumerate(series)
            if one.histogram is not None
        },
    )
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("POST", "/api/v1/write", compressed(message), HEADERS)
        response = connection.getresponse()
        assert response.status == http.HTTPStatus.NO_CONTENT, response.read()
    finally:
        connection.close()
