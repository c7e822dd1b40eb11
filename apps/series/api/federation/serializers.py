"""``/federate`` as delimited ``io.prometheus.client.MetricFamily`` messages.

Source: client_model's ``metrics.proto``. Only this format can carry native histograms; ones with
custom buckets it can't, so they are left out.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import groupby

from apps.series.selectors.newest import Newest
from detectviz.contracts.histograms import CUSTOM_BUCKETS_SCHEMA, CounterReset, Histogram
from detectviz.tsdb.interface import METRIC_NAME
from detectviz.tsdb.protobuf import double, integer, message, packed_doubles, varint, zigzag

MEDIA = (
    "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
)
_UNTYPED, _HISTOGRAM, _GAUGE_HISTOGRAM = 3, 4, 5
_NEGATIVE_SPAN, _NEGATIVE_COUNT, _POSITIVE_SPAN, _POSITIVE_COUNT = 9, 11, 12, 14


def families(found: Iterable[Newest], name_of: Callable[[str], str]) -> Iterator[bytes]:
    """Yield a message per metric and type, floats as untyped."""
    shown = [one for one in found if not _is_custom(one.histogram)]
    for (metric, kind), members in groupby(sorted(shown, key=_family), key=_family):
        content = message(1, name_of(metric).encode()) + integer(3, kind)
        content += b"".join(message(4, _metric(one, name_of)) for one in members)
        yield varint(len(content)) + content


def _is_custom(histogram: Histogram | None) -> bool:
    return histogram is not None and histogram.schema == CUSTOM_BUCKETS_SCHEMA


def _family(one: Newest) -> tuple[str, int]:
    kind = _UNTYPED
    if one.histogram is not None:
        is_gauge = one.histogram.counter_reset is CounterReset.GAUGE
        kind = _GAUGE_HISTOGRAM if is_gauge else _HISTOGRAM
    return one.labels.get(METRIC_NAME, ""), kind


def _metric(one: Newest, name_of: Callable[[str], str]) -> bytes:
    # Without an instance label the scraper would put its own target there.
    labels = {"instance": "", **one.labels}
    pairs = [
        message(1, message(1, name_of(name).encode()) + message(2, value.encode()))
        for name, value in sorted(labels.items())
        if name != METRIC_NAME
    ]
    value = message(5, double(1, one.value))
    if one.histogram is not None:
        value = message(7, _histogram(one.histogram))
    return b"".join(pairs) + value + integer(6, one.timestamp_ms)


def _histogram(histogram: Histogram) -> bytes:
    positive_spans = histogram.positive_spans
    if not positive_spans and not histogram.negative_spans and not histogram.zero_threshold:
        positive_spans = ((0, 0),)  # says that it is a native one, though empty
    return b"".join(
        [
            double(2, histogram.sum),
            double(4, histogram.count),
            integer(5, zigzag(histogram.schema)),
            double(6, histogram.zero_threshold),
            double(8, histogram.zero_count),
            _spans(_NEGATIVE_SPAN, histogram.negative_spans),
            packed_doubles(_NEGATIVE_COUNT, histogram.negative),
            _spans(_POSITIVE_SPAN, positive_spans),
            packed_doubles(_POSITIVE_COUNT, histogram.positive),
        ]
    )


def _spans(number: int, spans: tuple[tuple[int, int], ...]) -> bytes:
    return b"".join(
        message(number, integer(1, zigzag(gap)) + integer(2, length)) for gap, length in spans
    )
