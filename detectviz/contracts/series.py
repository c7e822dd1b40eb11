"""The org's own time series, as a plugin reads them. The host enforces the org and the limits."""

from collections.abc import Sequence
from typing import Protocol

from detectviz.contracts.frames import Frame


class SeriesQuerier(Protocol):
    """PromQL and the label APIs over one org's series; raises QueryError for a refused query."""

    def instant(self, promql: str, *, time_ms: int, timeout_s: float) -> Frame:
        """Return one ``numeric`` frame: a number field with its labels for each series."""

    def range(
        self, promql: str, *, start_ms: int, end_ms: int, step_ms: int, timeout_s: float
    ) -> Sequence[Frame]:
        """Return one ``time-series`` frame for each series."""

    def label_names(self, matchers: Sequence[str], *, start_ms: int, end_ms: int) -> list[str]:
        """Return label names of the series that any of the selectors in ``matchers`` selects."""

    def label_values(
        self, name: str, matchers: Sequence[str], *, start_ms: int, end_ms: int
    ) -> list[str]:
        """Return the values of one label; ``__name__`` gives the metrics."""
