"""Records of every kind, as tests of importers, processors and exporters use them."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

from detectviz.contracts.records import (
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
from detectviz.contracts.types import AlertStatus, JsonObject

NOW: Final = datetime(2026, 1, 31, 8, 30, tzinfo=UTC)
NOW_MS: Final = int(NOW.timestamp() * 1000)


def make_metric(number: int = 0, **labels: str) -> MetricRecord:
    """Return a sample of ``requests_total``, ``number`` seconds after NOW."""
    return MetricRecord(
        labels={"__name__": "requests_total", "job": "api", **labels},
        timestamp_ms=NOW_MS + number * 1000,
        value=float(number),
    )


def make_log(number: int = 0, body: str = "") -> LogRecord:
    """Return a line, ``number`` seconds after NOW."""
    return LogRecord(
        timestamp_ms=NOW_MS + number * 1000,
        body=body or f"line {number}",
        severity="info",
        labels={"service": "api"},
        attributes={"number": number},
    )


def make_span(number: int = 0) -> SpanRecord:
    """Return a span of one trace."""
    start_ns = (NOW_MS + number) * 1_000_000
    return SpanRecord(
        trace_id="0af7651916cd43dd8448eb211c80319c",
        span_id=f"{number + 1:016x}",
        name=f"GET /{number}",
        start_ns=start_ns,
        end_ns=start_ns + 5_000_000,
        resource={"service.name": "api"},
    )


def make_alert(number: int = 0, status: AlertStatus = AlertStatus.FIRING) -> AlertRecord:
    """Return an alert of the monitor ``m<number>``."""
    return AlertRecord(
        status=status,
        labels={"alertname": "HomeDown", "monitor": f"m{number}", "severity": "critical"},
        annotations={"summary": f"m{number} is down"},
        starts_at=NOW,
        ends_at=NOW if status is AlertStatus.RESOLVED else None,
    )


def make_event(number: int = 0) -> EventRecord:
    """Return an event about the monitor ``m<number>``."""
    return EventRecord(
        id=f"evt-{number}",
        type="io.detectviz.monitor.state.v1",
        source="/orgs/acme",
        at=NOW,
        subject=f"m{number}",
        data={"state": "down"},
    )


def make_resource(number: int = 0) -> ResourceRecord:
    """Return the manifest of a folder."""
    document: JsonObject = {
        "apiVersion": "core/v1",
        "kind": "Folder",
        "metadata": {"name": f"f{number}"},
        "spec": {"title": f"Folder {number}"},
    }
    return ResourceRecord(document=document)


def make_row(number: int = 0) -> RowRecord:
    """Return a row with a value of every kind."""
    values: JsonObject = {
        "id": number,
        "name": f"row {number}",
        "ratio": 0.5,
        "is_new": True,
        "note": None,
    }
    return RowRecord(values=values)


RECORDS: Final[Mapping[Signal, Callable[[int], Record]]] = {
    Signal.METRICS: make_metric,
    Signal.LOGS: make_log,
    Signal.TRACES: make_span,
    Signal.ALERTS: make_alert,
    Signal.EVENTS: make_event,
    Signal.RESOURCES: make_resource,
    Signal.ROWS: make_row,
}
"""Makes the record with a number, for each kind."""
