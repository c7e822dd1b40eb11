"""Spans sent to a collector."""

from collections.abc import Sequence
from dataclasses import replace

from detectviz.contracts.batches import WriteReport
from detectviz.contracts.exporter import ExporterContext
from detectviz.contracts.otlp_records import send, span_error, traces_request
from detectviz.contracts.records import Record, RecordError, Signal, SpanRecord


class TracesExporter:
    """Sends a batch in one request."""

    signals = frozenset({Signal.TRACES})

    def write(self, records: Sequence[Record], context: ExporterContext) -> WriteReport:
        """Write a batch; raise PluginError for one the collector refuses whole."""
        spans: list[SpanRecord] = []
        errors: list[RecordError] = []
        for number, record in enumerate(records, 1):
            if not isinstance(record, SpanRecord):
                continue
            if reason := span_error(record):
                errors.append(
                    RecordError(place=f"record {number}", message=reason, sample=record.name[:200])
                )
            else:
                spans.append(record)
        report = send(context, "traces", spans, traces_request)
        return replace(report, errors=(*errors, *report.errors))
