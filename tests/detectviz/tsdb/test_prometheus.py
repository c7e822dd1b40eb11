import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from typing_extensions import override

from detectviz.testing.backends import prometheus
from detectviz.testing.tsdb import BEFORE_MS, STEP_MS, SeriesStoreConformance, equal
from detectviz.tsdb.histograms import Histogram
from detectviz.tsdb.interface import Sample, SeriesStore, StoreError
from detectviz.tsdb.opening import open_store
from detectviz.tsdb.sending.store import RemoteStore

pytestmark = pytest.mark.services("prometheus")


@pytest.fixture(scope="module")
def server_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with prometheus(tmp_path_factory.mktemp("prometheus")) as (port, _):
        yield port


def remote_store(port: int, folder: Path, options: str = "") -> RemoteStore:
    store = open_store(f"prometheus+http://127.0.0.1:{port}{options}", data_dir=folder)
    assert isinstance(store, RemoteStore)
    return store


class TestPrometheus(SeriesStoreConformance):
    """Samples are read from the server: each append is waited for until it is sent."""

    rejects_conflicts = False  # it does, but after the append: they go to the dead letters
    keeps_histograms = False  # 2.42 does not give them back
    keeps_start_times = False  # remote write 1.0 has no place for them
    counts_bytes = False  # counted from a list of series, which has no times

    @pytest.fixture
    @override
    def store(self, server_port: int, tmp_path: Path) -> Iterator[SeriesStore]:
        self.remote = remote_store(server_port, tmp_path)
        self.folder = tmp_path
        yield self.remote
        self.remote.close()

    @pytest.fixture
    @override
    def start_ms(self) -> int:
        """Return a time that is not out of order to this server: such samples it can't delete."""
        return (int(time.time() * 1000) - BEFORE_MS // 6) // STEP_MS * STEP_MS

    @override
    def settle(self) -> None:
        assert self.remote.drain()

    @override
    def test_deleted_series_are_gone_for_everybody_and_may_come_again(
        self, store: SeriesStore, tenant: str, start_ms: int
    ) -> None:
        """See that samples are gone; the server lists the series until it compacts.

        It also hides what is written again where something was deleted.
        """
        other = f"{tenant}-other"
        self.put(store, tenant, {"__name__": "m", "n": "a"}, start_ms, [1, 2])
        self.put(store, tenant, {"__name__": "m", "n": "b"}, start_ms, [3])
        self.put(store, other, {"__name__": "m", "n": "a"}, start_ms, [4])
        chosen = [equal("n", "a")]
        assert store.delete(tenant, chosen, -(2**63), 2**63 - 1) == 1
        assert store.delete(tenant, chosen, -(2**63), 2**63 - 1) == 0
        assert self.read(store, tenant).labels == ({"__name__": "m", "n": "b"},)
        assert self.read(store, other).values.tolist() == [4]

    def test_a_refused_sample_is_a_dead_letter_and_its_neighbours_are_stored(
        self, store: SeriesStore, tenant: str, start_ms: int
    ) -> None:
        self.put(store, tenant, {"__name__": "m", "n": "7"}, start_ms, [1])
        long_ago_ms = start_ms - 40 * BEFORE_MS
        samples = [
            Sample({"__name__": "m", "n": str(n)}, long_ago_ms if n == 7 else start_ms, 5.0)
            for n in range(20)
        ]
        assert store.append(tenant, samples).stored == 20
        self.settle()
        found = self.read(store, tenant)
        assert {one["n"]: value for one, value in zip(found.labels, found.values, strict=True)} == {
            str(n): 1 if n == 7 else 5 for n in range(20)
        }
        assert self.remote.queue_status().dead == 1
        letters = (self.folder / "queue" / "dead-letters.jsonl").read_text()
        assert '"n":"7"' in letters
        assert "too old sample" in letters

    def test_label_names_that_the_server_would_drop_are_refused(
        self, store: SeriesStore, tenant: str, start_ms: int
    ) -> None:
        report = store.append(tenant, [Sample({"__name__": "m", "a.b": "x"}, start_ms, 1)])
        assert "UTF-8 names" in report.rejected[0].reason


def test_histograms_are_refused_unless_the_url_says_that_the_server_takes_them(
    server_port: int, tmp_path: Path
) -> None:
    store = remote_store(server_port, tmp_path)
    histogram = Histogram(count=1, sum=1)
    report = store.append("t", [Sample({"__name__": "h"}, 1000, histogram=histogram)])
    assert "histograms=yes" in report.rejected[0].reason
    store.close()


def test_a_version_that_keeps_histograms_to_itself_is_refused(
    server_port: int, tmp_path: Path
) -> None:
    store = remote_store(server_port, tmp_path, "?histograms=yes")
    with pytest.raises(StoreError, match="does not give native histograms back") as caught:
        store.check()
    assert not caught.value.retryable
    store.close()


def test_a_server_that_takes_no_remote_write_is_named(tmp_path: Path) -> None:
    store = remote_store(1, tmp_path)
    with pytest.raises(StoreError, match="not reachable"):
        store.check()
    store.close()
