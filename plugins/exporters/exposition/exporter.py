"""Samples as lines of Prometheus' text format, in a file of the run."""

import re
from collections.abc import Sequence
from typing import Final

from detectviz.contracts.batches import WriteReport
from detectviz.contracts.exporter import ExporterContext
from detectviz.contracts.records import MetricRecord, Record, RecordError, Signal

FILE: Final = "samples.prom"
_METRIC: Final = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")  # noqa: TID251 - our own constant pattern
_LABEL: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")  # noqa: TID251 - our own constant pattern


class ExpositionExporter:
    """Keeps a line a sample; the host shows the latest of each series."""

    signals = frozenset({Signal.METRICS})

    def write(self, records: Sequence[Record], context: ExporterContext) -> WriteReport:
        """Add a batch to the run's file; raise PluginError when the files are full."""
        lines: list[str] = []
        errors: list[RecordError] = []
        for record in records:
            if not isinstance(record, MetricRecord):
                continue
            wrong = _wrong_name(record)
            if wrong is None:
                lines.append(_line(record))
            else:
                message = f"Prometheus takes no name such as {wrong!r}; rename it in a processor."
                errors.append(RecordError(place=record.labels.get("__name__", ""), message=message))
        if lines:
            data = "".join(lines).encode("utf-8", "replace")
            context.outputs.append(FILE, data, batch_id=context.batch_id)
        return WriteReport(written=len(lines), errors=tuple(errors))


def _wrong_name(record: MetricRecord) -> str | None:
    name = record.labels.get("__name__", "")
    if not _METRIC.fullmatch(name):
        return name
    labels = (label for label in record.labels if label != "__name__")
    return next((label for label in labels if not _LABEL.fullmatch(label)), None)


def _line(record: MetricRecord) -> str:
    labels = ",".join(
        f'{name}="{_escaped(value)}"'
        for name, value in sorted(record.labels.items())
        if name != "__name__" and value
    )
    value = repr(float(record.value)).replace("inf", "Inf").replace("nan", "NaN")
    shown = f"{{{labels}}}" if labels else ""
    return f"{record.labels['__name__']}{shown} {value} {record.timestamp_ms}\n"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
