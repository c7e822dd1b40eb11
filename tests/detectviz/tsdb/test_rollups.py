import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from detectviz.promql.engine import Engine
from detectviz.promql.results import Matrix
from detectviz.tsdb.embedded import EmbeddedStore
from detectviz.tsdb.histograms import Histogram
from detectviz.tsdb.interface import STALE_NAN, Matcher, MatchOp, Sample, SelectHints
from detectviz.tsdb.policy import DAY_S, TenantPolicy
from detectviz.tsdb.rollups import COARSE_MS, FEEDS, FINE_MS, Choice, Feed, choose

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
START_MS = 1_700_006_400_000  # a midnight
DAYS = 3
ALL = [Matcher("__name__", MatchOp.REGEX, ".+")]
REACHES = {FINE_MS: 0, COARSE_MS: 0}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "series.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[EmbeddedStore]:
    policy = TenantPolicy(retention_s=4 * DAY_S, rollup_5m_retention_s=8 * DAY_S)
    store = EmbeddedStore(path, flush_after_s=0, policy=lambda _: policy)
    yield store
    store.close()


def fill(store: EmbeddedStore, *, days: int = DAYS) -> None:
    """Store a counter that restarts and a gauge, one sample a minute at 7 s past."""
    rng = np.random.default_rng(1)
    total = 0.0
    for hour in range(24 * days):
        batch = []
        for minute in range(60):
            at_ms = START_MS + hour * HOUR_MS + minute * MINUTE_MS + 7000
            total = 0.0 if rng.random() < 0.01 else total + float(rng.integers(0, 9))
            batch.append(Sample({"__name__": "c_total"}, at_ms, total))
            batch.append(Sample({"__name__": "g", "n": "1"}, at_ms, float(rng.normal())))
        store.append("acme", batch)
        if hour % 12 == 11:
            store.maintain(START_MS + (hour + 1) * HOUR_MS)


def answer(
    store: EmbeddedStore,
    promql: str,
    *,
    step_ms: int,
    start_ms: int = 0,
    end_ms: int = DAYS * DAY_MS,
) -> np.ndarray:
    result = Engine(store).range("acme", promql, START_MS + start_ms, START_MS + end_ms, step_ms)
    assert isinstance(result.value, Matrix)
    assert len(result.value) == 1
    return np.where(result.value.present, result.value.values, np.nan)


def raw_store(tmp_path: Path) -> EmbeddedStore:
    policy = TenantPolicy(retention_s=None, rollup_5m_retention_s=0, rollup_1h_retention_s=0)
    return EmbeddedStore(tmp_path / "raw.sqlite", flush_after_s=0, policy=lambda _: policy)


def hinted(store: EmbeddedStore, function: str, *, step_ms: int, window_ms: int) -> int:
    hints = SelectHints(step_ms=step_ms, window_ms=window_ms, function=function)
    found = store.select("acme", ALL, START_MS, START_MS + DAY_MS, hints=hints)
    return found.resolution_ms


@pytest.mark.parametrize(
    "function",
    ["max_over_time", "min_over_time", "sum_over_time", "present_over_time", "last_over_time"],
)
def test_windows_on_the_grid_of_buckets_are_answered_exactly(
    store: EmbeddedStore, tmp_path: Path, function: str
) -> None:
    raw = raw_store(tmp_path)
    fill(store)
    fill(raw)
    assert hinted(store, function, step_ms=6 * HOUR_MS, window_ms=6 * HOUR_MS) == COARSE_MS
    for step_ms in (6 * HOUR_MS, 30 * MINUTE_MS):
        promql = f"{function}(g[{max(step_ms, HOUR_MS) // MINUTE_MS}m])"
        expected = answer(raw, promql, step_ms=step_ms)
        np.testing.assert_allclose(
            answer(store, promql, step_ms=step_ms), expected, rtol=1e-12, atol=1e-12
        )
    raw.close()


@pytest.mark.parametrize("function", ["rate", "increase"])
def test_counters_that_restart_inside_a_bucket_lose_nothing(
    store: EmbeddedStore, tmp_path: Path, function: str
) -> None:
    raw = raw_store(tmp_path)
    fill(store)
    fill(raw)
    for step_ms, window in ((6 * HOUR_MS, "12h"), (30 * MINUTE_MS, "2h")):
        promql = f"{function}(c_total[{window}])"
        expected = answer(raw, promql, step_ms=step_ms, start_ms=DAY_MS)
        found = answer(store, promql, step_ms=step_ms, start_ms=DAY_MS)
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, rtol=0.1)
    raw.close()


def test_an_instant_selector_finds_the_last_value_of_the_bucket_without_gaps(
    store: EmbeddedStore, tmp_path: Path
) -> None:
    raw = raw_store(tmp_path)
    fill(store)
    fill(raw)
    for step_ms in (5 * HOUR_MS, 30 * MINUTE_MS):
        assert hinted(store, "", step_ms=step_ms, window_ms=5 * MINUTE_MS) > 0
        expected = answer(raw, "g", step_ms=step_ms, start_ms=HOUR_MS)
        np.testing.assert_array_equal(
            answer(store, "g", step_ms=step_ms, start_ms=HOUR_MS), expected
        )
    off_grid = answer(store, "g", step_ms=5 * HOUR_MS, start_ms=2 * HOUR_MS - 1)
    assert off_grid.shape == answer(raw, "g", step_ms=5 * HOUR_MS, start_ms=2 * HOUR_MS - 1).shape
    raw.close()


def test_functions_of_every_sample_and_fine_steps_are_answered_raw(store: EmbeddedStore) -> None:
    fill(store, days=1)
    assert hinted(store, "max_over_time", step_ms=6 * HOUR_MS, window_ms=6 * HOUR_MS) == COARSE_MS
    assert hinted(store, "quantile_over_time", step_ms=6 * HOUR_MS, window_ms=6 * HOUR_MS) == 0
    assert hinted(store, "count_over_time", step_ms=6 * HOUR_MS, window_ms=6 * HOUR_MS) == 0
    assert hinted(store, "rate", step_ms=MINUTE_MS, window_ms=HOUR_MS) == 0
    assert hinted(store, "rate", step_ms=6 * HOUR_MS, window_ms=5 * MINUTE_MS) == 0
    assert store.select("acme", ALL, START_MS, START_MS + DAY_MS).resolution_ms == 0


def test_rollups_answer_after_raw_samples_are_gone_and_go_themselves(
    store: EmbeddedStore,
) -> None:
    fill(store, days=2)
    before = answer(store, "max_over_time(g[1h])", step_ms=HOUR_MS, end_ms=DAY_MS)
    store.maintain(START_MS + 6 * DAY_MS + HOUR_MS)
    assert len(store.select("acme", ALL, START_MS, START_MS + DAY_MS)) == 0
    after = answer(store, "max_over_time(g[1h])", step_ms=HOUR_MS, end_ms=DAY_MS)
    np.testing.assert_array_equal(after, before)
    fine = SelectHints(step_ms=HOUR_MS, window_ms=HOUR_MS, function="max_over_time")
    within = (START_MS, START_MS + DAY_MS)
    assert store.select("acme", ALL, *within, hints=fine).resolution_ms == FINE_MS
    assert len(store.series("acme", ALL, *within)) == 2
    store.maintain(START_MS + 11 * DAY_MS)
    assert store.label_values("acme", "__name__", ALL, *within) == ("c_total", "g")
    coarse = SelectHints(step_ms=3 * HOUR_MS, window_ms=3 * HOUR_MS, function="max_over_time")
    found = store.select("acme", ALL, *within, hints=coarse)
    assert (found.resolution_ms, len(found)) == (COARSE_MS, 2)
    store.maintain(START_MS + 800 * DAY_MS)
    assert len(store.select("acme", ALL, *within, hints=coarse)) == 0
    assert store.cardinality("acme", 10).series == 0
    assert store.series("acme", ALL, *within) == ()


def test_late_samples_get_into_rollups(store: EmbeddedStore) -> None:
    fill(store, days=1)
    store.append("acme", [Sample({"__name__": "late"}, START_MS + DAY_MS, 1.0)])
    store.maintain(START_MS + 2 * DAY_MS)
    store.append("acme", [Sample({"__name__": "late"}, START_MS + DAY_MS - 600_001, 7.0)])
    store.maintain(START_MS + 2 * DAY_MS)
    hints = SelectHints(step_ms=6 * HOUR_MS, window_ms=6 * HOUR_MS, function="max_over_time")
    late = [Matcher("__name__", MatchOp.EQUAL, "late")]
    found = store.select("acme", late, START_MS, START_MS + 2 * DAY_MS, hints=hints)
    assert found.resolution_ms == COARSE_MS
    assert found.values.tolist() == [7.0]
    assert len(store.select("acme", ALL, START_MS, START_MS + DAY_MS, hints=hints)) == 3


def test_a_series_that_ended_does_not_go_on_in_rollups(store: EmbeddedStore) -> None:
    for minute in range(24 * 60):
        value = STALE_NAN if minute == 90 else 1.0
        if minute <= 90 or minute > 600:
            at_ms = START_MS + minute * MINUTE_MS
            store.append("acme", [Sample({"__name__": "m"}, at_ms, value)])
    store.maintain(START_MS + 2 * DAY_MS)
    result = Engine(store).range("acme", "m", START_MS, START_MS + 20 * HOUR_MS, 5 * HOUR_MS)
    assert isinstance(result.value, Matrix)
    assert hinted(store, "", step_ms=5 * HOUR_MS, window_ms=5 * MINUTE_MS) == COARSE_MS
    assert result.value.present.tolist() == [[True, False, False, True, True]]


def test_making_rollups_again_changes_nothing_and_a_crash_only_costs_work(
    store: EmbeddedStore, path: Path
) -> None:
    fill(store)
    promql = "sum_over_time(g[6h])"
    expected = answer(store, promql, step_ms=6 * HOUR_MS)
    connection = sqlite3.connect(path)
    connection.execute("UPDATE rolled SET until_ms = ?", (START_MS + DAY_MS,))
    connection.commit()
    connection.close()
    np.testing.assert_array_equal(answer(store, promql, step_ms=6 * HOUR_MS), expected)
    store.maintain(START_MS + DAYS * DAY_MS + HOUR_MS)
    np.testing.assert_array_equal(answer(store, promql, step_ms=6 * HOUR_MS), expected)
    assert store.verify() == ()


def test_native_histograms_are_answered_raw(store: EmbeddedStore) -> None:
    histogram = Histogram(count=1, sum=1, positive_spans=((0, 1),), positive=(1.0,))
    for hour in range(12):
        at_ms = START_MS + hour * HOUR_MS
        store.append("acme", [Sample({"__name__": "h"}, at_ms, histogram=histogram)])
    store.maintain(START_MS + 2 * DAY_MS)
    assert hinted(store, "", step_ms=6 * HOUR_MS, window_ms=5 * MINUTE_MS) == 0
    assert hinted(store, "rate", step_ms=6 * HOUR_MS, window_ms=6 * HOUR_MS) == 0


def test_deleting_reaches_rollups_of_what_raw_samples_no_longer_tell(
    store: EmbeddedStore,
) -> None:
    fill(store, days=2)
    store.maintain(START_MS + 6 * DAY_MS)
    gauge = [Matcher("__name__", MatchOp.EQUAL, "g")]
    hints = SelectHints(step_ms=HOUR_MS, window_ms=HOUR_MS, function="max_over_time")
    noon_ms = START_MS + DAY_MS // 2
    assert store.delete("acme", gauge, START_MS, noon_ms) == 1
    found = store.select("acme", gauge, START_MS, START_MS + DAY_MS, hints=hints)
    assert found.timestamps_ms.min() > noon_ms
    assert store.delete("acme", gauge, 0, START_MS + 30 * DAY_MS) == 1
    assert len(store.select("acme", gauge, START_MS, START_MS + DAY_MS, hints=hints)) == 0
    assert store.cardinality("acme", 10).series == 1


def test_deleting_a_piece_of_a_bucket_keeps_the_rest_of_it(store: EmbeddedStore) -> None:
    fill(store, days=1)
    store.maintain(START_MS + 2 * DAY_MS)
    gauge = [Matcher("__name__", MatchOp.EQUAL, "g")]
    store.delete("acme", gauge, START_MS + HOUR_MS + 1, START_MS + HOUR_MS + 30 * MINUTE_MS)
    kept = store.select("acme", gauge, START_MS + HOUR_MS + 1, START_MS + 2 * HOUR_MS)
    hints = SelectHints(step_ms=6 * HOUR_MS, window_ms=6 * HOUR_MS, function="max_over_time")
    found = store.select("acme", gauge, START_MS + HOUR_MS + 1, START_MS + 2 * HOUR_MS, hints=hints)
    assert len(kept.values) == 30
    assert found.values.tolist() == [kept.values.max()]


@pytest.mark.parametrize(
    ("step_ms", "window_ms", "function", "raw_from_ms", "expected"),
    [
        (5 * FINE_MS, 4 * FINE_MS, "rate", None, FINE_MS),
        (5 * FINE_MS - 1, 4 * FINE_MS, "rate", None, 0),
        (5 * FINE_MS, 4 * FINE_MS - 1, "rate", None, 0),
        (5 * COARSE_MS, 4 * COARSE_MS, "rate", None, COARSE_MS),
        (5 * COARSE_MS, 4 * FINE_MS, "rate", None, FINE_MS),
        (5 * COARSE_MS, FINE_MS, "", None, COARSE_MS),
        (0, 100 * COARSE_MS, "rate", None, 0),
        (0, FINE_MS, "", None, 0),
        (FINE_MS, 3 * FINE_MS, "rate", 11, FINE_MS),
        (FINE_MS - 1, 3 * FINE_MS, "rate", 11, 0),
        (5 * COARSE_MS, 4 * COARSE_MS, "rate", 11, FINE_MS),
        (0, 4 * FINE_MS, "rate", 11, FINE_MS),
        (0, 3 * FINE_MS, "rate", 11, 0),
        (0, FINE_MS, "", 11, FINE_MS),
        (5 * COARSE_MS, 4 * COARSE_MS, "quantile_over_time", 11, 0),
    ],
)
def test_the_rule_of_when_rollups_answer(
    step_ms: int, window_ms: int, function: str, raw_from_ms: int | None, expected: int
) -> None:
    hints = SelectHints(step_ms=step_ms, window_ms=window_ms, function=function)
    found = choose(hints, start_ms=10, raw_from_ms=raw_from_ms, rollups_from_ms=REACHES)
    assert (found.resolution_ms if found else 0) == expected
    if found:
        assert found.feed is FEEDS[function]


def test_the_finest_rollup_that_reaches_back_wins() -> None:
    hints = SelectHints(step_ms=COARSE_MS, window_ms=4 * COARSE_MS, function="rate")
    reaches = {FINE_MS: 100 * COARSE_MS, COARSE_MS: 0}
    found = choose(hints, start_ms=0, raw_from_ms=200 * COARSE_MS, rollups_from_ms=reaches)
    assert found == Choice(resolution_ms=COARSE_MS, feed=Feed.COUNTER)
