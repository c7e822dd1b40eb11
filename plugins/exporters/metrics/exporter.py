"""Samples sent to a collector."""

from collections.abc import Sequence

from detectviz.contracts.batches import WriteReport
from detectviz.contracts.exporter import ExporterContext
from detectviz.contracts.otlp_records import metrics_request, send
from detectviz.contracts.records import MetricRecord, Record, Signal


class MetricsExporter:
    """Sends a batch in one request."""

    signals = frozenset({Signal.METRICS})

    def write(self, records: Sequence[Record], context: ExporterContext) -> WriteReport:
        """Write a batch; raise PluginError for one the collector refuses whole."""
        found = [record for record in records if isinstance(record, MetricRecord)]
        return send(context, "metrics", found, metrics_request)
