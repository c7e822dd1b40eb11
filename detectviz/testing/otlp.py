"""A stand-in for an OpenTelemetry collector that reads with the public protobufs."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from detectviz.testing.http_server import Answer, ReceivedRequest, http_server


@dataclass(slots=True)
class Collector:
    """What arrived; ``answer`` is what it says to everything."""

    url: str = ""
    answer: Answer = field(default_factory=Answer)
    logs: list[LogRecord] = field(default_factory=list)
    metrics: list[Metric] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    resources: list[Resource] = field(default_factory=list)

    @property
    def names(self) -> list[dict[str, str]]:
        """The texts of the resources, in order."""
        return [
            {pair.key: pair.value.string_value for pair in resource.attributes}
            for resource in self.resources
        ]

    def take(self, request: ReceivedRequest) -> Answer:
        """Keep what a request holds."""
        assert request.headers["content-type"] == "application/x-protobuf"
        if request.path == "/v1/logs":
            self._logs(request.body)
        elif request.path == "/v1/metrics":
            self._metrics(request.body)
        elif request.path == "/v1/traces":
            self._traces(request.body)
        else:
            return Answer(status=404)
        return self.answer

    def _logs(self, body: bytes) -> None:
        for group in ExportLogsServiceRequest.FromString(body).resource_logs:
            self.resources.append(group.resource)
            self.logs += [record for scope in group.scope_logs for record in scope.log_records]

    def _metrics(self, body: bytes) -> None:
        for group in ExportMetricsServiceRequest.FromString(body).resource_metrics:
            self.resources.append(group.resource)
            self.metrics += [metric for scope in group.scope_metrics for metric in scope.metrics]

    def _traces(self, body: bytes) -> None:
        for group in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.resources.append(group.resource)
            self.spans += [span for scope in group.scope_spans for span in scope.spans]


@contextmanager
def otlp_collector() -> Iterator[Collector]:
    """Run a collector on a free port of loopback."""
    collector = Collector()
    with http_server(collector.take) as server:
        collector.url = server.url
        yield collector
