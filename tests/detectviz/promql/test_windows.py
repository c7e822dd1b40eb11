"""Every range function agrees with a plain reading of its definition, window by window."""

import math
import statistics
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import pytest

from detectviz.promql import over_time, windows
from detectviz.promql.engine import Engine
from detectviz.promql.errors import QueryCancelledError
from detectviz.promql.limits import CancellationToken
from detectviz.promql.results import Matrix
from detectviz.promql.windows import upper_bounds
from detectviz.tsdb.interface import Matcher, SelectHints, SeriesSet
from tests.conformance.promql.store import MemoryStore

Window = list[tuple[int, float]]
RANGE_MS = 300_000


def values(window: Window) -> list[float]:
    return [value for _, value in window]


def extrapolated(window: Window, end: int, *, is_counter: bool, is_rate: bool) -> float:
    """Follow Prometheus' extrapolatedRate line by line."""
    result = window[-1][1] - window[0][1]
    if is_counter:
        result += sum(older for (_, older), (_, newer) in pairwise(window) if newer < older)
    to_start = (window[0][0] - (end - RANGE_MS)) / 1000
    to_end = (end - window[-1][0]) / 1000
    sampled = (window[-1][0] - window[0][0]) / 1000
    average = sampled / (len(window) - 1)
    if to_start >= average * 1.1:
        to_start = average / 2
    if is_counter and result > 0 and window[0][1] >= 0:
        to_start = min(to_start, sampled * (window[0][1] / result))
    if to_end >= average * 1.1:
        to_end = average / 2
    result *= (sampled + to_start + to_end) / sampled
    return result / (RANGE_MS / 1000) if is_rate else result


def slope(window: Window) -> float:
    times = [at / 1000 for at, _ in window]
    return statistics.linear_regression(times, values(window)).slope


def quantile(numbers: list[float], q: float) -> float:
    return float(np.quantile(numbers, q))


def mad(window: Window, _: int) -> float:
    middle = statistics.median(values(window))
    return statistics.median(abs(value - middle) for value in values(window))


Reference = Callable[[Window, int], float]
LEAST_TWO: dict[str, Reference] = {
    "rate": lambda w, end: extrapolated(w, end, is_counter=True, is_rate=True),
    "increase": lambda w, end: extrapolated(w, end, is_counter=True, is_rate=False),
    "delta": lambda w, end: extrapolated(w, end, is_counter=False, is_rate=False),
    "idelta": lambda w, _: w[-1][1] - w[-2][1],
    "deriv": lambda w, _: slope(w),
}
LEAST_ONE: dict[str, Reference] = {
    "changes": lambda w, _: sum(a != b for (_, a), (_, b) in pairwise(w)),
    "resets": lambda w, _: sum(b < a for (_, a), (_, b) in pairwise(w)),
    "avg_over_time": lambda w, _: statistics.fmean(values(w)),
    "sum_over_time": lambda w, _: math.fsum(values(w)),
    "min_over_time": lambda w, _: min(values(w)),
    "max_over_time": lambda w, _: max(values(w)),
    "count_over_time": lambda w, _: len(w),
    "first_over_time": lambda w, _: w[0][1],
    "last_over_time": lambda w, _: w[-1][1],
    "stddev_over_time": lambda w, _: statistics.pstdev(values(w)),
    "stdvar_over_time": lambda w, _: statistics.pvariance(values(w)),
    "mad_over_time": mad,
    "quantile_over_time": lambda w, _: quantile(values(w), 0.3),
}
ALL = {name: (2, one) for name, one in LEAST_TWO.items()}
ALL |= {name: (1, one) for name, one in LEAST_ONE.items()}


def store_of(seed: int) -> MemoryStore:
    random = np.random.default_rng(seed)
    store = MemoryStore()
    for series, length in (("regular", 200), ("gaps", 40), ("sparse", 5), ("single", 1)):
        labels = {"__name__": "x", "kind": series}
        step = 15_000 if series == "regular" else 0
        times = (
            np.arange(length) * step if step else np.unique(random.integers(0, 3_000_000, length))
        )
        number = 0.0
        for at in times.tolist():
            number = 0.0 if random.random() < 0.1 else number + float(random.normal(1, 4))
            store.add("acme", labels, at, number)
    return store


@pytest.mark.parametrize("name", sorted(ALL))
@pytest.mark.parametrize("is_cut_small", [False, True])
def test_a_range_function_agrees_with_its_definition(
    name: str, *, is_cut_small: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if is_cut_small:
        monkeypatch.setattr(windows, "_MOST_CELLS", 50)
        monkeypatch.setattr(windows, "_TILE_CELLS", 50)
        monkeypatch.setattr(over_time, "_MOST_PADDED_CELLS", 50)
    store = store_of(len(name))
    least, reference = ALL[name]
    argument = "0.3, x[5m]" if name == "quantile_over_time" else "x[5m]"
    found = Engine(store).range("acme", f"{name}({argument})", 0, 3_000_000, 37_000).value
    assert isinstance(found, Matrix)
    rows = {labels["kind"]: row for row, labels in enumerate(found.labels)}
    compared = 0
    stored = store.select("acme", [], -(10**9), 10**9)
    for index, labels in enumerate(stored.labels):
        kind = labels["kind"]
        span = slice(int(stored.offsets[index]), int(stored.offsets[index + 1]))
        times, values = stored.timestamps_ms[span].tolist(), stored.values[span].tolist()
        samples = list(zip(times, values, strict=True))
        for step, end in enumerate(found.timestamps_ms.tolist()):
            window = [(at, v) for at, v in samples if end - RANGE_MS < at <= end]
            is_present = kind in rows and bool(found.present[rows[kind], step])
            assert is_present is (len(window) >= least)
            if is_present:
                wanted = reference(window, end)
                assert found.values[rows[kind], step] == pytest.approx(wanted, rel=1e-9, abs=1e-9)
                compared += 1
    assert compared > 50


def test_upper_bounds_are_right_for_any_spacing() -> None:
    random = np.random.default_rng(3)
    lengths = [1, 2, 7, 100, 3]
    times = [np.sort(random.choice(10_000, n, replace=False)) for n in lengths]
    times[3] = np.concatenate((np.arange(99), [9_999]))
    offsets = np.cumsum([0, *lengths])
    bounds = np.arange(-50, 10_050, 37)
    found = upper_bounds(np.concatenate(times), offsets, bounds)
    for row, one in enumerate(times):
        wanted = offsets[row] + np.searchsorted(one, bounds, "right")
        assert np.array_equal(found[row], wanted)


def test_a_long_smoothing_can_be_stopped_on_its_way(monkeypatch: pytest.MonkeyPatch) -> None:
    store = MemoryStore()
    for index in range(300):
        store.add("acme", {"__name__": "x"}, index * 1000, float(index))
    token = CancellationToken()
    select = store.select

    def cancelled_meanwhile(
        tenant: str,
        matchers: Sequence[Matcher],
        start_ms: int,
        end_ms: int,
        *,
        hints: SelectHints | None = None,
    ) -> SeriesSet:
        token.cancel()
        return select(tenant, matchers, start_ms, end_ms, hints=hints)

    monkeypatch.setattr(store, "select", cancelled_meanwhile)
    with pytest.raises(QueryCancelledError):
        Engine(store).instant("acme", "holt_winters(x[5m], 0.5, 0.5)", 300_000, token=token)


@pytest.mark.parametrize("step_ms", [30_000, 60_000, 70_000, 400_000])
def test_windows_that_begin_where_others_end_have_the_edges_of_a_search(step_ms: int) -> None:
    times = np.sort(np.random.default_rng(7).choice(2_000_000, 300, replace=False))
    ends = np.arange(-100_000, 2_400_000, step_ms)
    samples = windows.RangeSamples(
        offsets=np.array([0, 120, 120, 300]),
        timestamps_ms=np.concatenate((np.sort(times[::2])[:120], times[120:])),
        values=np.arange(300.0),
        ends_ms=ends,
        times_ms=ends,
        range_ms=120_000,
    )
    found = samples.whole()
    for row, (begin, end) in enumerate(pairwise(samples.offsets.tolist())):
        own = samples.timestamps_ms[begin:end]
        assert (
            found.low[row].tolist() == (begin + own.searchsorted(ends - 120_000, "right")).tolist()
        )
        assert found.high[row].tolist() == (begin + own.searchsorted(ends, "right")).tolist()
