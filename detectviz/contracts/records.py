"""Records: what importers read, processors change and exporters write."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from detectviz.contracts.types import AlertStatus, JsonObject, JsonValue, Labels


class Signal(StrEnum):
    """The kinds of record. A stage of a pipeline says which ones it takes."""

    METRICS = "metrics"
    LOGS = "logs"
    TRACES = "traces"
    ALERTS = "alerts"
    EVENTS = "events"
    RESOURCES = "resources"
    ROWS = "rows"


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricRecord:
    """One sample. ``labels`` hold ``__name__``; ``unit`` is OpenMetrics', empty if unknown."""

    labels: Labels
    timestamp_ms: int
    value: float
    unit: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRecord:
    """One line. ``severity`` is OpenTelemetry's lower-case word, empty when not known."""

    timestamp_ms: int
    body: str
    severity: str = ""
    labels: Labels = field(default_factory=dict)
    attributes: JsonObject = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanRecord:
    """One span of a trace, with OpenTelemetry's fields; ids are hex."""

    trace_id: str
    span_id: str
    name: str
    start_ns: int
    end_ns: int
    parent_span_id: str = ""
    kind: str = "internal"
    status: str = "unset"
    resource: JsonObject = field(default_factory=dict)
    attributes: JsonObject = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRecord:
    """One alert, with Alertmanager's fields."""

    status: AlertStatus
    labels: Labels
    annotations: Labels
    starts_at: datetime
    ends_at: datetime | None = None
    generator_url: str = ""
    value: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRecord:
    """Something that happened, as a CloudEvent."""

    id: str
    type: str
    source: str
    at: datetime
    subject: str = ""
    data: JsonObject = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceRecord:
    """A resource as a manifest: ``apiVersion``, ``kind``, ``metadata``, ``spec``; no secrets."""

    document: JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class RowRecord:
    """A row of a table, for systems without a model of their own."""

    values: Mapping[str, JsonValue]


Record: TypeAlias = (
    MetricRecord | LogRecord | SpanRecord | AlertRecord | EventRecord | ResourceRecord | RowRecord
)

RECORD_TYPES: Mapping[Signal, type[Record]] = {
    Signal.METRICS: MetricRecord,
    Signal.LOGS: LogRecord,
    Signal.TRACES: SpanRecord,
    Signal.ALERTS: AlertRecord,
    Signal.EVENTS: EventRecord,
    Signal.RESOURCES: ResourceRecord,
    Signal.ROWS: RowRecord,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordError:
    """One record that could not be read or written.

    ``place`` says where it stood for a person (``line 12``, ``users/anna``); ``sample`` is an
    excerpt without secrets.
    """

    place: str
    message: str
    sample: str = ""
