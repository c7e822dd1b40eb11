"""Records as OTLP messages, and how a collector is asked to take them.

Source: the OTLP 1.x specification (OTLP/HTTP, binary protobuf) and opentelemetry-proto.
"""

import json
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import Final, Protocol, TypeVar

from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import (
    AnyValue,
    ArrayValue,
    KeyValue,
    KeyValueList,
)
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord as LogMessage
from opentelemetry.proto.logs.v1.logs_pb2 import ResourceLogs, ScopeLogs, SeverityNumber
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    Gauge,
    Metric,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from detectviz.contracts.batches import WriteReport
from detectviz.contracts.config import get_text_map
from detectviz.contracts.errors import PluginError
from detectviz.contracts.http_endpoint import Caller, HttpEndpoint
from detectviz.contracts.records import (
    EventRecord,
    LogRecord,
    MetricRecord,
    RecordError,
    SpanRecord,
)
from detectviz.contracts.types import JsonObject, JsonValue

T = TypeVar("T")
K = TypeVar("K", bound=Hashable)
_SEVERITIES: Final = {"trace": 1, "debug": 5, "info": 9, "warn": 13, "error": 17, "fatal": 21}
_SEVERITIES_ALIKE: Final = {"warning": "warn", "critical": "fatal", "notice": "info"}
_SERVICES: Final = ("service.name", "service_name", "service", "job")
_KINDS: Final = {
    "internal": Span.SPAN_KIND_INTERNAL,
    "server": Span.SPAN_KIND_SERVER,
    "client": Span.SPAN_KIND_CLIENT,
    "producer": Span.SPAN_KIND_PRODUCER,
    "consumer": Span.SPAN_KIND_CONSUMER,
}
_STATUSES: Final = {"ok": Status.STATUS_CODE_OK, "error": Status.STATUS_CODE_ERROR}
_TRACE_ID_BYTES, _SPAN_ID_BYTES = 16, 8
_LARGEST_INTEGER: Final = 2**63


def logs_request(lines: Sequence[LogRecord], more: JsonObject) -> Message:
    """Return the request for log lines; ``more`` are attributes of every resource."""
    grouped = _grouped(lines, lambda line: _service(line.labels))
    return ExportLogsServiceRequest(
        resource_logs=[
            ResourceLogs(
                resource=_resource({**more, **_named(service)}),
                scope_logs=[ScopeLogs(log_records=[_log(line) for line in found])],
            )
            for service, found in grouped
        ]
    )


def events_request(events: Sequence[EventRecord], more: JsonObject) -> Message:
    """Return the request for events: log records with an event name."""
    records = [_event(event) for event in events]
    return ExportLogsServiceRequest(
        resource_logs=[
            ResourceLogs(resource=_resource(more), scope_logs=[ScopeLogs(log_records=records)])
        ]
    )


def metrics_request(samples: Sequence[MetricRecord], more: JsonObject) -> Message:
    """Return the request for samples: points of gauges, by resource, metric and unit."""
    by_target = _grouped(samples, lambda s: (s.labels.get("job", ""), s.labels.get("instance", "")))
    return ExportMetricsServiceRequest(
        resource_metrics=[
            ResourceMetrics(
                resource=_resource({**more, **_named(job), **_instance(instance)}),
                scope_metrics=[ScopeMetrics(metrics=_metrics(found))],
            )
            for (job, instance), found in by_target
        ]
    )


def traces_request(spans: Sequence[SpanRecord], more: JsonObject) -> Message:
    """Return the request for spans, by resource; their ids must have passed ``span_error``."""
    grouped = _grouped(spans, lambda span: json.dumps(span.resource, sort_keys=True, default=dict))
    return ExportTraceServiceRequest(
        resource_spans=[
            ResourceSpans(
                resource=_resource({**more, **found[0].resource}),
                scope_spans=[ScopeSpans(spans=[_span(span) for span in found])],
            )
            for _, found in grouped
        ]
    )


def span_error(span: SpanRecord) -> str:
    """Return why a span cannot be sent, empty when it can."""
    for name, text, count in (
        ("trace_id", span.trace_id, _TRACE_ID_BYTES),
        ("span_id", span.span_id, _SPAN_ID_BYTES),
        ("parent_span_id", span.parent_span_id or "00" * _SPAN_ID_BYTES, _SPAN_ID_BYTES),
    ):
        try:
            is_fit = len(bytes.fromhex(text)) == count
        except ValueError:
            is_fit = False
        if not is_fit:
            return f"{name} must be {count} bytes in hex."
    return ""


class _Answer(Protocol):
    """What the three answers of a collector have in common."""

    def FromString(self, data: bytes) -> Message:  # noqa: N802 - protobuf's name
        """Return the message."""


_ANSWERS: Final[Mapping[str, tuple[_Answer, str]]] = {
    "logs": (ExportLogsServiceResponse, "rejected_log_records"),
    "metrics": (ExportMetricsServiceResponse, "rejected_data_points"),
    "traces": (ExportTraceServiceResponse, "rejected_spans"),
}


def send(
    caller: Caller,
    signal: str,
    records: Sequence[T],
    build: Callable[[Sequence[T], JsonObject], Message],
) -> WriteReport:
    """Post records to ``v1/<signal>`` (logs, metrics, traces) of a collector.

    Configuration as of HttpEndpoint, and ``resource``. Raise PluginError for what is refused
    whole; what the collector rejects of it is an error of the report.
    """
    endpoint = HttpEndpoint(caller, name="The collector")
    if not records:
        return WriteReport(written=0)
    request = build(records, get_text_map(caller.config, "resource"))
    answer = endpoint.post(
        f"v1/{signal}",
        request.SerializeToString(),
        content_type="application/x-protobuf",
        headers=[("Accept", "application/x-protobuf")],
    )
    kind, field = _ANSWERS[signal]
    try:
        partial = kind.FromString(answer.body).partial_success
    except DecodeError as error:
        raise PluginError(
            "What answered is not a collector: its answer is no OTLP. Check the address.",
            permanent=True,
        ) from error
    rejected = min(int(getattr(partial, field)), len(records))
    message = f"The collector rejects {rejected} of them: {partial.error_message}"
    errors = (RecordError(place="batch", message=message),) * rejected
    return WriteReport(written=len(records) - rejected, errors=errors)


def _grouped(items: Iterable[T], key: Callable[[T], K]) -> list[tuple[K, list[T]]]:
    found: dict[K, list[T]] = {}
    for item in items:
        found.setdefault(key(item), []).append(item)
    return list(found.items())


def _log(line: LogRecord) -> LogMessage:
    word = _SEVERITIES_ALIKE.get(line.severity, line.severity)
    time_ns = line.timestamp_ms * 1_000_000
    return LogMessage(
        time_unix_nano=time_ns,
        observed_time_unix_nano=time_ns,
        severity_number=SeverityNumber.ValueType(_SEVERITIES.get(word, 0)),
        severity_text=line.severity,
        body=AnyValue(string_value=line.body),
        attributes=_pairs({**line.labels, **line.attributes}),
    )


def _event(event: EventRecord) -> LogMessage:
    time_ns = int(event.at.timestamp() * 1000) * 1_000_000
    about = {"source": event.source, "subject": event.subject, "id": event.id}
    return LogMessage(
        time_unix_nano=time_ns,
        observed_time_unix_nano=time_ns,
        event_name=event.type,
        body=_value(event.data),
        attributes=_pairs(
            {f"cloudevents.event_{name}": text for name, text in about.items() if text}
        ),
    )


def _metrics(samples: Sequence[MetricRecord]) -> list[Metric]:
    grouped: dict[tuple[str, str], list[MetricRecord]] = {}
    for sample in samples:
        grouped.setdefault((sample.labels.get("__name__", ""), sample.unit), []).append(sample)
    return [
        Metric(name=name, unit=unit, gauge=Gauge(data_points=[_point(each) for each in found]))
        for (name, unit), found in grouped.items()
    ]


def _point(sample: MetricRecord) -> NumberDataPoint:
    of_resource = {"__name__", "job", "instance"}
    labels = {key: value for key, value in sample.labels.items() if key not in of_resource}
    return NumberDataPoint(
        time_unix_nano=sample.timestamp_ms * 1_000_000,
        as_double=sample.value,
        attributes=_pairs(labels),
    )


def _span(span: SpanRecord) -> Span:
    return Span(
        trace_id=bytes.fromhex(span.trace_id),
        span_id=bytes.fromhex(span.span_id),
        parent_span_id=bytes.fromhex(span.parent_span_id),
        name=span.name,
        kind=_KINDS.get(span.kind, Span.SPAN_KIND_UNSPECIFIED),
        start_time_unix_nano=span.start_ns,
        end_time_unix_nano=span.end_ns,
        attributes=_pairs(span.attributes),
        status=Status(code=_STATUSES.get(span.status, Status.STATUS_CODE_UNSET)),
    )


def _service(labels: Mapping[str, str]) -> str:
    return next((labels[name] for name in _SERVICES if labels.get(name)), "")


def _named(service: str) -> JsonObject:
    return {"service.name": service} if service else {}


def _instance(instance: str) -> JsonObject:
    return {"service.instance.id": instance} if instance else {}


def _resource(attributes: JsonObject) -> Resource:
    return Resource(attributes=_pairs(attributes))


def _pairs(values: JsonObject) -> list[KeyValue]:
    return [KeyValue(key=key, value=_value(value)) for key, value in values.items()]


def _value(value: JsonValue) -> AnyValue:
    if value is None:
        return AnyValue()
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int) and -_LARGEST_INTEGER <= value < _LARGEST_INTEGER:
        return AnyValue(int_value=value)
    if isinstance(value, (int, float)):
        return AnyValue(double_value=float(value))
    if isinstance(value, str):
        return AnyValue(string_value=value.encode("utf-8", "replace").decode())
    if isinstance(value, Mapping):
        return AnyValue(kvlist_value=KeyValueList(values=_pairs(value)))
    return AnyValue(array_value=ArrayValue(values=[_value(each) for each in value]))
