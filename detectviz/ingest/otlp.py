"""OTLP metrics as Prometheus' samples.

Source: the OTLP 1.x specification, the OpenTelemetry metrics data model and its Prometheus
compatibility, with the defaults of Prometheus' own OTLP receiver, except that labels of the scope
are kept as the specification says. Sums and histograms must be cumulative: a delta can't be added
up here, since requests come over any number of processes, twice and out of order; the collector's
``deltatocumulative`` processor knows the order.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from detectviz.ingest.batch import Batch, BatchBuilder, MetricFacts, PushedExemplar
from detectviz.ingest.native_histograms import HistogramError
from detectviz.ingest.otlp_histograms import native_histogram
from detectviz.ingest.otlp_labels import Origin, attribute_labels, float_text, origin_of
from detectviz.ingest.otlp_messages import decode, identifier
from detectviz.ingest.otlp_names import Kind, metric_name, unit_name
from detectviz.tsdb.interface import STALE_NAN
from detectviz.tsdb.labels import LabelKey

CUMULATIVE = 2
_NO_VALUE = 1  # the flag of a point that only says that there is no value
_NS_PER_MS = 1_000_000
_MOST_EXEMPLAR_CHARACTERS = 128


def parse(data: bytes, *, is_json: bool) -> Batch:
    """Return the samples of an ExportMetricsServiceRequest; raise MalformedError."""
    translator = _Translator(is_json=is_json)
    for group in decode(data, is_json=is_json).resource_metrics:
        translator.resource(group)
    return translator.builder.build()


class _Translator:
    """Goes through a request and fills a builder."""

    def __init__(self, *, is_json: bool) -> None:
        self.builder = BatchBuilder()
        self._is_json = is_json
        self._origin = Origin({})
        self._latest_ms = 0
        self._warned: set[str] = set()
        self._kinds: dict[str, Callable[[Any], None]] = {
            "gauge": self._gauge,
            "sum": self._sum,
            "histogram": self._histogram,
            "exponential_histogram": self._exponential,
            "summary": self._summary,
        }

    def resource(self, group: Any) -> None:
        """Translate the metrics of one resource, and tell its other attributes."""
        origin, info = origin_of(group.resource)
        self._latest_ms = 0
        for part in group.scope_metrics:
            self._origin = origin.within(part.scope, part.schema_url)
            for metric in part.metrics:
                kind = metric.WhichOneof("data")
                if kind in self._kinds:
                    self._kinds[kind](metric)
        if info is not None and self._latest_ms:
            self.builder.add(info, self._latest_ms, 1.0)
            self.builder.tell(MetricFacts(name="target_info", type="gauge", help="Target metadata"))

    def _gauge(self, metric: Any) -> None:
        name = self._name(metric, Kind.GAUGE, "gauge", len(metric.gauge.data_points))
        if name:
            for point in metric.gauge.data_points:
                self._number(name, point, is_counter=False)

    def _sum(self, metric: Any) -> None:
        if self._is_delta(metric, metric.sum):
            return
        is_counter = metric.sum.is_monotonic
        kind = Kind.COUNTER if is_counter else Kind.OTHER
        word = "counter" if is_counter else "gauge"
        name = self._name(metric, kind, word, len(metric.sum.data_points))
        if name:
            for point in metric.sum.data_points:
                self._number(name, point, is_counter=is_counter)

    def _number(self, name: str, point: Any, *, is_counter: bool) -> None:
        time_ms = self._time(name, point)
        if not time_ms:
            return
        series = self._origin.series(name, self._labels(name, point))
        value = point.as_double or float(point.as_int)
        if point.flags & _NO_VALUE:
            value = STALE_NAN
        self.builder.add(
            series, time_ms, value, start_ms=_start(point, time_ms) if is_counter else 0
        )
        self._exemplars(point, [(math.inf, series)])

    def _histogram(self, metric: Any) -> None:
        if self._is_delta(metric, metric.histogram):
            return
        points = metric.histogram.data_points
        name = self._name(metric, Kind.OTHER, "histogram", len(points))
        for point in points if name else ():
            time_ms = self._time(name, point)
            if time_ms:
                self._classic(name, point, time_ms)

    def _classic(self, name: str, point: Any, time_ms: int) -> None:
        """Add the buckets, sum and count of a histogram with explicit bounds."""
        bounds, counts = point.explicit_bounds, point.bucket_counts
        if len(counts) not in {0, len(bounds) + 1}:
            self.builder.refusals.add(
                f"{name}: {len(bounds)} bounds need {len(bounds) + 1} buckets, got {len(counts)}"
            )
            return
        labels = self._labels(name, point)
        start_ms, is_stale = _start(point, time_ms), bool(point.flags & _NO_VALUE)
        buckets: list[tuple[float, LabelKey]] = []

        def add(series: LabelKey, value: float) -> None:
            shown = STALE_NAN if is_stale else value
            self.builder.add(series, time_ms, shown, start_ms=start_ms)

        below = 0
        for bound, count in zip(bounds, counts[:-1], strict=True):
            below += count
            buckets.append(
                (bound, self._origin.series(f"{name}_bucket", labels, le=float_text(bound)))
            )
            add(buckets[-1][1], float(below))
        buckets.append((math.inf, self._origin.series(f"{name}_bucket", labels, le="+Inf")))
        add(buckets[-1][1], float(point.count))
        if point.HasField("sum"):
            add(self._origin.series(f"{name}_sum", labels), point.sum)
        add(self._origin.series(f"{name}_count", labels), float(point.count))
        self._exemplars(point, buckets)

    def _exponential(self, metric: Any) -> None:
        if self._is_delta(metric, metric.exponential_histogram):
            return
        points = metric.exponential_histogram.data_points
        name = self._name(metric, Kind.OTHER, "histogram", len(points))
        for point in points if name else ():
            time_ms = self._time(name, point)
            if time_ms:
                self._native(name, point, time_ms)

    def _native(self, name: str, point: Any, time_ms: int) -> None:
        series = self._origin.series(name, self._labels(name, point))
        start_ms = _start(point, time_ms)
        if point.flags & _NO_VALUE:
            self.builder.add(series, time_ms, STALE_NAN, start_ms=start_ms)
            return
        try:
            histogram = native_histogram(point)
        except HistogramError as error:
            self.builder.refusals.add(f"{name}: {error}")
            return
        self.builder.add(series, time_ms, 0.0, histogram=histogram, start_ms=start_ms)
        self._exemplars(point, [(math.inf, series)])

    def _summary(self, metric: Any) -> None:
        points = metric.summary.data_points
        name = self._name(metric, Kind.OTHER, "summary", len(points))
        for point in points if name else ():
            time_ms = self._time(name, point)
            if time_ms:
                self._quantiles(name, point, time_ms)

    def _quantiles(self, name: str, point: Any, time_ms: int) -> None:
        labels, start_ms = self._labels(name, point), _start(point, time_ms)
        is_stale = bool(point.flags & _NO_VALUE)
        values = [
            (self._origin.series(name, labels, quantile=float_text(one.quantile)), one.value)
            for one in point.quantile_values
        ]
        values.append((self._origin.series(f"{name}_sum", labels), point.sum))
        values.append((self._origin.series(f"{name}_count", labels), float(point.count)))
        for series, value in values:
            self.builder.add(series, time_ms, STALE_NAN if is_stale else value, start_ms=start_ms)

    def _name(self, metric: Any, kind: Kind, word: str, points: int) -> str:
        name = metric_name(metric.name, metric.unit, kind)
        if not name:
            self.builder.refusals.add(
                f"metric {metric.name[:80]!r} has no name that Prometheus can write", items=points
            )
        elif points:
            unit = unit_name(metric.unit)
            self.builder.tell(MetricFacts(name=name, type=word, help=metric.description, unit=unit))
        return name

    def _is_delta(self, metric: Any, data: Any) -> bool:
        if data.aggregation_temporality == CUMULATIVE:
            return False
        self.builder.refusals.add(
            f"metric {metric.name[:200]!r} is not cumulative: set the exporter's temporality to "
            "cumulative, or use the collector's deltatocumulative processor",
            items=len(data.data_points),
        )
        return True

    def _time(self, name: str, point: Any) -> int:
        time_ms: int = point.time_unix_nano // _NS_PER_MS
        if not time_ms:
            self.builder.refusals.add(f"{name}: a data point has no time")
        self._latest_ms = max(self._latest_ms, time_ms)
        return time_ms

    def _labels(self, name: str, point: Any) -> dict[str, str]:
        labels = attribute_labels(point.attributes)
        for label in self._origin.clashes(labels):
            if label not in self._warned:
                self._warned.add(label)
                self.builder.warn(
                    f"{name}: attribute {label!r} gives way to the resource's or scope's own"
                )
        return labels

    def _exemplars(self, point: Any, buckets: Sequence[tuple[float, LabelKey]]) -> None:
        """Give each exemplar to the first series whose upper bound it is not above."""
        for one in point.exemplars:
            value = one.as_double or float(one.as_int)
            series = next(key for bound, key in buckets if not value > bound)
            self.builder.exemplify(
                PushedExemplar(
                    series=series,
                    labels=dict(self._exemplar_labels(one)),
                    value=value,
                    timestamp_ms=one.time_unix_nano // _NS_PER_MS,
                )
            )

    def _exemplar_labels(self, one: Any) -> Iterator[tuple[str, str]]:
        """Yield trace and span, and the other attributes if all fit OpenMetrics' 128 characters."""
        own = {}
        if one.trace_id:
            own["trace_id"] = identifier(one.trace_id, is_json=self._is_json)
        if one.span_id:
            own["span_id"] = identifier(one.span_id, is_json=self._is_json)
        every = {**attribute_labels(one.filtered_attributes), **own}
        fits = sum(map(len, (*every, *every.values()))) <= _MOST_EXEMPLAR_CHARACTERS
        yield from (every if fits else own).items()


def _start(point: Any, time_ms: int) -> int:
    """Return since when a point counts, 0 when it does not say so or says nonsense."""
    start_ms: int = point.start_time_unix_nano // _NS_PER_MS
    return start_ms if start_ms < time_ms else 0
