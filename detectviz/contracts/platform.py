"""The org's own data, as the importer and the exporter ``detectviz`` reach it.

The host enforces the org and the rights of whoever owns the pipeline.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol

from detectviz.contracts.batches import Batch, WriteReport
from detectviz.contracts.records import Record, Signal
from detectviz.contracts.types import JsonObject


class Platform(Protocol):
    """Reads and writes samples, alerts, events, resources and audit events of one org."""

    def read(
        self, signal: Signal, selection: JsonObject, *, cursor: JsonObject, batch_size: int
    ) -> Iterator[Batch]:
        """Yield records from ``cursor`` on; raise QueryError for a selection it can't make."""

    def write(self, records: Sequence[Record], *, batch_id: str) -> WriteReport:
        """Write samples into the series store, and resources as ``apply`` would."""
