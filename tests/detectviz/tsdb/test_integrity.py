"""Damage byte by byte: answers are right, or a StoreError says what is wrong."""

import random
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from detectviz.tsdb.embedded import EmbeddedStore
from detectviz.tsdb.interface import Matcher, MatchOp, Sample, StoreError
from detectviz.tsdb.repair import repair_file, verify_file

START_MS = 1_700_000_000_000
STEP_MS = 15_000
SERIES = 40
M = [Matcher("__name__", MatchOp.EQUAL, "m")]
PAGE = 8192
Answer = dict[str, list[tuple[int, float]]]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a closed file with blocks and log rows."""
    path = tmp_path_factory.mktemp("whole") / "series.sqlite"
    store = EmbeddedStore(path, flush_after_s=0)
    for step in range(60):
        append(store, step)
        if step in {20, 40}:
            store.maintain(START_MS + 86_400_000)
    store.close()
    return path


@pytest.fixture
def path(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(whole, tmp_path / "series.sqlite"))


def append(store: EmbeddedStore, step: int) -> None:
    at_ms = START_MS + step * STEP_MS
    labels = [{"__name__": "m", "n": f"{place:02}"} for place in range(SERIES)]
    store.append("acme", [Sample(one, at_ms, step + n / 8) for n, one in enumerate(labels)])


def answer(path: Path) -> Answer:
    """Read everything with a new process's eyes."""
    store = EmbeddedStore(path)
    try:
        found = store.select("acme", M, 0, 2 * START_MS)
    finally:
        store.close()
    return {
        labels["n"]: [
            (int(found.timestamps_ms[at]), float(found.values[at]))
            for at in range(int(found.offsets[place]), int(found.offsets[place + 1]))
        ]
        for place, labels in enumerate(found.labels)
    }


def expected() -> Answer:
    return {
        f"{n:02}": [(START_MS + step * STEP_MS, step + n / 8) for step in range(60)]
        for n in range(SERIES)
    }


def flip(path: Path, places: list[int]) -> None:
    raw = bytearray(path.read_bytes())
    for place in places:
        raw[place] ^= 0xFF
    path.write_bytes(raw)


def blob_places(path: Path, table: str, count: int) -> Iterator[tuple[int, int]]:
    """Yield places in the file inside of blobs, with the id of their row."""
    raw = path.read_bytes()
    connection = sqlite3.connect(path)
    rows = connection.execute(f"SELECT rowid, data FROM {table}").fetchall()
    connection.close()
    rng = random.Random(7)
    for row_id, data in rng.sample(rows, min(count, len(rows))):
        begin = raw.find(data[:40])
        assert begin > 0
        yield row_id, begin + rng.randrange(min(len(data), 1000))


def test_a_whole_file_is_well(path: Path) -> None:
    assert verify_file(path) == ()
    assert answer(path) == expected()
    assert repair_file(path, now_ms=0).set_aside == ()
    assert answer(path) == expected()


@pytest.mark.parametrize("table", ["block", "log"])
def test_a_flipped_byte_of_samples_is_named_and_repair_keeps_the_rest(
    whole: Path, tmp_path: Path, table: str
) -> None:
    for row_id, place in blob_places(whole, table, 6):
        path = Path(shutil.copy(whole, tmp_path / "series.sqlite"))
        flip(path, [place])
        with pytest.raises(StoreError, match=f"{row_id} is damaged"):
            answer(path)
        assert [(one.source, one.source_id) for one in verify_file(path)] == [(table, row_id)]
        report = repair_file(path, now_ms=5)
        assert [(one.source, one.source_id) for one in report.set_aside] == [(table, row_id)]
        kept = answer(path)
        assert sum(map(len, kept.values())) > 0
        assert all(set(points) <= set(expected()[name]) for name, points in kept.items())
        assert verify_file(path) == ()
        store = EmbeddedStore(path, flush_after_s=0)
        append(store, 60)
        store.maintain(START_MS + 86_400_000)
        store.close()


def test_any_flipped_byte_is_survived_and_never_becomes_a_value(
    whole: Path, tmp_path: Path
) -> None:
    rng = random.Random(11)
    right = expected()
    size = whole.stat().st_size
    places = [*range(0, 100, 9), *(rng.randrange(size) for _ in range(60))]
    for place in places:
        path = Path(shutil.copy(whole, tmp_path / "series.sqlite"))
        flip(path, [place])
        try:
            found = answer(path)
        except StoreError:
            continue
        true_points = {point for points in right.values() for point in points}
        for points in found.values():
            assert set(points) <= true_points, place


@pytest.mark.parametrize("ending", ["", "-wal"])
def test_a_truncated_file_is_named_or_read_right(whole: Path, tmp_path: Path, ending: str) -> None:
    right = expected()
    for place in range(12):
        path = Path(shutil.copy(whole, tmp_path / f"{place}.sqlite"))
        store = EmbeddedStore(path)
        for step in range(60, 64):
            append(store, step)
        for suffix in ("", "-wal"):
            shutil.copy(f"{path}{suffix}", tmp_path / f"{place}.torn{suffix}")
        store.close()
        torn = tmp_path / f"{place}.torn"
        victim = Path(f"{torn}{ending}")
        raw = victim.read_bytes()
        victim.write_bytes(raw[: len(raw) * place // 12 + place])
        try:
            found = answer(torn)
        except StoreError:
            continue
        for name, points in found.items():
            assert points[:60] == right[name]
            assert points[60:] == [
                (START_MS + step * STEP_MS, step + int(name) / 8) for step in range(60, len(points))
            ]


def test_a_destroyed_page_costs_only_what_it_held(path: Path) -> None:
    pages = path.stat().st_size // PAGE
    flip(path, [*range((pages - 3) * PAGE, (pages - 2) * PAGE)])
    repair_file(path, now_ms=0)
    kept = answer(path)
    assert all(set(points) <= set(expected()[name]) for name, points in kept.items())
    assert verify_file(path) == ()
    store = EmbeddedStore(path, flush_after_s=0)
    append(store, 99)
    assert all(points[-1][0] == START_MS + 99 * STEP_MS for points in answer(path).values())
    store.close()


def test_a_broken_index_is_built_anew(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA writable_schema = 1")
    (root,) = connection.execute(
        "SELECT rootpage FROM sqlite_schema WHERE name = 'block_by_part'"
    ).fetchone()
    connection.close()
    flip(path, [*range(root * PAGE - 40, root * PAGE - 20)])
    assert verify_file(path) != ()
    report = repair_file(path, now_ms=0)
    assert report.is_reindexed or report.is_rewritten
    assert answer(path) == expected()


def test_a_snapshot_is_whole_and_made_while_others_write(path: Path, tmp_path: Path) -> None:
    store = EmbeddedStore(path)
    target = tmp_path / "copy.sqlite"
    store.snapshot(target)
    append(store, 60)
    assert answer(target) == expected()
    assert verify_file(target) == ()
    with pytest.raises(StoreError, match="exists"):
        store.snapshot(target)
    store.close()


def test_what_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "series.sqlite"
    path.write_bytes(b"no database" * 1000)
    assert "not a database" in str(verify_file(path)[0])
    with pytest.raises(StoreError):
        EmbeddedStore(path)
    with pytest.raises(StoreError):
        repair_file(path, now_ms=0)
