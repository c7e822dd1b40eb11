"""Samples sent by remote write."""

from collections.abc import Sequence

from detectviz.contracts.batches import WriteReport
from detectviz.contracts.exporter import ExporterContext
from detectviz.contracts.http_endpoint import HttpEndpoint
from detectviz.contracts.records import MetricRecord, Record, Signal
from plugins.exporters.prometheus.remote_write import CONTENT_TYPE, HEADERS, encode


class PrometheusExporter:
    """Sends a batch in one request."""

    signals = frozenset({Signal.METRICS})

    def write(self, records: Sequence[Record], context: ExporterContext) -> WriteReport:
        """Write a batch; raise PluginError for one the server refuses."""
        samples = [record for record in records if isinstance(record, MetricRecord)]
        endpoint = HttpEndpoint(context, name="Prometheus")
        if samples:
            endpoint.post("", encode(samples), content_type=CONTENT_TYPE, headers=HEADERS)
        return WriteReport(written=len(samples))
