"""Samples as points of InfluxDB."""

from collections.abc import Sequence

from detectviz.contracts.batches import WriteReport
from detectviz.contracts.config import get_text
from detectviz.contracts.exporter import ExporterContext
from detectviz.contracts.http_endpoint import HttpEndpoint
from detectviz.contracts.records import MetricRecord, Record, RecordError, Signal
from plugins.exporters.influxdb.line_protocol import LineError, line_of


class InfluxdbExporter:
    """Sends a batch in one request."""

    signals = frozenset({Signal.METRICS})

    def write(self, records: Sequence[Record], context: ExporterContext) -> WriteReport:
        """Write a batch; raise PluginError for one the server refuses."""
        lines: list[str] = []
        errors: list[RecordError] = []
        for number, record in enumerate(records, 1):
            if not isinstance(record, MetricRecord):
                continue
            try:
                lines.append(line_of(record))
            except LineError as error:
                place = f"record {number}"
                errors.append(
                    RecordError(place=place, message=str(error), sample=str(record.labels)[:200])
                )
        endpoint = HttpEndpoint(context, name="InfluxDB")
        if lines:
            body = "\n".join(lines).encode("utf-8", "replace")
            path, parameters = _door(context)
            headers = _token(context)
            endpoint.post(
                path, body, content_type="text/plain", parameters=parameters, headers=headers
            )
        return WriteReport(written=len(lines), errors=tuple(errors))


def _door(context: ExporterContext) -> tuple[str, list[tuple[str, str]]]:
    config = context.config
    if get_text(config, "version") == "2":
        names = {"bucket": "database", "org": "organisation"}
        path = "api/v2/write"
    else:
        names = {"db": "database", "rp": "retention_policy"}
        path = "write"
    chosen = ((name, get_text(config, key)) for name, key in names.items())
    return path, [("precision", "ms"), *(pair for pair in chosen if pair[1])]


def _token(context: ExporterContext) -> list[tuple[str, str]]:
    """Return InfluxDB 2's own way of saying a token; version 1 takes the usual one."""
    token = context.secrets.get("token", "")
    if get_text(context.config, "version") != "2" or not token:
        return []
    return [("Authorization", f"Token {token}")]
