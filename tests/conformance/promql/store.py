"""The store in memory, remembering what it was asked."""

from collections.abc import Mapping, Sequence

from detectviz.promql import memory_store
from detectviz.tsdb.interface import Matcher, Sample, SelectHints, SeriesSet


class MemoryStore(memory_store.MemoryStore):
    """Adds single samples and keeps the selections."""

    def __init__(self) -> None:
        super().__init__()
        self.selected: list[tuple[str, tuple[Matcher, ...], int, int]] = []

    def add(self, tenant: str, labels: Mapping[str, str], at_ms: int, value: float) -> None:
        self.append(tenant, [Sample(labels, at_ms, value)])

    def select(
        self,
        tenant: str,
        matchers: Sequence[Matcher],
        start_ms: int,
        end_ms: int,
        *,
        hints: SelectHints | None = None,
    ) -> SeriesSet:
        self.selected.append((tenant, tuple(matchers), start_ms, end_ms))
        return super().select(tenant, matchers, start_ms, end_ms, hints=hints)
