from collections.abc import Hashable, Mapping
from pathlib import Path

import numpy as np
import pytest

from detectviz.tsdb.embedded import EmbeddedStore
from detectviz.tsdb.interface import ColumnsReport, SampleColumns
from detectviz.tsdb.policy import TenantPolicy

NOW_MS = 1_700_000_000_000
MINUTE_MS = 60_000
HOUR_MS = 3_600_000


class Clock:
    def __init__(self) -> None:
        self.now_ms = NOW_MS

    def __call__(self) -> float:
        return self.now_ms / 1000


@pytest.fixture
def clock() -> Clock:
    return Clock()


def labels_of(token: Hashable) -> Mapping[str, str]:
    return {"__name__": "m", "n": str(token)}


def opened(folder: Path, clock: Clock, max_series: int = 2) -> EmbeddedStore:
    policy = TenantPolicy(max_series=max_series)
    return EmbeddedStore(folder / "series.sqlite", policy=lambda _: policy, clock=clock)


def send(store: EmbeddedStore, *tokens: str, at_ms: int, tenant: str = "acme") -> ColumnsReport:
    size = len(tokens)
    columns = SampleColumns(
        series=tokens,
        labels_of=labels_of,
        owners=np.arange(size),
        timestamps_ms=np.full(size, at_ms),
        values=np.ones(size),
    )
    return store.append_columns(tenant, columns)


def active(store: EmbeddedStore) -> int | None:
    return store.cardinality("acme", 1).active


@pytest.mark.parametrize("is_compacted", [False, True])
def test_series_that_fell_silent_make_room(
    tmp_path: Path, clock: Clock, *, is_compacted: bool
) -> None:
    store = opened(tmp_path, clock)
    send(store, "a", "b", at_ms=NOW_MS)
    clock.now_ms += HOUR_MS
    assert send(store, "a", at_ms=clock.now_ms).stored == 1
    assert dict(send(store, "c", at_ms=clock.now_ms).limited) == {
        0: "the limit of 2 series is reached"
    }
    clock.now_ms += HOUR_MS + 6 * MINUTE_MS  # b is silent by now
    if is_compacted:
        store.maintain(clock.now_ms)
    assert active(store) == 1
    assert send(store, "c", "d", at_ms=clock.now_ms).stored == 1
    assert active(store) == 2
    assert store.cardinality("acme", 1).series == 3
    store.close()


def test_a_silent_series_comes_back_even_at_the_limit_and_counts_again(
    tmp_path: Path, clock: Clock
) -> None:
    store = opened(tmp_path, clock)
    send(store, "a", "b", at_ms=NOW_MS)
    clock.now_ms += 3 * HOUR_MS
    assert send(store, "c", "d", at_ms=clock.now_ms).stored == 2
    assert send(store, "a", "b", at_ms=clock.now_ms).stored == 2
    assert active(store) == 4
    clock.now_ms += 11_000
    assert send(store, "e", "a", at_ms=clock.now_ms).stored == 1
    store.close()


def test_new_series_with_old_samples_are_no_way_around_the_limit(
    tmp_path: Path, clock: Clock
) -> None:
    store = opened(tmp_path, clock)
    old_ms = NOW_MS - 100 * HOUR_MS
    assert send(store, "a", "b", "c", at_ms=old_ms).stored == 2
    clock.now_ms += HOUR_MS
    assert send(store, "d", at_ms=old_ms).stored == 0
    clock.now_ms += HOUR_MS + 6 * MINUTE_MS
    assert send(store, "d", at_ms=old_ms).stored == 1
    store.close()


def test_processes_and_restarts_count_alike(tmp_path: Path, clock: Clock) -> None:
    first, second = opened(tmp_path, clock), opened(tmp_path, clock)
    assert send(first, "a", at_ms=NOW_MS).stored == 1
    assert send(second, "b", "c", at_ms=NOW_MS).stored == 1
    assert send(first, "d", at_ms=NOW_MS).stored == 0
    first.close()
    clock.now_ms += 2 * HOUR_MS + 6 * MINUTE_MS
    assert send(second, "b", at_ms=clock.now_ms).stored == 1
    restarted = opened(tmp_path, clock)
    assert (active(restarted), active(second)) == (1, 1)
    assert send(restarted, "d", "e", at_ms=clock.now_ms).stored == 1
    assert send(second, "f", at_ms=clock.now_ms).stored == 0
    assert (active(restarted), active(second)) == (2, 2)
    restarted.close()
    second.close()


def test_what_is_known_is_bounded_too(tmp_path: Path, clock: Clock) -> None:
    store = opened(tmp_path, clock)
    for generation in range(10):
        clock.now_ms += 3 * HOUR_MS
        tokens = (f"{generation}a", f"{generation}b")
        assert send(store, *tokens, at_ms=clock.now_ms).stored == 2
    clock.now_ms += 3 * HOUR_MS
    report = send(store, "0a", "x", at_ms=clock.now_ms)
    assert (report.stored, dict(report.limited)) == (
        1,
        {1: "the limit of 2 series is reached: 20 are kept, active and silent, 20 at most"},
    )
    store.close()


def test_a_series_that_was_made_for_others_is_not_counted(tmp_path: Path, clock: Clock) -> None:
    store = opened(tmp_path, clock)
    send(store, "a", "b", at_ms=NOW_MS, tenant="other")
    assert send(store, "a", "b", at_ms=NOW_MS).stored == 2
    assert active(store) == 2
    store.close()
