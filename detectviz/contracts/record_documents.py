"""Records as flat rows and as JSON documents, the same for all exporters, and the way back.

A document has a member ``signal``; times are RFC 3339 with milliseconds, in UTC.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final, cast

from detectviz.contracts.errors import PluginError
from detectviz.contracts.records import (
    RECORD_TYPES,
    AlertRecord,
    EventRecord,
    LogRecord,
    MetricRecord,
    Record,
    ResourceRecord,
    RowRecord,
    Signal,
    SpanRecord,
)
from detectviz.contracts.types import AlertStatus, JsonObject, JsonValue

_SIGNALS: Final = {kind: signal for signal, kind in RECORD_TYPES.items()}


def signal_of(record: Record) -> Signal:
    """Return what kind of record it is."""
    return _SIGNALS[type(record)]


def record_document(record: Record) -> dict[str, JsonValue]:
    """Return a record as a JSON object."""
    return {"signal": signal_of(record).value, **_body(record)}


def record_row(record: Record) -> dict[str, JsonValue]:
    """Return a record as one row: nested members become columns, as ``labels.job``."""
    if isinstance(record, RowRecord):
        return dict(record.values)
    row: dict[str, JsonValue] = {}
    _flatten(_body(record), "", row)
    return row


def document_record(document: JsonObject) -> Record:
    """Return what ``record_document`` made a document of; raise PluginError for anything else."""
    try:
        signal = Signal(str(document.get("signal")))
    except ValueError:
        known = ", ".join(Signal)
        raise PluginError(f"signal must be one of {known}.", permanent=True) from None
    try:
        return _READERS[signal](document)
    except (KeyError, TypeError, ValueError) as error:
        raise PluginError(f"This is no record of {signal}: {error!r}.", permanent=True) from error


def parse_time_ms(text: str) -> int:
    """Return Unix milliseconds of an RFC 3339 time; without an offset it is UTC."""
    at = datetime.fromisoformat(text)
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)


def format_time(timestamp_ms: int) -> str:
    """Return Unix milliseconds as RFC 3339 in UTC."""
    at = datetime.fromtimestamp(timestamp_ms / 1000, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _body(record: Record) -> dict[str, JsonValue]:
    match record:
        case MetricRecord():
            return {
                "time": format_time(record.timestamp_ms),
                "labels": record.labels,
                # JSON has no NaN or infinity; Prometheus' spelling for them is a text.
                "value": _number(record.value),
                "unit": record.unit,
            }
        case LogRecord():
            return {
                "time": format_time(record.timestamp_ms),
                "body": record.body,
                "severity": record.severity,
                "labels": record.labels,
                "attributes": record.attributes,
            }
        case SpanRecord():
            return {
                "trace_id": record.trace_id,
                "span_id": record.span_id,
                "parent_span_id": record.parent_span_id,
                "name": record.name,
                "kind": record.kind,
                "status": record.status,
                "start_ns": record.start_ns,
                "end_ns": record.end_ns,
                "resource": record.resource,
                "attributes": record.attributes,
            }
        case AlertRecord():
            return {
                "status": record.status.value,
                "labels": record.labels,
                "annotations": record.annotations,
                "starts_at": _text(record.starts_at),
                "ends_at": None if record.ends_at is None else _text(record.ends_at),
                "generator_url": record.generator_url,
                "value": None if record.value is None else _number(record.value),
            }
        case EventRecord():
            return {
                "id": record.id,
                "type": record.type,
                "source": record.source,
                "time": _text(record.at),
                "subject": record.subject,
                "data": record.data,
            }
        case ResourceRecord():
            return {"document": record.document}
        case RowRecord():
            return {"values": record.values}


def _number(value: float) -> JsonValue:
    if value != value:  # noqa: PLR0124 - the test for NaN without an import
        return "NaN"
    if value in {float("inf"), float("-inf")}:
        return "+Inf" if value > 0 else "-Inf"
    return value


def _text(at: datetime) -> str:
    return format_time(int(at.timestamp() * 1000))


def _flatten(value: JsonObject, prefix: str, row: dict[str, JsonValue]) -> None:
    for key, inner in value.items():
        if isinstance(inner, Mapping):
            _flatten(inner, f"{prefix}{key}.", row)
        else:
            row[f"{prefix}{key}"] = inner


def _read_metric(document: JsonObject) -> Record:
    return MetricRecord(
        labels=_texts(document["labels"]),
        timestamp_ms=parse_time_ms(str(document["time"])),
        value=float(cast("str", document["value"])),
        unit=str(document.get("unit", "")),
    )


def _read_log(document: JsonObject) -> Record:
    return LogRecord(
        timestamp_ms=parse_time_ms(str(document["time"])),
        body=str(document["body"]),
        severity=str(document.get("severity", "")),
        labels=_texts(document.get("labels", {})),
        attributes=_object(document.get("attributes", {})),
    )


def _read_span(document: JsonObject) -> Record:
    return SpanRecord(
        trace_id=str(document["trace_id"]),
        span_id=str(document["span_id"]),
        parent_span_id=str(document.get("parent_span_id", "")),
        name=str(document["name"]),
        kind=str(document.get("kind", "internal")),
        status=str(document.get("status", "unset")),
        start_ns=int(cast("int", document["start_ns"])),
        end_ns=int(cast("int", document["end_ns"])),
        resource=_object(document.get("resource", {})),
        attributes=_object(document.get("attributes", {})),
    )


def _read_alert(document: JsonObject) -> Record:
    ends_at, value = document.get("ends_at"), document.get("value")
    return AlertRecord(
        status=AlertStatus(str(document["status"])),
        labels=_texts(document["labels"]),
        annotations=_texts(document.get("annotations", {})),
        starts_at=_time(document["starts_at"]),
        ends_at=None if ends_at is None else _time(ends_at),
        generator_url=str(document.get("generator_url", "")),
        value=None if value is None else float(cast("str", value)),
    )


def _read_event(document: JsonObject) -> Record:
    return EventRecord(
        id=str(document["id"]),
        type=str(document["type"]),
        source=str(document["source"]),
        at=_time(document["time"]),
        subject=str(document.get("subject", "")),
        data=_object(document.get("data", {})),
    )


_READERS: Final[Mapping[Signal, Callable[[JsonObject], Record]]] = {
    Signal.METRICS: _read_metric,
    Signal.LOGS: _read_log,
    Signal.TRACES: _read_span,
    Signal.ALERTS: _read_alert,
    Signal.EVENTS: _read_event,
    Signal.RESOURCES: lambda document: ResourceRecord(document=_object(document["document"])),
    Signal.ROWS: lambda document: RowRecord(values=_object(document["values"])),
}


def _time(value: JsonValue) -> datetime:
    return datetime.fromtimestamp(parse_time_ms(str(value)) / 1000, UTC)


def _object(value: JsonValue) -> JsonObject:
    if not isinstance(value, Mapping):
        raise TypeError(f"{value!r} is no object")
    return value


def _texts(value: JsonValue) -> dict[str, str]:
    return {key: str(text) for key, text in _object(value).items()}
