"""Events sent to a collector."""

from collections.abc import Sequence

from detectviz.contracts.batches import WriteReport
from detectviz.contracts.exporter import ExporterContext
from detectviz.contracts.otlp_records import events_request, send
from detectviz.contracts.records import EventRecord, Record, Signal


class EventsExporter:
    """Sends a batch in one request."""

    signals = frozenset({Signal.EVENTS})

    def write(self, records: Sequence[Record], context: ExporterContext) -> WriteReport:
        """Write a batch; raise PluginError for one the collector refuses whole."""
        found = [record for record in records if isinstance(record, EventRecord)]
        return send(context, "logs", found, events_request)
