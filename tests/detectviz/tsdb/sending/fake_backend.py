"""A backend in memory that a test can break."""

from collections.abc import Mapping, Sequence

import cramjam

from detectviz.promql.memory_store import MemoryStore
from detectviz.tsdb.backend_url import QueueLimits
from detectviz.tsdb.interface import Cardinality, Matcher, Sample, SeriesSet, StoreError
from detectviz.tsdb.labels import LabelKey
from detectviz.tsdb.protobuf import message
from detectviz.tsdb.remote_read import read_response
from detectviz.tsdb.sending.backend import RemoteQuery


class FakeBackend:
    kind = "fake"
    keeps_nan = True
    histogram_refusal: str | None = None
    query_tenant_label: str | None = None
    query_warning = "evaluated elsewhere"

    def __init__(self, *, settles_after_s: float = 0.0, queue_bytes: int = 1 << 20) -> None:
        self.settles_after_s = settles_after_s
        self.limits = QueueLimits(max_bytes=queue_bytes, max_age_s=3600)
        self.memory = MemoryStore()
        self.errors: dict[str, StoreError] = {}  # by tenant, "" for all
        self.refused_values: set[float] = set()
        self.refusing: StoreError | None = None
        self.generation = 1
        self.taken: list[tuple[str, list[float]]] = []
        self.answers: list[bytes] = []
        self.queries: list[tuple[str, RemoteQuery]] = []

    def stamp(self, tenant: str) -> LabelKey:
        return ()

    def refusal(self, key: LabelKey) -> str | None:
        return None

    def write(self, tenant: str, body: bytes) -> int:
        error = self.errors.get(tenant) or self.errors.get("")
        if error:
            raise error
        raw = bytes(cramjam.snappy.decompress_raw(body))
        found = read_response(bytes(cramjam.snappy.compress_raw(message(1, raw))))
        values = [float(value) for one in found for value in one.values]
        if self.refusing and self.refused_values.intersection(values):
            raise self.refusing
        if values:
            self.taken.append((tenant, values))
        self.memory.append(
            tenant,
            [
                Sample(dict(one.key), int(moment), float(value))
                for one in found
                for moment, value in zip(one.timestamps_ms, one.values, strict=True)
            ],
        )
        return self.generation

    def select(
        self, tenant: str, matchers: Sequence[Matcher], start_ms: int, end_ms: int
    ) -> SeriesSet:
        return self.memory.select(tenant, matchers, start_ms, end_ms)

    def series(
        self, tenant: str, matchers: Sequence[Matcher], start_ms: int, end_ms: int
    ) -> tuple[Mapping[str, str], ...]:
        return self.memory.series(tenant, matchers, start_ms, end_ms)

    def label_names(
        self, tenant: str, matchers: Sequence[Matcher], start_ms: int, end_ms: int
    ) -> tuple[str, ...]:
        return self.memory.label_names(tenant, matchers, start_ms, end_ms)

    def label_values(
        self, tenant: str, name: str, matchers: Sequence[Matcher], start_ms: int, end_ms: int
    ) -> tuple[str, ...]:
        return self.memory.label_values(tenant, name, matchers, start_ms, end_ms)

    def delete(
        self, tenant: str, matchers: Sequence[Matcher], start_ms: int, end_ms: int
    ) -> tuple[Mapping[str, str], ...]:
        gone = self.memory.series(tenant, matchers, start_ms, end_ms)
        self.memory.delete(tenant, matchers, start_ms, end_ms)
        return gone

    def cardinality(self, tenant: str, limit: int) -> Cardinality:
        return self.memory.cardinality(tenant, limit)

    def query(self, tenant: str, query: RemoteQuery) -> bytes:
        self.queries.append((tenant, query))
        return self.answers.pop(0)

    def check(self) -> None:
        if "" in self.errors:
            raise self.errors[""]

    def close(self) -> None:
        """Nothing is open."""
