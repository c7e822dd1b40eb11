"""Log lines sent to a collector."""

from collections.abc import Sequence

from detectviz.contracts.batches import WriteReport
from detectviz.contracts.exporter import ExporterContext
from detectviz.contracts.otlp_records import logs_request, send
from detectviz.contracts.records import LogRecord, Record, Signal


class LogsExporter:
    """Sends a batch in one request."""

    signals = frozenset({Signal.LOGS})

    def write(self, records: Sequence[Record], context: ExporterContext) -> WriteReport:
        """Write a batch; raise PluginError for one the collector refuses whole."""
        found = [record for record in records if isinstance(record, LogRecord)]
        return send(context, "logs", found, logs_request)
