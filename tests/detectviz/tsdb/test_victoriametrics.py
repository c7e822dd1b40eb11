import http.client
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from typing_extensions import override

from detectviz.testing.backends import victoria_metrics
from detectviz.testing.services import free_port
from detectviz.testing.tsdb import STEP_MS, SeriesStoreConformance, equal
from detectviz.tsdb.interface import Matcher, MatchOp, Sample, SeriesStore, StoreError
from detectviz.tsdb.opening import open_store
from detectviz.tsdb.sending.store import RemoteStore
from detectviz.tsdb.victoriametrics import VictoriaMetrics

pytestmark = pytest.mark.services("victoria-metrics")


@pytest.fixture(scope="module")
def server_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with victoria_metrics(tmp_path_factory.mktemp("vm")) as (port, _):
        yield port


def remote_store(url: str, folder: Path) -> RemoteStore:
    store = open_store(url, data_dir=folder)
    assert isinstance(store, RemoteStore)
    return store


class TestVictoriaMetrics(SeriesStoreConformance):
    """Samples are read from the server: each append is waited for until the queue forgot it."""

    rejects_conflicts = False  # it stores both and answers one
    keeps_plain_nan = False  # it drops them
    keeps_every_bit = False  # decimals of about 15 digits
    keeps_histograms = False
    keeps_start_times = False  # remote write 1.0 has no place for them
    deletes_ranges = False  # whole series only
    counts_bytes = False  # its statistics know none

    @pytest.fixture
    @override
    def store(self, server_port: int, tmp_path: Path) -> Iterator[SeriesStore]:
        self.port = server_port
        store = remote_store(f"victoriametrics+http://127.0.0.1:{server_port}", tmp_path)
        self.remote = store
        yield store
        store.close()

    @override
    def settle(self) -> None:
        assert self.remote.drain()
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("GET", "/internal/force_flush")
        assert connection.getresponse().status == 200
        connection.close()
        self.remote.forget_sent()

    def test_any_label_name_can_be_matched(
        self, store: SeriesStore, tenant: str, start_ms: int
    ) -> None:
        names = ["my.label", "日本", "1st", "a b", 'quo"te', "a:b"]
        for name in names:
            self.put(store, tenant, {"__name__": "m", name: "x"}, start_ms, [1])
        for name in names:
            assert len(self.read(store, tenant, equal(name, "x"))) == 1

    def test_the_tenant_label_cannot_be_asked_for(
        self, store: SeriesStore, tenant: str, start_ms: int
    ) -> None:
        self.put(store, tenant, {"__name__": "m"}, start_ms, [1])
        within = (start_ms, start_ms + STEP_MS)
        spying = Matcher("detectviz_tenant", MatchOp.REGEX, ".+")
        harmless = Matcher("detectviz_tenant", MatchOp.EQUAL, "")
        assert len(self.read(store, tenant, spying)) == 0
        assert store.series(tenant, [spying], *within) == ()
        assert store.label_values(tenant, "detectviz_tenant", [], *within) == ()
        assert len(self.read(store, tenant, harmless)) == 1

    def test_threads_do_not_share_a_connection(
        self, store: SeriesStore, tenant: str, start_ms: int
    ) -> None:
        def append(place: int) -> None:
            labels = {"__name__": "m", "thread": str(place)}
            for step in range(20):
                store.append(tenant, [Sample(labels, start_ms + step * STEP_MS, step)])

        threads = [threading.Thread(target=append, args=(place,)) for place in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.settle()
        assert len(self.read(store, tenant, equal("__name__", "m")).values) == 80


class TestVictoriaMetricsBehindAQueue(TestVictoriaMetrics):
    """Nothing is waited for: what is sent from a thread is merged with what is not yet."""

    @pytest.fixture
    @override
    def store(self, server_port: int, tmp_path: Path) -> Iterator[SeriesStore]:
        self.port = server_port
        store = remote_store(f"victoriametrics+http://127.0.0.1:{server_port}", tmp_path)
        self.remote = store
        store.start_sending()
        yield store
        store.close()

    @override
    def settle(self) -> None:
        """Wait for nothing."""

    @override
    def test_cardinality_counts_series_names_values_and_pairs(
        self, store: SeriesStore, tenant: str
    ) -> None:
        """Leave it to the class above: statistics are of what the server has."""


def test_a_server_that_would_drop_labels_is_refused(tmp_path: Path) -> None:
    with victoria_metrics(tmp_path, flags=()) as (port, _):
        backend = VictoriaMetrics(f"victoriametrics+http://127.0.0.1:{port}")
        with pytest.raises(StoreError, match="-maxLabelsPerTimeseries=65"):
            backend.check()
        backend.close()


def test_a_server_that_comes_back_gets_what_waited(tmp_path: Path) -> None:
    port = free_port()
    store = remote_store(f"victoriametrics+http://127.0.0.1:{port}", tmp_path / "queue")
    now_ms = int(time.time() * 1000)
    store.append("t", [Sample({"__name__": "m"}, now_ms, 1.0)])
    with pytest.raises(StoreError, match=r"not reachable.*1 samples wait") as caught:
        store.check()
    assert caught.value.retryable
    with victoria_metrics(tmp_path / "vm", port=port):
        store.start_sending()
        deadline = time.monotonic() + 20
        while store.queue_status().waiting_samples and time.monotonic() < deadline:
            time.sleep(0.05)
        assert store.queue_status().sent == 1
        assert len(store.select("t", [equal("__name__", "m")], now_ms, now_ms)) == 1
        store.check()
    store.close()
