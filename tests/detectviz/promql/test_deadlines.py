"""Queries of death end soon after their deadline, and when they are withdrawn."""

import threading
import time
from collections.abc import Sequence
from contextlib import suppress

import numpy as np
import pytest

from detectviz.promql.engine import Engine
from detectviz.promql.errors import (
    QueryCancelledError,
    QueryTimeoutError,
    TooManySamplesError,
)
from detectviz.promql.limits import CancellationToken
from detectviz.promql.memory_store import MemoryStore
from detectviz.tsdb.histograms import Histogram
from detectviz.tsdb.interface import HistogramArray, Matcher, SelectHints, SeriesSet

SERIES, SAMPLES, INTERVAL_MS = 1000, 1440, 15_000
END_MS = SAMPLES * INTERVAL_MS
DEADLINE_S, GRACE_S = 0.3, 1.0


class WideStore(MemoryStore):
    """Answers every selection with the same many samples, without any work."""

    def __init__(self, *, is_native: bool = False) -> None:
        super().__init__()
        series = 4 if is_native else SERIES
        self.found = SeriesSet(
            labels=tuple(
                {"__name__": "x_total", "i": str(one), "j": str(one % 7), "le": str(one % 9)}
                for one in range(series)
            ),
            offsets=np.arange(series + 1, dtype=np.int64) * SAMPLES,
            timestamps_ms=np.tile(np.arange(SAMPLES, dtype=np.int64) * INTERVAL_MS + 7, series),
            values=np.random.default_rng(1).random(series * SAMPLES),
            histograms=_histograms(series * SAMPLES) if is_native else None,
        )

    def select(
        self,
        tenant: str,
        matchers: Sequence[Matcher],
        start_ms: int,
        end_ms: int,
        *,
        hints: SelectHints | None = None,
    ) -> SeriesSet:
        return self.found


def _histograms(count: int) -> HistogramArray:
    """Make histograms of two layouts by turns, so that none are computed by the block."""
    kinds = [
        Histogram(count=2.0, sum=1.0, schema=schema, positive_spans=((0, 1),), positive=(2.0,))
        for schema in (0, 1)
    ]
    found = np.empty(count, np.object_)
    found[:] = [kinds[place % 2] for place in range(count)]
    return found


FLOATS = """rate(x_total[5h]) | quantile_over_time(0.5, x_total[5h]) | mad_over_time(x_total[5h]) |
stddev_over_time(x_total[5h]) | avg_over_time(x_total[5h]) | max_over_time(x_total[5h]) |
deriv(x_total[5h]) | holt_winters(x_total[5h], 0.3, 0.3) | increase(x_total[5h] smoothed) |
resets(x_total[5h] anchored) | x_total smoothed | topk by (j) (5, x_total) | x_total + x_total |
count_values("v", x_total) | histogram_quantile(0.9, x_total) | x_total or on (j) x_total |
max_over_time(rate(x_total[1h])[5h:15s]) | quantile by (j) (0.5, x_total) | sort(x_total)"""
NATIVES = """sum_over_time(x_total[5h]) | rate(x_total[5h]) | increase(x_total[5h] smoothed) |
x_total smoothed | resets(x_total[5h]) | irate(x_total[5h])"""


def spent(engine: Engine, query: str, token: CancellationToken | None = None) -> float:
    """Return the CPU seconds a query takes, whatever else the machine does meanwhile."""
    started = time.thread_time()
    with suppress(QueryTimeoutError, QueryCancelledError, TooManySamplesError):
        engine.range("acme", query, 0, END_MS, INTERVAL_MS, token=token)
    return time.thread_time() - started


@pytest.fixture(scope="module")
def floats() -> WideStore:
    return WideStore()


@pytest.fixture(scope="module")
def natives() -> WideStore:
    return WideStore(is_native=True)


@pytest.mark.parametrize("query", [one.strip() for one in FLOATS.split("|")])
def test_a_query_over_floats_ends_soon_after_its_deadline(floats: WideStore, query: str) -> None:
    assert spent(Engine(floats, timeout_s=DEADLINE_S), query) < DEADLINE_S + GRACE_S


@pytest.mark.parametrize("query", [one.strip() for one in NATIVES.split("|")])
def test_a_query_over_histograms_ends_soon_after_its_deadline(
    natives: WideStore, query: str
) -> None:
    assert spent(Engine(natives, timeout_s=DEADLINE_S), query) < DEADLINE_S + GRACE_S


def test_a_query_that_is_withdrawn_ends_soon(floats: WideStore) -> None:
    token = CancellationToken()
    timer = threading.Timer(DEADLINE_S, token.cancel)
    timer.start()
    assert spent(Engine(floats), "mad_over_time(x_total[5h])", token) < DEADLINE_S + GRACE_S
    timer.join()


def test_what_counting_values_makes_is_within_the_budget(floats: WideStore) -> None:
    with pytest.raises(TooManySamplesError):
        Engine(floats).range("acme", 'count_values("v", x_total)', 0, END_MS, INTERVAL_MS)
