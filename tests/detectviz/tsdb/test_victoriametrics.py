import http.client
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from typing_extensions import override

from detectviz.testing.services import find_program, free_port, port_is_open, run_server
from detectviz.testing.tsdb import STEP_MS, SeriesStoreConformance, equal
from detectviz.tsdb import victoriametrics
from detectviz.tsdb.interface import Matcher, MatchOp, Sample, SeriesStore, StoreError
from detectviz.tsdb.victoriametrics import VictoriaMetricsStore

pytestmark = pytest.mark.services("victoria-metrics")


@pytest.fixture(scope="module")
def server_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with run_victoria_metrics(tmp_path_factory.mktemp("vm"), "-maxLabelsPerTimeseries=65") as port:
        yield port


class TestVictoriaMetrics(SeriesStoreConformance):
    rejects_conflicts = False
    keeps_plain_nan = False
    keeps_every_bit = False
    keeps_histograms = False
    keeps_start_times = False
    deletes_ranges = False
    counts_bytes = False

    @pytest.fixture
    @override
    def store(self, server_port: int) -> Iterator[SeriesStore]:
        self.port = server_port
        store = VictoriaMetricsStore(f"victoriametrics+http://127.0.0.1:{server_port}")
        yield store
        store.close()

    @override
    def settle(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("GET", "/internal/force_flush")
        assert connection.getresponse().status == 200
        connection.close()

    def test_any_label_name_can_be_matched(
        self, store: SeriesStore, tenant: str, start_ms: int
    ) -> None:
        names = ["my.label", "日本", "1st", "a b", 'quo"te', "a:b"]
        for name in names:
            self.put(store, tenant, {"__name__": "m", name: "x"}, start_ms, [1])
        for name in names:
            assert len(self.read(store, tenant, equal(name, "x"))) == 1

    def test_a_large_append_is_dealt_out_to_several_requests(
        self,
        store: SeriesStore,
        tenant: str,
        start_ms: int,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(victoriametrics, "_BYTES_PER_REQUEST", 500)
        monkeypatch.setattr(victoriametrics, "_SAMPLES_PER_SERIES", 7)
        for name in ("a", "b", "c"):
            self.put(store, tenant, {"__name__": "m", "n": name}, start_ms, list(range(100)))
        found = self.read(store, tenant, equal("__name__", "m"))
        assert found.values.tolist() == [*range(100)] * 3

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


def test_a_server_that_would_drop_labels_is_refused(tmp_path: Path) -> None:
    with run_victoria_metrics(tmp_path) as port:
        store = VictoriaMetricsStore(f"victoriametrics+http://127.0.0.1:{port}")
        with pytest.raises(StoreError, match="-maxLabelsPerTimeseries=65"):
            store.check()
        store.close()


def test_a_server_that_comes_back_is_used_again(tmp_path: Path) -> None:
    port = free_port()
    store = VictoriaMetricsStore(f"victoriametrics+http://127.0.0.1:{port}")
    now_ms = int(time.time() * 1000)
    sample = [Sample({"__name__": "m"}, now_ms, 1.0)]
    with run_victoria_metrics(tmp_path, port=port):
        store.append("t", sample)
    with pytest.raises(StoreError, match="not reachable") as caught:
        store.append("t", sample)
    assert caught.value.retryable
    with run_victoria_metrics(tmp_path, port=port):
        store.append("t", sample)
        assert len(store.select("t", [equal("__name__", "m")], now_ms, now_ms)) == 1
    store.close()


def run_victoria_metrics(folder: Path, *flags: str, port: int = 0) -> "Server":
    return Server(folder, flags, port or free_port())


class Server:
    def __init__(self, folder: Path, flags: tuple[str, ...], port: int) -> None:
        self._port = port
        argv = [
            find_program("victoria-metrics") or "victoria-metrics",
            f"-storageDataPath={folder}",
            f"-httpListenAddr=127.0.0.1:{port}",
            "-retentionPeriod=1",
            *flags,
        ]
        self._running = run_server(argv, ready=lambda: port_is_open(port))

    def __enter__(self) -> int:
        self._running.__enter__()
        return self._port

    def __exit__(self, *details: object) -> None:
        self._running.__exit__(None, None, None)
