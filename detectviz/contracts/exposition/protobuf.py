"""Delimited ``io.prometheus.client.MetricFamily`` messages.

Source: client_model's ``metrics.proto``. A histogram with native buckets gives one sample; its
classic buckets too with ``classic_histograms`` (Prometheus' always_scrape_classic_histograms).
"""

from array import array
from collections.abc import Sequence
from typing import Final

import numpy as np

from detectviz.contracts.exposition import native, wire
from detectviz.contracts.exposition.cache import SeriesCache
from detectviz.contracts.exposition.numbers import format_float
from detectviz.contracts.exposition.result import (
    NO_TIMESTAMP,
    Exemplar,
    Exposition,
    ExpositionError,
    FamilyMetadata,
    MetricType,
)
from detectviz.contracts.exposition.series import METRIC_NAME, token_of
from detectviz.contracts.histograms import Histogram

_TYPES: Final = (
    MetricType.COUNTER,
    MetricType.GAUGE,
    MetricType.SUMMARY,
    MetricType.UNKNOWN,
    MetricType.HISTOGRAM,
    MetricType.GAUGE_HISTOGRAM,
)
_LABEL, _GAUGE, _COUNTER, _SUMMARY, _UNTYPED, _TIMESTAMP, _HISTOGRAM = range(1, 8)
_HISTOGRAMS: Final = frozenset({MetricType.HISTOGRAM, MetricType.GAUGE_HISTOGRAM})


def parse_protobuf(
    body: bytes, cache: SeriesCache | None = None, *, classic_histograms: bool = False
) -> Exposition:
    """Read delimited MetricFamily messages; raise ExpositionError."""
    cache = SeriesCache() if cache is None else cache
    cache.trim()
    reading = _Reading(cache, classic_histograms=classic_histograms)
    for message in wire.messages(body):
        reading.read_family(message)
    return reading.result()


class _Reading:
    """The columns while they are being filled."""

    def __init__(self, cache: SeriesCache, *, classic_histograms: bool) -> None:
        self._cache = cache
        self._classic = classic_histograms
        self._owners, self._times, self._starts = array("q"), array("q"), array("q")
        self._values = array("d")
        self._histograms: dict[int, Histogram] = {}
        self._exemplars: dict[int, tuple[Exemplar, ...]] = {}
        self._metadata: dict[str, FamilyMetadata] = {}

    def read_family(self, data: bytes) -> None:
        name = help_text = unit = ""
        kind = MetricType.COUNTER
        metrics: list[bytes] = []
        for number, _, value in wire.fields(data):
            match number:
                case 1:
                    name = wire.as_text(value)
                case 2:
                    help_text = wire.as_text(value)
                case 3:
                    index = wire.as_int(value)
                    if index >= len(_TYPES):
                        raise ExpositionError(f"protobuf: unknown metric type {index}")
                    kind = _TYPES[index]
                case 4:
                    metrics.append(wire.as_bytes(value))
                case 5:
                    unit = wire.as_text(value)
        if not name:
            raise ExpositionError("protobuf: a metric family without a name")
        self._metadata[name] = FamilyMetadata(type=kind, help=help_text, unit=unit)
        for metric in metrics:
            self._read_metric(name, kind, metric)

    def _read_metric(self, name: str, kind: MetricType, data: bytes) -> None:
        labels = {METRIC_NAME: name}
        time_ms, number, message = NO_TIMESTAMP, 0, b""
        for field_number, _, value in wire.fields(data):
            if field_number == _LABEL:
                key, text = native.read_label(wire.as_bytes(value))
                if not key or key in labels:
                    raise ExpositionError(f"protobuf: label {key!r} of {name} can't be used")
                labels[key] = text
            elif field_number == _TIMESTAMP:
                time_ms = wire.as_signed(value)
            elif _GAUGE <= field_number <= _HISTOGRAM:
                number, message = field_number, wire.as_bytes(value)
        if kind in _HISTOGRAMS:
            found = native.read_histogram(message if number == _HISTOGRAM else b"")
            self._add_histogram(labels, kind, found, time_ms)
        elif kind is MetricType.SUMMARY:
            self._add_summary(labels, message if number == _SUMMARY else b"", time_ms)
        else:
            self._add_simple(labels, message, time_ms, is_counter=number == _COUNTER)

    def _add_simple(
        self, labels: dict[str, str], data: bytes, time_ms: int, *, is_counter: bool
    ) -> None:
        number, start_ms = 0.0, 0
        exemplars: tuple[Exemplar, ...] = ()
        for field_number, _, value in wire.fields(data):
            if field_number == 1:
                number = wire.as_double(value)
            elif is_counter and field_number == 2:  # noqa: PLR2004 - a field number
                exemplars = (native.read_exemplar(wire.as_bytes(value)),)
            elif is_counter and field_number == 3:  # noqa: PLR2004 - a field number
                start_ms = native.read_time_ms(wire.as_bytes(value))
        self._add(labels, number, time_ms, start_ms, exemplars)

    def _add_summary(self, labels: dict[str, str], data: bytes, time_ms: int) -> None:
        count = total = 0.0
        start_ms = 0
        quantiles: list[tuple[float, float]] = []
        for number, _, value in wire.fields(data):
            match number:
                case 1:
                    count = float(wire.as_int(value))
                case 2:
                    total = wire.as_double(value)
                case 3:
                    quantiles.append(_read_pair(wire.as_bytes(value)))
                case 4:
                    start_ms = native.read_time_ms(wire.as_bytes(value))
        for quantile, value_of in quantiles:
            self._add({**labels, "quantile": format_float(quantile)}, value_of, time_ms, start_ms)
        self._add(_suffixed(labels, "_sum"), total, time_ms, start_ms)
        self._add(_suffixed(labels, "_count"), count, time_ms, start_ms)

    def _add_histogram(
        self,
        labels: dict[str, str],
        kind: MetricType,
        found: native.HistogramMessage,
        time_ms: int,
    ) -> None:
        if found.is_native:
            exemplars = tuple(found.exemplars) or tuple(
                exemplar for _, _, exemplar in found.buckets if exemplar is not None
            )
            self._histograms[len(self._owners)] = found.native(
                is_gauge=kind is MetricType.GAUGE_HISTOGRAM
            )
            self._add(labels, float("nan"), time_ms, found.start_ms, exemplars)
            if not (self._classic and found.buckets):
                return
        for bound, count, exemplar in native.cumulative(found):
            bucket = {**_suffixed(labels, "_bucket"), "le": format_float(bound)}
            exemplars = () if exemplar is None else (exemplar,)
            self._add(bucket, count, time_ms, found.start_ms, exemplars)
        self._add(_suffixed(labels, "_sum"), found.sum, time_ms, found.start_ms)
        self._add(_suffixed(labels, "_count"), found.count, time_ms, found.start_ms)

    def _add(
        self,
        labels: dict[str, str],
        value: float,
        time_ms: int,
        start_ms: int,
        exemplars: Sequence[Exemplar] = (),
    ) -> None:
        if exemplars:
            self._exemplars[len(self._owners)] = tuple(exemplars)
        self._owners.append(self._cache.number(token_of(labels)))
        self._values.append(value)
        self._times.append(time_ms)
        self._starts.append(start_ms)

    def result(self) -> Exposition:
        numbers, places = np.unique(np.array(self._owners, dtype=np.int64), return_inverse=True)
        times = np.array(self._times, dtype=np.int64)
        starts = np.array(self._starts, dtype=np.int64)
        histograms = None
        if self._histograms:
            histograms = np.full(len(times), None, dtype=np.object_)
            for place, histogram in self._histograms.items():
                histograms[place] = histogram
        return Exposition(
            series=tuple([self._cache.tokens[number] for number in numbers.tolist()]),
            owners=places.astype(np.int64, copy=False),
            values=np.array(self._values, dtype=np.float64),
            timestamps_ms=None if (times == NO_TIMESTAMP).all() else times,
            start_times_ms=starts if starts.any() else None,
            histograms=histograms,
            exemplars=self._exemplars,
            metadata=self._metadata,
        )


def _suffixed(labels: dict[str, str], suffix: str) -> dict[str, str]:
    return {**labels, METRIC_NAME: labels[METRIC_NAME] + suffix}


def _read_pair(data: bytes) -> tuple[float, float]:
    quantile = number_value = 0.0
    for number, _, value in wire.fields(data):
        if number == 1:
            quantile = wire.as_double(value)
        elif number == 2:  # noqa: PLR2004 - a field number
            number_value = wire.as_double(value)
    return quantile, number_value
