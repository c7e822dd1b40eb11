import numpy as np
import pytest

from detectviz.tsdb.admission import DUPLICATE, OUT_OF_ORDER, TOO_OLD, StoredBits, judge
from detectviz.tsdb.codec import Batch
from detectviz.tsdb.interface import Int64Array

TAIL_MS, TAIL_VALUE = 1000, 5.0
STORED = {(1, 900): 4.0, (1, TAIL_MS): TAIL_VALUE}


def bits(value: float) -> int:
    return int(np.float64(value).view(np.uint64))


def lookup(series_ids: Int64Array, timestamps_ms: Int64Array) -> StoredBits:
    wanted = zip(series_ids.tolist(), timestamps_ms.tolist(), strict=True)
    return {key: bits(STORED[key]) for key in wanted if key in STORED}


def decide(*samples: tuple[int, float], window_ms: int = 500) -> list[str]:
    """Judge samples of one series whose newest is at 1000; '+' is stored, '=' repeats."""
    batch = Batch(
        series_ids=np.ones(len(samples), np.int64),
        timestamps_ms=np.array([moment for moment, _ in samples]),
        values=np.array([value for _, value in samples], np.float64),
    )
    verdict = judge(
        batch,
        tail_ms=np.full(len(samples), TAIL_MS),
        tail_bits=np.full(len(samples), bits(TAIL_VALUE), np.uint64),
        window_ms=window_ms,
        lookup=lookup,
    )
    return [
        "+" if stored else verdict.refused.get(place, "=")
        for place, stored in enumerate(verdict.stored.tolist())
    ]


@pytest.mark.parametrize(
    ("sample", "expected"),
    [
        ((1001, 1.0), "+"),
        ((1000, 5.0), "="),
        ((1000, 6.0), DUPLICATE),
        ((950, 1.0), "+"),
        ((900, 4.0), "="),
        ((900, 1.0), DUPLICATE),
        ((500, 1.0), "+"),
        ((499, 1.0), TOO_OLD),
    ],
)
def test_one_sample_against_what_is_stored(sample: tuple[int, float], expected: str) -> None:
    assert decide(sample) == [expected]


def test_without_a_window_anything_older_is_out_of_order() -> None:
    assert decide((999, 1.0), window_ms=0) == [OUT_OF_ORDER]
    assert decide((1000, 5.0), window_ms=0) == ["="]


def test_samples_of_a_batch_are_judged_one_after_the_other() -> None:
    assert decide((2000, 1), (2000, 1), (2000, 2), (1499, 1), (1500, 1), (1500, 2)) == [
        "+",
        "=",
        DUPLICATE,
        TOO_OLD,
        "+",
        DUPLICATE,
    ]


def test_a_nan_equals_only_its_own_bits() -> None:
    stale = float(np.uint64(0x7FF0000000000002).view(np.float64))
    assert decide((2000, float("nan")), (2000, float("nan")), (2000, stale)) == [
        "+",
        "=",
        DUPLICATE,
    ]
