"""Prometheus remote write 2.0: ``io.prometheus.write.v2.Request``.

Source: the Prometheus remote write 2.0 specification (rc.4) and its ``types.proto``; start
timestamps are read where rc.4 puts them (sample, histogram) and where rc.3 put them (series).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np

from detectviz.ingest import wire
from detectviz.ingest.batch import Batch, MetricFacts
from detectviz.ingest.errors import MalformedError
from detectviz.ingest.raw_labels import raw_label
from detectviz.ingest.remote_write import METRIC_TYPES
from detectviz.ingest.series_columns import Columns, SeriesWalk, Singles
from detectviz.ingest.series_messages import (
    FULL,
    FULL_START,
    ZERO,
    ZERO_START,
    Windows,
    samples_at,
)
from detectviz.tsdb.interface import METRIC_NAME, Int64Array

CONTENT_TYPE = "io.prometheus.write.v2.Request"

_SYMBOL_TAG, _SERIES_TAG = 0x22, 0x2A
_REFS_TAG, _REF_TAG, _SAMPLE_TAG, _HISTOGRAM_TAG = 0x0A, 0x08, 0x12, 0x1A
_EXEMPLAR_TAG, _METADATA_TAG, _CREATED_TAG = 0x22, 0x2A, 0x30
_NOT_A_SERIES = b"\xff"  # the token of a message that is refused as a whole


@dataclass(frozen=True, slots=True, kw_only=True)
class _Refs:
    """The label references of all series: those of row ``i`` are ``numbers[cuts[i]:cuts[i+1]]``."""

    numbers: Int64Array
    cuts: list[int]
    behind: Int64Array


def parse(data: bytes) -> Batch:
    """Return the samples of a Request; raise MalformedError when it is none."""
    starts, ends, others = wire.messages(data, _SERIES_TAG)
    symbols = [data[first:behind] for tag, first, behind in others if tag == _SYMBOL_TAG]
    if starts and (not symbols or symbols[0]):
        raise MalformedError("the symbols must begin with an empty string")
    refs = _refs(data, starts, ends)
    tokens = _tokens(refs, symbols)
    singles, rests = _singles(data, np.array(ends, np.int64), refs, tokens)
    columns = Columns(singles)
    families = _Families(data, symbols, refs)
    for row in np.flatnonzero(~singles.are).tolist():
        token, tokens[row] = tokens[row], b""
        if token == _NOT_A_SERIES:
            reason = "a series names its labels by references that are not in the symbols"
            columns.refusals.add(reason)
            continue
        walk = columns.walk(row)
        span = _walk(data, (starts[row], ends[row]), symbols, walk)
        _finish(walk, token, columns)
        families.add(row, *span)
    for row, first, behind in rests:
        families.add(row, first, behind)
    return columns.build(facts=families.facts())


def _finish(walk: SeriesWalk, token: bytes, columns: Columns) -> None:
    if walk.is_empty:
        columns.refusals.add("a series carries neither samples nor histograms")
    else:
        walk.end(token)


def _refs(data: bytes, starts: Sequence[int], ends: Sequence[int]) -> _Refs:
    """Read the packed references that every series message begins with, all at once."""
    pieces, behind = [], []
    for start, end in zip(starts, ends, strict=True):
        at = stop = start
        if start < end and data[start] == _REFS_TAG:
            length, at = data[start + 1] if start + 1 < end else 0, start + 2
            if length >= 0x80:  # noqa: PLR2004 - more than one byte of it
                length, at = wire.read_varint(data, start + 1)
            stop = at + length
            if stop > end:
                raise MalformedError("the label references of a series are cut off")
        pieces.append(data[at:stop])
        behind.append(stop)
    numbers, number_ends = wire.varint_column(b"".join(pieces))
    sizes = np.fromiter(map(len, pieces), np.int64, len(pieces))
    cuts = np.searchsorted(number_ends, np.cumsum(sizes), side="right")
    return _Refs(numbers=numbers, cuts=[0, *cuts.tolist()], behind=np.array(behind, np.int64))


def _tokens(refs: _Refs, symbols: list[bytes]) -> list[bytes]:
    """Write each series' labels as remote write 1.0 would: one token space for both."""
    size = len(symbols)
    tokens = []
    encoded: dict[int, bytes] = _Encoded(symbols)
    known = np.where(refs.numbers < size, refs.numbers, size)
    are_pairs = not (np.array(refs.cuts, np.int64) % 2).any()
    if are_pairs and not (known == size).any():
        pairs = (known[0::2] * size + known[1::2]).tolist()
        labels = [encoded[pair] for pair in pairs]
        halves = [cut >> 1 for cut in refs.cuts]
        return [b"".join(labels[first:behind]) for first, behind in pairwise(halves)]
    for first, behind in pairwise(refs.cuts):
        own = known[first:behind].tolist()
        if len(own) % 2 or size in own:
            tokens.append(_NOT_A_SERIES)
        else:
            pairs = zip(own[::2], own[1::2], strict=True)
            tokens.append(b"".join([encoded[name * size + value] for name, value in pairs]))
    return tokens


class _Encoded(dict[int, bytes]):
    """Labels written on demand, by name reference * number of symbols + value reference."""

    def __init__(self, symbols: list[bytes]) -> None:
        super().__init__()
        self._symbols = symbols

    def __missing__(self, pair: int) -> bytes:
        name, value = divmod(pair, len(self._symbols))
        label = self[pair] = raw_label(self._symbols[name], self._symbols[value])
        return label


def _singles(
    data: bytes, ends: Int64Array, refs: _Refs, tokens: list[bytes]
) -> tuple[Singles, list[tuple[int, int, int]]]:
    """Take the series that are references, one sample and perhaps metadata.

    Return them and (row, begin, end) of the metadata.
    """
    windows = Windows(data)
    size = len(ends)
    sizes, times = np.zeros(size, np.int64), np.zeros(size, np.int64)
    starts, values = np.zeros(size, np.int64), np.zeros(size)
    for shape in (FULL, ZERO, FULL_START, ZERO_START):
        found = samples_at(windows, shape, refs.behind)
        sizes[found.rows], values[found.rows] = shape.size, found.values
        times[found.rows] = found.timestamps_ms
        if found.starts_ms is not None:
            starts[found.rows] = found.starts_ms
    behind = refs.behind + sizes
    words = windows.words(behind)
    lengths = ((words >> np.uint64(8)) & np.uint64(0xFF)).astype(np.int64)
    is_metadata = (words & np.uint64(0xFF)) == np.uint64(_METADATA_TAG)
    is_metadata &= (lengths < 0x80) & (behind + 2 + lengths == ends)  # noqa: PLR2004 - one byte
    are = (sizes > 0) & (is_metadata | (behind == ends))
    if _NOT_A_SERIES in tokens:
        are &= np.array([token != _NOT_A_SERIES for token in tokens], np.bool_)
    rows = np.flatnonzero(are & is_metadata & (lengths > 0))
    spans = (rows.tolist(), (behind[rows] + 2).tolist(), ends[rows].tolist())
    rests = list(zip(*spans, strict=True))
    singles = Singles(tokens=tokens, are=are, timestamps_ms=times, values=values, starts_ms=starts)
    return singles, rests


def _walk(
    data: bytes, span: tuple[int, int], symbols: list[bytes], series: SeriesWalk
) -> tuple[int, int]:
    """Read a series message field by field; return the span of its metadata."""
    metadata, created_ms = (0, 0), 0
    for tag, first, behind in wire.fields(data, *span):
        if tag == _SAMPLE_TAG:
            series.sample(*_sample(data, first, behind))
        elif tag == _HISTOGRAM_TAG:
            series.histogram(data, first, behind)
        elif tag == _EXEMPLAR_TAG:
            _exemplar(data, (first, behind), symbols, series)
        elif tag == _METADATA_TAG:
            metadata = (first, behind)
        elif tag == _CREATED_TAG:
            created_ms = wire.signed(first)
    series.begin_at(created_ms)
    return metadata


def _sample(data: bytes, start: int, end: int) -> tuple[int, float, int]:
    value, timestamp_ms, start_ms = 0.0, 0, 0
    for tag, first, _ in wire.fields(data, start, end):
        if tag == 0x09:  # noqa: PLR2004 - field 1, a double
            value = wire.double(data, first)
        elif tag == 0x10:  # noqa: PLR2004 - field 2, a varint
            timestamp_ms = wire.signed(first)
        elif tag == 0x18:  # noqa: PLR2004 - field 3, a varint
            start_ms = wire.signed(first)
    return timestamp_ms, value, start_ms


def _exemplar(data: bytes, span: tuple[int, int], symbols: list[bytes], series: SeriesWalk) -> None:
    refs: list[int] = []
    value, timestamp_ms = 0.0, 0
    for tag, first, behind in wire.fields(data, *span):
        if tag == _REFS_TAG:
            refs += wire.varints(data, first, behind)
        elif tag == _REF_TAG:
            refs.append(first)
        elif tag == 0x11:  # noqa: PLR2004 - field 2, a double
            value = wire.double(data, first)
        elif tag == 0x18:  # noqa: PLR2004 - field 3, a varint
            timestamp_ms = wire.signed(first)
    if len(refs) % 2 or any(ref >= len(symbols) for ref in refs):
        raise MalformedError("an exemplar names labels that are not in the symbols")
    texts = [_symbol(symbols[ref]) for ref in refs]
    series.exemplar(dict(zip(texts[::2], texts[1::2], strict=True)), value, timestamp_ms)


def _symbol(raw: bytes) -> str:
    return wire.text(raw, 0, len(raw))


class _Families:
    """What series say about their metric, once per metric."""

    def __init__(self, data: bytes, symbols: list[bytes], refs: _Refs) -> None:
        self._data = data
        self._symbols = symbols
        self._names = _name_refs(refs, symbols)
        self._seen: dict[tuple[int, bytes], None] = {}

    def add(self, row: int, first: int, behind: int) -> None:
        """Note the metadata of a series."""
        name = self._names[row]
        if first < behind and name >= 0:
            self._seen[name, self._data[first:behind]] = None

    def facts(self) -> tuple[MetricFacts, ...]:
        """Return what was said."""
        found = (self._fact(name, data) for name, data in self._seen)
        return tuple(fact for fact in found if fact.type != "unknown" or fact.help or fact.unit)

    def _fact(self, name: int, data: bytes) -> MetricFacts:
        kind, help_ref, unit_ref = _metadata(data)
        if max(help_ref, unit_ref, name) >= len(self._symbols):
            raise MalformedError("metadata refers to what is not in the symbols")
        return MetricFacts(
            name=_symbol(self._symbols[name]),
            type=METRIC_TYPES[kind] if kind < len(METRIC_TYPES) else "unknown",
            help=_symbol(self._symbols[help_ref]),
            unit=_symbol(self._symbols[unit_ref]),
        )


def _name_refs(refs: _Refs, symbols: list[bytes]) -> list[int]:
    """Return the reference of each series' metric name, -1 where it has none."""
    cuts = np.array(refs.cuts, np.int64)
    names = np.full(len(cuts) - 1, -1, np.int64)
    if METRIC_NAME.encode() not in symbols:
        return names.tolist()
    key = symbols.index(METRIC_NAME.encode())
    has_labels = np.flatnonzero(cuts[1:] - cuts[:-1] > 1)
    begins = cuts[has_labels]
    is_first = refs.numbers[begins] == key  # nearly always: few names sort before it
    names[has_labels[is_first]] = refs.numbers[begins[is_first] + 1]
    for row in has_labels[~is_first].tolist():
        own = refs.numbers[cuts[row] : cuts[row + 1]].tolist()
        found = dict(zip(own[::2], own[1::2], strict=False))
        names[row] = found.get(key, -1)
    return names.tolist()


@lru_cache(maxsize=4096)
def _metadata(data: bytes) -> tuple[int, int, int]:
    kind = help_ref = unit_ref = 0
    for tag, first, _ in wire.fields(data, 0, len(data)):
        if tag == 0x08:  # noqa: PLR2004 - field 1, a varint
            kind = first
        elif tag == 0x18:  # noqa: PLR2004 - field 3, a varint
            help_ref = first
        elif tag == 0x20:  # noqa: PLR2004 - field 4, a varint
            unit_ref = first
    return kind, help_ref, unit_ref
