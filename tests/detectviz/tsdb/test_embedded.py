import sqlite3
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from detectviz.tsdb.embedded import EmbeddedStore
from detectviz.tsdb.interface import (
    Matcher,
    MatchOp,
    Sample,
    SeriesSet,
    StoreError,
)
from detectviz.tsdb.policy import TenantPolicy

START_MS = 1_700_000_000_000
STEP_MS = 15_000
HOUR_MS = 3_600_000
M = [Matcher("__name__", MatchOp.EQUAL, "m")]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "series.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[EmbeddedStore]:
    store = EmbeddedStore(path, flush_after_s=0)
    yield store
    store.close()


def samples(values: Sequence[float], *, start_ms: int = START_MS, **labels: str) -> list[Sample]:
    named = {"__name__": "m", **labels}
    return [Sample(named, start_ms + n * STEP_MS, value) for n, value in enumerate(values)]


def read(store: EmbeddedStore) -> SeriesSet:
    return store.select("acme", M, 0, 2 * START_MS)


def compact(store: EmbeddedStore) -> None:
    store.maintain(START_MS + 24 * HOUR_MS)


def query(path: Path, statement: str) -> list[tuple[int, ...]]:
    connection = sqlite3.connect(path)
    try:
        rows: list[tuple[int, ...]] = connection.execute(statement).fetchall()
        connection.commit()
        return rows
    finally:
        connection.close()


def test_compaction_moves_the_log_into_blocks_and_changes_no_answer(
    store: EmbeddedStore, path: Path
) -> None:
    for place in range(100):
        store.append("acme", samples(range(place % 7 + 1), n=f"{place:03}"))
    before = read(store)
    compact(store)
    after = read(store)
    assert query(path, "SELECT COUNT(*) FROM log") == [(0,)]
    assert query(path, "SELECT COUNT(*) FROM block") == [(2,)]  # 64 and 36 series
    assert after.labels == before.labels
    assert after.values.tolist() == before.values.tolist()
    assert after.timestamps_ms.tolist() == before.timestamps_ms.tolist()


def test_young_log_rows_stay_in_the_log(path: Path) -> None:
    store = EmbeddedStore(path, flush_after_s=1800)
    store.append("acme", samples([1]))
    store.maintain(START_MS + 1_799_000)
    assert query(path, "SELECT COUNT(*) FROM log") == [(1,)]
    store.maintain(START_MS + 1_800_000)
    assert query(path, "SELECT COUNT(*) FROM log") == [(0,)]
    store.close()


def test_small_blocks_are_merged_until_they_are_full(store: EmbeddedStore, path: Path) -> None:
    total = 64 * 10
    for first in range(0, total, 10):
        store.append("acme", samples(range(first, first + 10), start_ms=START_MS + first * STEP_MS))
        compact(store)
    assert query(path, "SELECT level, COUNT(*) FROM block GROUP BY level") == [(3, 2)]
    assert read(store).values.tolist() == list(range(total))
    assert store.verify() == ()


def test_a_long_backfill_becomes_several_blocks(store: EmbeddedStore, path: Path) -> None:
    store.append("acme", samples(range(1000), n="long"))
    store.append("acme", samples(range(3), n="short"))
    compact(store)
    assert query(path, "SELECT COUNT(*) FROM block") == [(3,)]
    assert np.diff(read(store).offsets).tolist() == [1000, 3]


def test_late_samples_are_merged_and_conflicts_found_across_log_and_blocks(
    store: EmbeddedStore,
) -> None:
    store.append("acme", samples([0, 1, 2, 3]))
    compact(store)
    store.append("acme", samples([4], start_ms=START_MS + 4 * STEP_MS))
    late = START_MS + STEP_MS // 2
    assert store.append("acme", samples([0.5, 1.5], start_ms=late)).rejected == ()
    report = store.append("acme", samples([9, 1, 9, 9, 9]))
    assert [item.sample.timestamp_ms for item in report.rejected] == [
        START_MS + place * STEP_MS for place in (0, 2, 3, 4)
    ]
    assert read(store).values.tolist() == [0, 0.5, 1, 1.5, 2, 3, 4]
    compact(store)
    assert read(store).values.tolist() == [0, 0.5, 1, 1.5, 2, 3, 4]


def test_samples_older_than_the_window_are_rejected(store: EmbeddedStore) -> None:
    store.append("acme", samples([1], start_ms=START_MS + HOUR_MS))
    assert store.append("acme", samples([1], start_ms=START_MS)).stored == 1
    report = store.append("acme", samples([1], start_ms=START_MS - 1))
    assert [item.reason for item in report.rejected] == ["too old sample"]


def test_another_opening_knows_the_newest_sample_of_compacted_series(
    store: EmbeddedStore, path: Path
) -> None:
    store.append("acme", samples([1, 2]))
    other = EmbeddedStore(path)
    assert other.append("acme", samples([1, 2])).rejected == ()
    compact(store)
    fresh = EmbeddedStore(path)
    for opening in (fresh, other, store):
        report = opening.append("acme", samples([1, 3]))
        assert [item.reason for item in report.rejected] == ["duplicate sample for timestamp"]
    fresh.close()
    other.close()


def test_impossible_times_are_rejected_without_making_a_series(
    store: EmbeddedStore, path: Path
) -> None:
    report = store.append("acme", [Sample({"__name__": "m"}, 2**62, 1.0)])
    assert [item.reason for item in report.rejected] == ["out of bounds"]
    assert query(path, "SELECT COUNT(*) FROM series") == [(0,)]


def test_retention_drops_blocks_and_series_nobody_writes(path: Path) -> None:
    day_ms = 24 * HOUR_MS
    policy = TenantPolicy(retention_s=86_400, rollup_5m_retention_s=0, rollup_1h_retention_s=0)
    store = EmbeddedStore(path, policy=lambda _: policy, flush_after_s=0)
    other = EmbeddedStore(path)
    store.append("acme", samples([1, 2], n="dead") + samples([1], n="alive"))
    assert len(read(other)) == 2
    compact(store)
    store.append("acme", samples([2], start_ms=START_MS + day_ms, n="alive"))
    store.maintain(START_MS + day_ms + HOUR_MS)
    for opening in (store, other):
        found = read(opening)
        assert found.labels == ({"__name__": "m", "n": "alive"},)
        assert found.values.tolist() == [2]
    store.append("acme", samples([7], start_ms=START_MS + day_ms, n="dead"))
    assert read(other).values.tolist() == [2, 7]
    assert store.verify() == ()
    store.close()
    other.close()


@pytest.mark.parametrize("damage", ["X'00'", "substr(data, 1, length(data) - 3)"])
def test_a_damaged_block_is_named_by_readers_and_merges_go_around_it(
    store: EmbeddedStore, path: Path, damage: str
) -> None:
    for first in range(3):
        store.append("acme", samples([first], start_ms=START_MS + first * STEP_MS))
        compact(store)
    query(path, f"UPDATE block SET data = {damage} WHERE id = 2")
    with pytest.raises(StoreError, match=r"block 2 is damaged .* detectviz series repair"):
        read(store)
    assert [str(one)[:8] for one in store.verify()] == ["block 2 "]
    store.check()
    store.append("acme", samples([3], start_ms=START_MS + 3 * STEP_MS))
    compact(store)  # four blocks: a merge, around the damaged one
    assert query(path, "SELECT level FROM block ORDER BY id") == [(-1,), (1,)]
    report = store.repair(START_MS)
    assert [one.source_id for one in report.set_aside] == [2]
    assert read(store).values.tolist() == [0, 2, 3]
    assert store.verify() == ()


def test_a_damaged_log_row_is_named_and_set_aside_when_its_turn_comes(
    store: EmbeddedStore, path: Path
) -> None:
    for first in range(3):
        store.append("acme", samples([first], start_ms=START_MS + first * STEP_MS))
    store.append("other", samples([1]))
    query(path, "UPDATE log SET data = X'0102' WHERE seq = 2")
    assert [str(one)[:6] for one in store.verify()] == ["log 2 "]
    fresh = EmbeddedStore(path)
    with pytest.raises(StoreError, match="log row 2 is damaged"):
        read(fresh)
    assert len(fresh.select("other", M, 0, 2 * START_MS)) == 1
    store.append("acme", samples([3], start_ms=START_MS + 3 * STEP_MS))
    compact(store)
    assert read(fresh).values.tolist() == [0, 2, 3]
    fresh.close()
    assert query(path, "SELECT source_id, hex(data) = '0102' FROM quarantine") == [(2, 1)]


def test_listings_look_at_samples_not_at_blocks(store: EmbeddedStore) -> None:
    store.append("acme", samples(range(10), n="long"))
    store.append("acme", samples([1], n="short"))
    for _ in ("log", "blocks"):
        inside = (START_MS + 2 * STEP_MS, START_MS + 3 * STEP_MS)
        assert store.label_values("acme", "n", [], *inside) == ("long",)
        between = (START_MS + 1, START_MS + STEP_MS - 1)
        assert store.label_names("acme", [], *between) == ()
        assert store.series("acme", M, START_MS, START_MS) == (
            {"__name__": "m", "n": "long"},
            {"__name__": "m", "n": "short"},
        )
        compact(store)


def test_a_tiny_cache_answers_as_well(path: Path) -> None:
    store = EmbeddedStore(path, flush_after_s=0, cache_bytes=1)
    store.append("acme", samples(range(100)))
    compact(store)
    assert read(store).values.tolist() == list(range(100))
    assert read(store).values.tolist() == list(range(100))
    store.close()


def torn(found: SeriesSet) -> list[str]:
    pieces = np.split(found.values, found.offsets[1:-1])
    return [str(piece) for piece in pieces if piece.tolist() != list(range(len(piece)))]


def test_threads_append_read_and_compact_at_once(store: EmbeddedStore) -> None:
    failures: list[str] = []
    done = threading.Event()

    def append(name: str) -> None:
        for number in range(60):
            moment = START_MS + number * STEP_MS
            report = store.append(
                "acme", [Sample({"__name__": "m", "n": name}, moment, float(number))]
            )
            if report.rejected:
                failures.append(report.rejected[0].reason)

    def observe() -> None:
        while not done.is_set():
            failures.extend(torn(read(store)))
            compact(store)

    writers = [threading.Thread(target=append, args=(f"w{n}",)) for n in range(4)]
    observers = [threading.Thread(target=observe) for _ in range(2)]
    for thread in writers + observers:
        thread.start()
    for thread in writers:
        thread.join()
    done.set()
    for thread in observers:
        thread.join()
    assert failures == []
    assert len(read(store).values) == 240


def test_a_closed_store_and_a_foreign_file_are_refused(store: EmbeddedStore, path: Path) -> None:
    query(path, "PRAGMA user_version = 99")
    with pytest.raises(StoreError, match="format 99") as caught:
        EmbeddedStore(path)
    assert not caught.value.retryable
    store.close()
    with pytest.raises(StoreError, match="closed"):
        store.check()


def test_a_file_that_is_no_database_is_refused(path: Path) -> None:
    path.write_bytes(b"not a database, but long enough to be read as one" * 100)
    with pytest.raises(StoreError, match="series database") as caught:
        EmbeddedStore(path)
    assert not caught.value.retryable


def test_a_writer_that_waits_too_long_may_try_again(path: Path) -> None:
    store = EmbeddedStore(path, busy_timeout_s=0.01)
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="locked") as caught:
        store.append("acme", samples([1]))
    assert caught.value.retryable
    assert len(read(store)) == 0
    blocker.execute("ROLLBACK")
    blocker.close()
    assert store.append("acme", samples([1])).stored == 1
    store.close()


def test_a_file_of_the_first_format_is_brought_up_to_date(path: Path) -> None:
    store = EmbeddedStore(path)
    store.append("acme", samples([1, 2]))
    store.close()
    tables = (
        "rollup",
        "rolled",
        "rollup_late",
        "raw_from",
        "quarantine",
        "bucket",
        "unrolled",
        "made",
    )
    for table in tables:
        query(path, f"DROP TABLE {table}")
    query(path, "PRAGMA user_version = 1")
    store = EmbeddedStore(path)
    assert read(store).values.tolist() == [1, 2]
    compact(store)
    assert read(store).values.tolist() == [1, 2]
    store.close()
