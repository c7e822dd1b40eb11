from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from detectviz.tsdb.codec import (
    MAX_COLUMNS,
    MAX_ROWS,
    Batch,
    Block,
    CorruptError,
    block_from_flat,
    decode_block,
    decode_log,
    encode_block,
    encode_log,
)
from detectviz.tsdb.interface import STALE_NAN, Float64Array, Int64Array

Maker: TypeAlias = Callable[[np.random.Generator, tuple[int, int]], Float64Array]

SPECIALS = [float("nan"), float("inf"), float("-inf"), STALE_NAN, -0.0, 5e-324]
EPOCH_MS = 1_700_000_000_000

seeds = st.integers(0, 2**32 - 1)
shapes = st.tuples(st.integers(1, 8), st.integers(1, 40))
any_doubles = shapes.flatmap(lambda shape: hnp.arrays(np.uint64, shape).map(as_doubles))


def as_doubles(bits: np.ndarray[tuple[int, ...], np.dtype[np.uint64]]) -> Float64Array:
    return bits.view(np.float64)


def zeros(random: np.random.Generator, shape: tuple[int, int]) -> Float64Array:
    return np.zeros(shape)


def steps(random: np.random.Generator, shape: tuple[int, int]) -> Float64Array:
    return random.poisson(20, shape).cumsum(axis=1).astype(np.float64)


def counters(random: np.random.Generator, shape: tuple[int, int]) -> Float64Array:
    return steps(random, shape) * 10.0 ** random.integers(0, 12)


def gauges(random: np.random.Generator, shape: tuple[int, int]) -> Float64Array:
    return np.round(random.normal(0, 50, shape).cumsum(axis=1), int(random.integers(0, 7)))


def noise(random: np.random.Generator, shape: tuple[int, int]) -> Float64Array:
    return random.normal(0, 1, shape)


def mixed(random: np.random.Generator, shape: tuple[int, int]) -> Float64Array:
    values = np.concatenate([make(random, shape) for make in (counters, gauges, noise)])
    random.shuffle(values)
    return values[: shape[0]]


def with_specials(random: np.random.Generator, values: Float64Array) -> Float64Array:
    share = random.choice([0.01, 0.3, 1.0])
    return np.where(
        random.random(values.shape) < share, random.choice(SPECIALS, values.shape), values
    )


def grid(shape: tuple[int, int]) -> Int64Array:
    return EPOCH_MS + np.arange(shape[0])[:, None] * 7 + np.arange(shape[1])[None, :] * 15_000


def block_of(values: Float64Array, times: Int64Array | None = None) -> Block:
    rows = len(values)
    return Block(
        rows=np.arange(rows),
        counts=np.full(rows, values.shape[1]),
        timestamps_ms=grid((rows, values.shape[1])) if times is None else times,
        values=values,
    )


def assert_survives(block: Block) -> None:
    back = decode_block(encode_block(block))
    assert back.rows.tolist() == block.rows.tolist()
    assert back.counts.tolist() == block.counts.tolist()
    assert np.array_equal(back.timestamps_ms, block.timestamps_ms)
    assert np.array_equal(back.values.view(np.uint64), block.values.view(np.uint64))


@given(any_doubles)
def test_any_bits_survive(values: Float64Array) -> None:
    assert_survives(block_of(np.ascontiguousarray(values)))


@pytest.mark.parametrize("make", [counters, gauges, noise, mixed])
@given(seed=seeds, shape=shapes, special=st.booleans())
@settings(max_examples=60)
def test_typical_series_survive(
    make: Maker, seed: int, shape: tuple[int, int], *, special: bool
) -> None:
    random = np.random.default_rng(seed)
    values = make(random, shape)
    assert_survives(block_of(with_specials(random, values) if special else values))


@given(seed=seeds, shape=shapes, jitter_ms=st.sampled_from([0, 2, 200, 60_000, 10**9]))
def test_irregular_times_survive(seed: int, shape: tuple[int, int], jitter_ms: int) -> None:
    random = np.random.default_rng(seed)
    times = grid(shape) + random.integers(-jitter_ms, jitter_ms + 1, shape)
    times[:, shape[1] // 2 :] += random.integers(0, 10**9)  # a gap
    assert_survives(block_of(np.zeros(shape), np.sort(times, axis=1)))


@given(
    counts=st.lists(st.integers(1, 50), min_size=1, max_size=MAX_ROWS),
    first_ms=st.integers(-(2**52) + 1, 2**51),
)
def test_rows_of_different_lengths_survive(counts: list[int], first_ms: int) -> None:
    lengths = np.array(counts)
    values = np.arange(lengths.sum(), dtype=np.float64)
    times = first_ms + np.arange(lengths.sum()) * 1000
    block = block_from_flat(np.arange(len(counts)), lengths, times, values)
    back = decode_block(encode_block(block))
    filled = np.arange(back.values.shape[1]) < back.counts[:, None]
    assert back.values[filled].tolist() == values.tolist()
    assert back.timestamps_ms[filled].tolist() == times.tolist()


def test_the_largest_block_survives() -> None:
    random = np.random.default_rng(1)
    assert_survives(block_of(mixed(random, (MAX_ROWS, MAX_COLUMNS))))


def test_whole_numbers_near_the_limit_of_doubles_survive() -> None:
    values = np.array([[2.0**53 - 1, -(2.0**53) + 1, 2.0**53 - 1], [2.0**53, 2.0**60, 1e300]])
    assert_survives(block_of(values))


@pytest.mark.parametrize(
    ("make", "most_bytes"), [(steps, 0.8), (gauges, 4.0), (zeros, 0.02), (noise, 7.6)]
)
def test_typical_series_stay_small(make: Maker, most_bytes: float) -> None:
    values = make(np.random.default_rng(3), (MAX_ROWS, MAX_COLUMNS))
    assert len(encode_block(block_of(values))) / values.size < most_bytes


def test_scattered_stale_markers_cost_little() -> None:
    random = np.random.default_rng(5)
    values = random.poisson(20, (MAX_ROWS, MAX_COLUMNS)).cumsum(axis=1).astype(np.float64)
    plain = len(encode_block(block_of(values)))
    values[np.arange(MAX_ROWS), random.integers(0, MAX_COLUMNS, MAX_ROWS)] = STALE_NAN
    assert len(encode_block(block_of(values))) < plain * 1.1


@given(place=st.integers(min_value=0), flip=st.integers(1, 255))
def test_a_flipped_byte_is_noticed(place: int, flip: int) -> None:
    raw = bytearray(encode_block(block_of(noise(np.random.default_rng(0), (4, 30)))))
    raw[place % len(raw)] ^= flip
    with pytest.raises(CorruptError):
        decode_block(bytes(raw))


@given(st.integers(min_value=0))
def test_a_truncated_block_is_noticed(length: int) -> None:
    raw = encode_block(block_of(noise(np.random.default_rng(0), (4, 30))))
    with pytest.raises(CorruptError):
        decode_block(raw[: length % len(raw)])


def test_log_rows_survive_and_damage_is_noticed() -> None:
    batch = Batch(
        series_ids=np.array([1, 2**32 - 1]),
        timestamps_ms=np.array([-5, EPOCH_MS]),
        values=np.array([STALE_NAN, 0.1]),
    )
    raw = encode_log(batch)
    back = decode_log(raw)
    assert back.series_ids.tolist() == batch.series_ids.tolist()
    assert back.timestamps_ms.tolist() == batch.timestamps_ms.tolist()
    assert back.values.view(np.uint64).tolist() == batch.values.view(np.uint64).tolist()
    for damaged in (raw[:-1], raw[:3], raw[:-1] + b"\xff"):
        with pytest.raises(CorruptError):
            decode_log(damaged)
