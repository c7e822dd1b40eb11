from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest
from typing_extensions import override

from detectviz.testing.http_server import http_server
from detectviz.testing.tsdb import SeriesStoreConformance, equal
from detectviz.tsdb.interface import Sample, SeriesStore, StoreError
from detectviz.tsdb.opening import open_store
from detectviz.tsdb.sending.store import RemoteStore
from tests.detectviz.tsdb.mimir_stand_in import StandIn


class TestMimirStandIn(SeriesStoreConformance):
    """Our side of the protocols; the server is a stand-in over our own store in memory."""

    rejects_conflicts = False  # too late for the append
    keeps_start_times = False  # remote write 1.0 has no place for them
    counts_bytes = False  # counted from a list of series, which has no times
    header: ClassVar[str] = "X-Scope-OrgID"
    write_path: ClassVar[str] = "/api/v1/push"
    api_path: ClassVar[str] = "/prometheus"
    options: ClassVar[str] = "histograms=yes&utf8_names=yes"

    @pytest.fixture
    @override
    def store(self, tmp_path: Path) -> Iterator[SeriesStore]:
        self.server = StandIn(
            header=self.header, write_path=self.write_path, api_path=self.api_path
        )
        with http_server(self.server) as server:
            url = f"mimir+http://{server.host}:{server.port}?{self.options}"
            store = open_store(url, data_dir=tmp_path)
            assert isinstance(store, RemoteStore)
            self.remote = store
            yield store
            store.close()

    @override
    def settle(self) -> None:
        assert self.remote.drain()

    @override
    def test_deleted_series_are_gone_for_everybody_and_may_come_again(
        self, store: SeriesStore, tenant: str, start_ms: int
    ) -> None:
        """See that deletion is refused: those servers have no API for it."""
        with pytest.raises(StoreError, match="can't be deleted in mimir"):
            store.delete(tenant, [equal("n", "a")], 0, start_ms)

    @override
    def test_a_deletion_is_exact_to_the_millisecond_or_refused(
        self, store: SeriesStore, tenant: str, start_ms: int
    ) -> None:
        """Leave it to the test above."""

    def test_the_tenant_is_in_the_header_and_in_no_label(
        self, store: SeriesStore, tenant: str, start_ms: int
    ) -> None:
        store.append(tenant, [Sample({"__name__": "m"}, start_ms, 1.0)])
        self.settle()
        assert self.server.memory.series(tenant, [], 0, 2 * start_ms) == ({"__name__": "m"},)


class TestThanosStandIn(TestMimirStandIn):
    """The same with the header and paths of Thanos receive."""

    header = "THANOS-TENANT"
    write_path = "/api/v1/receive"
    api_path = ""
    options = (
        "histograms=yes&utf8_names=yes&tenant_header=THANOS-TENANT"
        "&write_path=/api/v1/receive&api_path="
    )
