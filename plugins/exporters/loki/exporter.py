"""Log lines pushed to Loki."""

from collections.abc import Sequence

from detectviz.contracts.batches import WriteReport
from detectviz.contracts.config import get_text, get_text_map
from detectviz.contracts.exporter import ExporterContext
from detectviz.contracts.http_endpoint import HttpEndpoint
from detectviz.contracts.records import LogRecord, Record, Signal
from plugins.exporters.loki.payload import push_body


class LokiExporter:
    """Sends a batch in one request."""

    signals = frozenset({Signal.LOGS})

    def write(self, records: Sequence[Record], context: ExporterContext) -> WriteReport:
        """Write a batch; raise PluginError for one the server refuses."""
        lines = [record for record in records if isinstance(record, LogRecord)]
        endpoint = HttpEndpoint(context, name="Loki")
        if lines:
            body = push_body(
                lines,
                more_labels=get_text_map(context.config, "labels"),
                attributes=get_text(context.config, "attributes", "metadata"),
            )
            endpoint.post("loki/api/v1/push", body)
        return WriteReport(written=len(lines))
