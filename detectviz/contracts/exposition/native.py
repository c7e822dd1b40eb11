"""Histograms of the protobuf format: native ones, and the buckets of classic ones."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate

from detectviz.contracts.exposition import wire
from detectviz.contracts.exposition.result import Exemplar, ExpositionError
from detectviz.contracts.histograms import MAX_SCHEMA, MIN_SCHEMA, CounterReset, Histogram

_LARGEST_SPAN_SUM = 100_000


@dataclass(slots=True)
class HistogramMessage:
    """``io.prometheus.client.Histogram``, read."""

    count: float = 0.0
    sum: float = 0.0
    buckets: list[tuple[float, float, Exemplar | None]] = field(default_factory=list)
    exemplars: list[Exemplar] = field(default_factory=list)
    schema: int = 0
    zero_threshold: float = 0.0
    zero_count: float = 0.0
    spans: dict[bool, list[tuple[int, int]]] = field(default_factory=lambda: {True: [], False: []})
    deltas: dict[bool, list[int]] = field(default_factory=lambda: {True: [], False: []})
    counts: dict[bool, list[float]] = field(default_factory=lambda: {True: [], False: []})
    start_ms: int = 0

    @property
    def is_native(self) -> bool:
        """Whether it has native buckets; an empty one says so by a span or a zero threshold."""
        return bool(
            self.spans[True] or self.spans[False] or self.zero_threshold > 0 or self.zero_count
        )

    def native(self, *, is_gauge: bool) -> Histogram:
        """Return the native histogram; raise ExpositionError where it contradicts itself."""
        if not MIN_SCHEMA <= self.schema <= MAX_SCHEMA:
            raise ExpositionError(f"protobuf: unknown histogram schema {self.schema}")
        return Histogram(
            count=self.count,
            sum=self.sum,
            schema=self.schema,
            zero_threshold=self.zero_threshold,
            zero_count=self.zero_count,
            positive_spans=tuple(self.spans[True]),
            positive=self._buckets(is_positive=True),
            negative_spans=tuple(self.spans[False]),
            negative=self._buckets(is_positive=False),
            counter_reset=CounterReset.GAUGE if is_gauge else CounterReset.UNKNOWN,
        )

    def _buckets(self, *, is_positive: bool) -> tuple[float, ...]:
        wanted = sum(length for _, length in self.spans[is_positive])
        deltas, counts = self.deltas[is_positive], self.counts[is_positive]
        found = counts or [float(count) for count in accumulate(deltas)]
        if wanted > _LARGEST_SPAN_SUM or len(found) != wanted:
            raise ExpositionError(
                f"protobuf: the spans want {wanted} histogram buckets, {len(found)} are there"
            )
        return tuple(found)


def read_histogram(data: bytes) -> HistogramMessage:
    """Read a Histogram message."""
    found = HistogramMessage()
    is_float = False
    for number, wire_type, value in wire.fields(data):
        match number:
            case 1 if not is_float:
                found.count = float(wire.as_int(value))
            case 4:
                found.count, is_float = wire.as_double(value) or found.count, True
            case 2:
                found.sum = wire.as_double(value)
            case 3:
                found.buckets.append(_read_bucket(wire.as_bytes(value)))
            case 15:
                found.start_ms = read_time_ms(wire.as_bytes(value))
            case 16:
                found.exemplars.append(read_exemplar(wire.as_bytes(value)))
            case _:
                _read_native(found, number, wire_type, value)
    return found


def _read_native(found: HistogramMessage, number: int, wire_type: int, value: int | bytes) -> None:
    match number:
        case 5:
            found.schema = wire.zigzag(wire.as_int(value))
        case 6:
            found.zero_threshold = wire.as_double(value)
        case 7:
            found.zero_count = float(wire.as_int(value)) or found.zero_count
        case 8:
            found.zero_count = wire.as_double(value) or found.zero_count
        case 9 | 12:
            found.spans[number == 12].append(_read_span(wire.as_bytes(value)))  # noqa: PLR2004 - a field number
        case 10 | 13:
            deltas = wire.packed_ints(wire_type, value)
            found.deltas[number == 13].extend(wire.zigzag(delta) for delta in deltas)  # noqa: PLR2004 - a field number
        case 11 | 14:
            found.counts[number == 14].extend(wire.packed_doubles(wire_type, value))  # noqa: PLR2004 - a field number


def _read_span(data: bytes) -> tuple[int, int]:
    offset = length = 0
    for number, _, value in wire.fields(data):
        if number == 1:
            offset = wire.zigzag(wire.as_int(value))
        elif number == 2:  # noqa: PLR2004 - a field number
            length = wire.as_int(value)
    return offset, length


def _read_bucket(data: bytes) -> tuple[float, float, Exemplar | None]:
    count = bound = 0.0
    exemplar = None
    for number, _, value in wire.fields(data):
        match number:
            case 1:
                count = float(wire.as_int(value)) or count
            case 2:
                bound = wire.as_double(value)
            case 3:
                exemplar = read_exemplar(wire.as_bytes(value))
            case 4:
                count = wire.as_double(value) or count
    return bound, count, exemplar


def read_exemplar(data: bytes) -> Exemplar:
    """Read an Exemplar message."""
    labels, number_value, timestamp_ms = {}, 0.0, None
    for number, _, value in wire.fields(data):
        match number:
            case 1:
                name, text = read_label(wire.as_bytes(value))
                labels[name] = text
            case 2:
                number_value = wire.as_double(value)
            case 3:
                timestamp_ms = read_time_ms(wire.as_bytes(value))
    return Exemplar(labels=labels, value=number_value, timestamp_ms=timestamp_ms)


def read_label(data: bytes) -> tuple[str, str]:
    """Read a LabelPair message."""
    name = text = ""
    for number, _, value in wire.fields(data):
        if number == 1:
            name = wire.as_text(value)
        elif number == 2:  # noqa: PLR2004 - a field number
            text = wire.as_text(value)
    return name, text


def read_time_ms(data: bytes) -> int:
    """Read a Timestamp message as Unix milliseconds."""
    seconds = nanoseconds = 0
    for number, _, value in wire.fields(data):
        if number == 1:
            seconds = wire.as_signed(value)
        elif number == 2:  # noqa: PLR2004 - a field number
            nanoseconds = wire.as_signed(value)
    if not -(1 << 50) < seconds < 1 << 50:
        raise ExpositionError("protobuf: a time is out of range")
    return seconds * 1000 + nanoseconds // 1_000_000


def cumulative(found: HistogramMessage) -> Iterator[tuple[float, float, Exemplar | None]]:
    """Yield the classic buckets, the one up to +Inf last whether it is there or not."""
    yield from found.buckets
    if not found.buckets or found.buckets[-1][0] != float("inf"):
        yield float("inf"), found.count, None
