"""Blocks and log rows with native histograms and start times."""

import struct
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectviz.testing.tsdb import CUSTOM, EXPONENTIAL
from detectviz.tsdb.codec import (
    Batch,
    Block,
    CorruptError,
    block_from_flat,
    decode_block,
    decode_log,
    encode_block,
    encode_log,
)
from detectviz.tsdb.histogram_columns import HistogramColumns
from detectviz.tsdb.histograms import CounterReset, Histogram
from detectviz.tsdb.interface import STALE_NAN, HistogramArray

EPOCH_MS = 1_700_000_000_000

numbers = st.one_of(
    st.sampled_from([0.0, -0.0, 1.0, 3.0, STALE_NAN, float("inf"), 2.0**60]),
    st.floats(allow_nan=False),
)
spans = st.lists(st.tuples(st.integers(-9, 9), st.integers(0, 4)), max_size=4).map(tuple)


@st.composite
def any_histogram(draw: st.DrawFn) -> Histogram:
    positive, negative = draw(spans), draw(spans)

    def buckets(of: tuple[tuple[int, int], ...]) -> tuple[float, ...]:
        size = sum(length for _, length in of)
        return tuple(draw(st.lists(numbers, min_size=size, max_size=size)))

    return Histogram(
        count=draw(numbers),
        sum=draw(numbers),
        schema=draw(st.integers(-53, 8)),
        zero_threshold=draw(numbers),
        zero_count=draw(numbers),
        positive_spans=positive,
        positive=buckets(positive),
        negative_spans=negative,
        negative=buckets(negative),
        custom_values=tuple(draw(st.lists(numbers, max_size=3))),
        counter_reset=draw(st.sampled_from(CounterReset)),
    )


samples = st.lists(
    st.tuples(
        st.one_of(st.none(), st.just(EXPONENTIAL), st.just(CUSTOM), any_histogram()),
        numbers,
        st.one_of(st.just(0), st.integers(-(2**52) + 1, 2**52 - 1)),
    ),
    min_size=1,
    max_size=20,
)
Drawn = list[tuple[Histogram | None, float, int]]


def written(histogram: Histogram | None) -> object:
    """Return something that is equal for equal bits only."""
    if histogram is None:
        return None
    floats = (
        histogram.count,
        histogram.sum,
        histogram.zero_threshold,
        histogram.zero_count,
        *histogram.positive,
        *histogram.negative,
        *histogram.custom_values,
    )
    spans_of = (histogram.positive_spans, histogram.negative_spans)
    packed = struct.pack(f"<{len(floats)}d", *floats)
    return (histogram.schema, histogram.counter_reset, *spans_of, packed)


def columns_of(drawn: Drawn) -> tuple[HistogramArray, Batch]:
    histograms = np.empty(len(drawn), np.object_)
    histograms[:] = [histogram for histogram, _, _ in drawn]
    values = np.array([value for _, value, _ in drawn])
    places = np.array([at for at, item in enumerate(drawn) if item[0]], np.int64)
    if len(places):
        values[places] = HistogramColumns.of(histograms[places].tolist()).fingerprints()
    batch = Batch(
        series_ids=np.arange(len(drawn)),
        timestamps_ms=EPOCH_MS + np.arange(len(drawn)) * 15_000,
        values=values,
        histograms=histograms,
        start_times_ms=np.array([start for _, _, start in drawn], np.int64),
    )
    return histograms, batch


def block_of(batch: Batch, counts: list[int]) -> Block:
    return block_from_flat(
        np.arange(len(counts)),
        np.array(counts),
        batch.timestamps_ms,
        batch.values,
        histograms=batch.histograms,
        start_times_ms=batch.start_times_ms,
    )


@given(samples)
def test_log_rows_survive(drawn: Drawn) -> None:
    histograms, batch = columns_of(drawn)
    back = decode_log(encode_log(batch))
    assert back.values.view(np.uint64).tolist() == batch.values.view(np.uint64).tolist()
    found = [None] * len(drawn) if back.histograms is None else back.histograms.tolist()
    assert list(map(written, found)) == list(map(written, histograms.tolist()))
    starts = [0] * len(drawn) if back.start_times_ms is None else back.start_times_ms.tolist()
    assert starts == [start for _, _, start in drawn]


@given(samples, st.integers(0, 19))
def test_blocks_survive(drawn: Drawn, border: int) -> None:
    histograms, batch = columns_of(drawn)
    counts = [count for count in (border, len(drawn) - border) if count > 0]
    counts = counts if sum(counts) == len(drawn) else [len(drawn)]
    back = decode_block(encode_block(block_of(batch, counts)))
    mask = back.filled
    assert back.timestamps_ms[mask].tolist() == batch.timestamps_ms.tolist()
    assert back.values[mask].view(np.uint64).tolist() == batch.values.view(np.uint64).tolist()
    found = back.histograms_where(mask)
    got = [None] * len(drawn) if found is None else found.tolist()
    assert list(map(written, got)) == list(map(written, histograms.tolist()))
    starts = [0] * len(drawn) if back.start_times_ms is None else back.start_times_ms[mask].tolist()
    assert starts == [start for _, _, start in drawn]


def rows_of_histograms() -> Block:
    histograms = [
        replace(EXPONENTIAL, count=20.0 + at, positive=(1.0, 2.0 + at, 7.0, 1.0))
        for at in range(60)
    ]
    drawn: Drawn = [(histogram, 0.0, EPOCH_MS) for histogram in histograms]
    return block_of(columns_of(drawn)[1], [30, 30])


@given(place=st.integers(min_value=0), flip=st.integers(1, 255))
def test_a_flipped_byte_is_noticed(place: int, flip: int) -> None:
    batch = columns_of([(EXPONENTIAL, 0.0, 5), (CUSTOM, 0.0, 0), (None, 1.0, 0)])[1]
    for raw, decode in (
        (bytearray(encode_block(rows_of_histograms())), decode_block),
        (bytearray(encode_log(batch)), decode_log),
    ):
        raw[place % len(raw)] ^= flip
        with pytest.raises(CorruptError):
            decode(bytes(raw))


@given(st.integers(min_value=0))
def test_a_torn_end_is_noticed(length: int) -> None:
    batch = columns_of([(EXPONENTIAL, 0.0, 5), (CUSTOM, 0.0, 0), (None, 1.0, 0)])[1]
    for raw, decode in (
        (encode_block(rows_of_histograms()), decode_block),
        (encode_log(batch), decode_log),
    ):
        with pytest.raises(CorruptError):
            decode(raw[: length % len(raw)])


def test_histograms_of_one_layout_stay_small() -> None:
    rows, columns = 16, 120
    drawn: Drawn = [
        (replace(EXPONENTIAL, count=21.0 + at, zero_count=2.0 + at), 0.0, EPOCH_MS)
        for _ in range(rows)
        for at in range(columns)
    ]
    raw = encode_block(block_of(columns_of(drawn)[1], [columns] * rows))
    assert len(raw) / (rows * columns) < 2.0


def test_blocks_and_rows_of_floats_are_of_the_first_format() -> None:
    floats = Batch(
        series_ids=np.array([1]), timestamps_ms=np.array([EPOCH_MS]), values=np.array([1.0])
    )
    assert encode_block(block_of(floats, [1])).startswith(b"DVB1")
    assert not encode_log(floats).startswith(b"DVL2")
    with_none = replace(floats, histograms=np.array([None]), start_times_ms=np.array([0]))
    assert encode_log(with_none) == encode_log(floats)
    assert encode_block(block_of(with_none, [1])) == encode_block(block_of(floats, [1]))
