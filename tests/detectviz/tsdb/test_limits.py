import sqlite3
from collections.abc import Hashable, Mapping
from pathlib import Path

import numpy as np
import pytest

from detectviz.tsdb.database import Database
from detectviz.tsdb.embedded import EmbeddedStore
from detectviz.tsdb.interface import (
    ColumnsReport,
    Matcher,
    MatchOp,
    RateLimitedError,
    Sample,
    SampleColumns,
)
from detectviz.tsdb.policy import TenantPolicy
from detectviz.tsdb.rate_limit import charge

START_MS = 1_700_000_000_000
M = [Matcher("__name__", MatchOp.EQUAL, "m")]


def labels_of(token: Hashable) -> Mapping[str, str]:
    return {"__name__": "m", "n": str(token)}


def send(store: EmbeddedStore, *tokens: str, at_ms: int = START_MS) -> ColumnsReport:
    size = len(tokens)
    columns = SampleColumns(
        series=tokens,
        labels_of=labels_of,
        owners=np.arange(size),
        timestamps_ms=np.full(size, at_ms),
        values=np.ones(size),
    )
    return store.append_columns("acme", columns)


def opened(tmp_path: Path, policy: TenantPolicy) -> EmbeddedStore:
    return EmbeddedStore(tmp_path / "series.sqlite", policy=lambda _: policy)


def names(store: EmbeddedStore) -> list[str]:
    return [labels["n"] for labels in store.series("acme", M, 0, 2 * START_MS)]


def test_new_series_beyond_the_limit_are_kept_out_and_known_ones_go_on(tmp_path: Path) -> None:
    store = opened(tmp_path, TenantPolicy(max_series=2))
    assert send(store, "a").stored == 1
    report = send(store, "c", "a", "b", "d", at_ms=START_MS + 1)
    assert report.limited == dict.fromkeys((2, 3), "the limit of 2 series is reached")
    assert (report.stored, dict(report.refused)) == (2, {})
    assert names(store) == ["a", "c"]
    assert send(store, "a", "c", "e", at_ms=START_MS + 2).stored == 2
    rejected = store.append("acme", [Sample({"__name__": "m", "n": "z"}, START_MS, 1)]).rejected
    assert [item.reason for item in rejected] == ["the limit of 2 series is reached"]
    assert store.append("other", [Sample({"__name__": "m"}, START_MS, 1)]).stored == 1
    store.close()


def test_what_the_limit_keeps_out_whole_does_not_wait_for_a_writer(tmp_path: Path) -> None:
    store = opened(tmp_path, TenantPolicy(max_series=1))
    assert send(store, "a").stored == 1
    with sqlite3.connect(tmp_path / "series.sqlite", isolation_level=None) as writer:
        writer.execute("BEGIN IMMEDIATE")
        report = send(store, "b", "c", at_ms=START_MS + 1)
        writer.execute("ROLLBACK")
    writer.close()
    assert report.limited == dict.fromkeys((0, 1), "the limit of 1 series is reached")
    assert (report.stored, dict(report.refused)) == (0, {})
    store.close()


def test_a_deleted_series_makes_room_and_its_token_is_looked_up_again(tmp_path: Path) -> None:
    store = opened(tmp_path, TenantPolicy(max_series=2))
    send(store, "a", "b")
    store.delete("acme", [Matcher("n", MatchOp.EQUAL, "a")], 0, 2 * START_MS)
    assert names(store) == ["b"]
    assert send(store, "b", "a", at_ms=START_MS + 1).stored == 2
    assert names(store) == ["a", "b"]
    found = store.select("acme", M, 0, 2 * START_MS)
    assert found.timestamps_ms.tolist() == [START_MS + 1, START_MS, START_MS + 1]
    store.close()


def test_labels_are_held_to_the_policy(tmp_path: Path) -> None:
    policy = TenantPolicy(max_labels=2, max_label_name_bytes=8, max_label_value_bytes=3)
    store = opened(tmp_path, policy)
    bad = {
        "label count 3 exceeds the limit of 2": {"__name__": "m", "a": "1", "b": "2"},
        "label name 'much_too_long'… is longer than 8 bytes": {
            "__name__": "m",
            "much_too_long": "1",
        },
        "value of label 'a' is longer than 3 bytes": {"__name__": "m", "a": "ééé"},
    }
    for reason, labels in bad.items():
        report = store.append("acme", [Sample(labels, START_MS, 1)])
        assert [item.reason for item in report.rejected] == [reason]
    assert store.append("acme", [Sample({"__name__": "m", "a": "é"}, START_MS, 1)]).stored == 1
    store.close()


def test_the_window_for_late_samples_is_the_tenants(tmp_path: Path) -> None:
    store = opened(tmp_path, TenantPolicy(out_of_order_s=10))
    send(store, "a")
    assert send(store, "a", at_ms=START_MS - 10_000).stored == 1
    assert dict(send(store, "a", at_ms=START_MS - 10_001).refused) == {0: "too old sample"}
    store.close()


def charged(database: Database, samples: int, policy: TenantPolicy, now_s: float) -> float:
    """Return how long to wait: 0 when the samples passed."""
    try:
        with database.writing() as connection:
            charge(connection, "acme", samples, policy, now_s)
    except RateLimitedError as error:
        return error.retry_after_s
    return 0.0


def test_the_rate_is_a_token_bucket(tmp_path: Path) -> None:
    database = Database(tmp_path / "series.sqlite", busy_timeout_s=1, synchronous="NORMAL")
    policy = TenantPolicy(samples_per_s=100, samples_burst=500)
    assert charged(database, 400, policy, 1000.0) == 0
    assert charged(database, 200, policy, 1000.0) == pytest.approx(1.0)
    assert charged(database, 200, policy, 1001.0) == 0
    assert charged(database, 1, policy, 900.0) == pytest.approx(0.01)  # a clock set back
    assert charged(database, 800, policy, 1005.0) == pytest.approx(1.0)  # waits for a full bucket
    assert charged(database, 800, policy, 1006.0) == 0
    assert charged(database, 100, policy, 1006.0) == pytest.approx(4.0)  # and pays afterwards
    assert charged(database, 10**9, TenantPolicy(), 1006.0) == 0
    database.close()


def test_processes_share_the_bucket_and_a_limited_request_stores_nothing(tmp_path: Path) -> None:
    policy = TenantPolicy(samples_per_s=0.001, samples_burst=3)
    first, second = opened(tmp_path, policy), opened(tmp_path, policy)
    assert send(first, "a", "b").stored == 2
    with pytest.raises(RateLimitedError, match="samples per second") as caught:
        send(second, "c", "d")
    assert caught.value.retry_after_s > 0
    assert caught.value.retryable
    assert send(second, "e").stored == 1
    assert names(first) == ["a", "b", "e"]
    first.close()
    second.close()


def test_many_series_of_one_metric_fill_part_after_part(tmp_path: Path) -> None:
    store = opened(tmp_path, TenantPolicy())
    tokens = [f"{number:04}" for number in range(150)]
    assert send(store, *tokens[:70]).stored == 70
    assert send(store, *tokens, at_ms=START_MS + 1).stored == 150
    store.maintain(START_MS + 10**9)
    assert send(store, *tokens, at_ms=START_MS + 2).stored == 150
    found = store.select("acme", M, 0, 2 * START_MS)
    assert [labels["n"] for labels in found.labels] == tokens
    assert np.diff(found.offsets).tolist() == [3] * 70 + [2] * 80
    store.close()
