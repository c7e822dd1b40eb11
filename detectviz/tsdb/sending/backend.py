"""What the queue needs of a backend, and what may go wrong there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from detectviz.tsdb.backend_url import QueueLimits
from detectviz.tsdb.interface import Cardinality, Matcher, SeriesSet
from detectviz.tsdb.labels import LabelKey


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteQuery:
    """A whole query for the backend's own engine.

    ``text`` is PromQL, tenant and all; ``step_ms`` 0 asks for one moment, ``start_ms``.
    """

    text: str
    start_ms: int
    end_ms: int
    step_ms: int = 0
    timeout_s: float = 120.0


class Backend(Protocol):
    """A server that takes remote write and gives raw samples back, tenant by tenant."""

    @property
    def kind(self) -> str:
        """What it is, in one word."""

    @property
    def settles_after_s(self) -> float:
        """How long what it took may be invisible, or lost if it is killed; 0 for never."""

    @property
    def histogram_refusal(self) -> str | None:
        """Why it takes no native histograms; None when it does."""

    @property
    def keeps_nan(self) -> bool:
        """Whether NaNs that are no stale markers are stored."""

    @property
    def limits(self) -> QueueLimits:
        """How much may wait for it."""

    @property
    def query_tenant_label(self) -> str | None:
        """The label that keeps tenants apart in queries; None when requests name the tenant."""

    @property
    def query_warning(self) -> str:
        """How answers of its own engine may differ from ours."""

    def stamp(self, tenant: str) -> LabelKey:
        """Return the labels that every series of the tenant must carry there."""

    def refusal(self, key: LabelKey) -> str | None:
        """Say why it would not store these labels, if it would not."""

    def write(self, tenant: str, body: bytes) -> int:
        """Send a remote write request; return a number.

        It is another one than before when the server may have restarted meanwhile.

        Raises:
            BackendError: not accepted; ``is_about_data`` says whose fault it is.
            StoreError: not reachable.

        """

    def select(
        self, tenant: str, matchers: Sequence[Matcher], start_ms: int, end_ms: int
    ) -> SeriesSet:
        """Return raw samples, as ``SeriesStore.select``."""

    def series(
        self, tenant: str, matchers: Sequence[Matcher], start_ms: int, end_ms: int
    ) -> tuple[Mapping[str, str], ...]:
        """Return label sets, as ``SeriesStore.series``."""

    def label_names(
        self, tenant: str, matchers: Sequence[Matcher], start_ms: int, end_ms: int
    ) -> tuple[str, ...]:
        """Return label names, as ``SeriesStore.label_names``."""

    def label_values(
        self, tenant: str, name: str, matchers: Sequence[Matcher], start_ms: int, end_ms: int
    ) -> tuple[str, ...]:
        """Return label values, as ``SeriesStore.label_values``."""

    def delete(
        self, tenant: str, matchers: Sequence[Matcher], start_ms: int, end_ms: int
    ) -> tuple[Mapping[str, str], ...]:
        """Delete samples, as ``SeriesStore.delete``; return which series lost some."""

    def cardinality(self, tenant: str, limit: int) -> Cardinality:
        """Return what series are made of, as ``SeriesStore.cardinality``."""

    def query(self, tenant: str, query: RemoteQuery) -> bytes:
        """Let the server evaluate a query; return its answer as Prometheus' JSON."""

    def check(self) -> None:
        """Raise StoreError unless it takes writes and answers."""

    def close(self) -> None:
        """Close the idle connections."""
