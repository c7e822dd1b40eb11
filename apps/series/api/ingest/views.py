"""The ingest doors: what senders push, in the protocols they already speak."""

from abc import abstractmethod
from typing import Any, ClassVar

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from prometheus_client import Counter
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.series.api.ingest.filters import (
    body_of,
    content_type_of,
    group_of,
    influx_authorization,
    influx_precision,
)
from apps.series.services.ingest import IngestReport, batch_store
from detectviz.clock import to_ms, utc_now
from detectviz.ingest import exposition, influx, otlp, remote_write, remote_write_v2
from detectviz.ingest.batch import Batch
from detectviz.ingest.errors import IngestError, UnsupportedError
from detectviz.ingest.otlp_messages import encode_answer, encode_status
from detectviz.permissions.access import Access
from detectviz.resources.errors import ForbiddenError
from detectviz.tenancy.requests import org_access
from detectviz.tsdb.interface import RateLimitedError, StoreError

RETRY_LIMITED_S = 30  # until the number of series may have changed
RETRY_STORE_S = 5

requests_total = Counter(
    "detectviz_ingest_requests",
    "Requests to the ingest doors, by door and status.",
    ["door", "status"],
)


class _TheDoorsOwn(BaseContentNegotiation):
    """What a door answers depends on what was sent, not on an Accept header."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        """Leave the body alone."""
        return None

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        """Answer OPTIONS as JSON."""
        return JSONRenderer(), JSONRenderer.media_type


class IngestView(APIView):
    """What all doors share: the org of the URL, the permission, the body, failures, counts."""

    door: ClassVar[str]
    encodings: ClassVar[frozenset[str]] = frozenset({"identity", "gzip", "deflate", "zstd"})
    content_negotiation_class = _TheDoorsOwn
    schema = None  # other projects' protocols, described in docs/api.md

    org: Any
    access: Access

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Resolve the org: a foreign one and an unknown one answer the same 404."""
        super().initial(request, *args, **kwargs)
        self.org, self.access = org_access(request, kwargs["org"])

    def post(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Take one body."""
        if not self.access.allows("series:create"):
            raise ForbiddenError("You need the permission series:create to push samples.")
        try:
            batch = self.parse(request)
            report = batch_store(org=self.org, door=self.door, batch=batch, now=utc_now())
        except IngestError as error:
            return self.failure(error.status, str(error))
        except RateLimitedError as error:
            return self.failure(429, str(error), retry_after_s=error.retry_after_s)
        except StoreError as error:
            if not error.retryable:
                return self.failure(400, f"The series store refuses the request: {error}")
            sentence = f"The series store can't take samples now: {error}"
            return self.failure(503, sentence, retry_after_s=RETRY_STORE_S)
        return self.answer(report)

    @abstractmethod
    def parse(self, request: Request) -> Batch:
        """Return what the body holds; raise IngestError."""

    @abstractmethod
    def answer(self, report: IngestReport) -> HttpResponseBase:
        """Say what was stored."""

    def failure(
        self, status: int, sentence: str, *, retry_after_s: float | None = None
    ) -> HttpResponseBase:
        """Say in the protocol's words that nothing was stored."""
        response = HttpResponse(f"{sentence}\n", status=status, content_type="text/plain")
        return _with_retry(response, retry_after_s)

    def body(self, request: Request) -> bytes:
        """Return the unpacked body."""
        return body_of(request, limit=settings.INGEST_BODY_BYTES, encodings=self.encodings)

    def handle_exception(self, exc: Exception) -> Response:
        """Say 401, 403, 404 and the like in the protocol's words too."""
        problem = super().handle_exception(exc)
        sentence = problem.data.get("detail", "") if isinstance(problem.data, dict) else ""
        response: Any = self.failure(problem.status_code, str(sentence))
        for header in ("WWW-Authenticate", "Retry-After", "Allow"):
            if header in problem.headers:
                response[header] = problem.headers[header]
        return response  # type: ignore[no-any-return]  # a plain response serves DRF as well

    def finalize_response(
        self, request: Request, response: Response, *args: Any, **kwargs: Any
    ) -> Response:
        """Count the request."""
        requests_total.labels(self.door, response.status_code).inc()
        return super().finalize_response(request, response, *args, **kwargs)


def _with_retry(response: HttpResponse, retry_after_s: float | None) -> HttpResponse:
    if retry_after_s is not None:
        response["Retry-After"] = str(max(1, round(retry_after_s)))
    return response


class RemoteWriteView(IngestView):
    """Prometheus remote write 1.0 and 2.0."""

    door = "remote_write"
    encodings = frozenset({"snappy", "zstd"})

    def parse(self, request: Request) -> Batch:
        """Read the message that the content type names."""
        media, parameters = content_type_of(request)
        message = parameters.get("proto", remote_write.CONTENT_TYPE)
        if media != "application/x-protobuf" or message not in _MESSAGES:
            raise UnsupportedError(
                "remote write takes application/x-protobuf with proto=prometheus.WriteRequest "
                "or proto=io.prometheus.write.v2.Request"
            )
        return _MESSAGES[message](self.body(request))

    def answer(self, report: IngestReport) -> HttpResponseBase:
        """Answer 204; 400 when samples can never be stored, 429 when a limit keeps them out."""
        if report.is_complete:
            response = HttpResponse(status=204)
        else:
            status = 429 if report.limited else 400
            response = HttpResponse(
                f"{report.sentence()}\n", status=status, content_type="text/plain"
            )
            _with_retry(response, RETRY_LIMITED_S if report.limited else None)
        written = {
            "Samples": report.samples,
            "Histograms": report.histograms,
            "Exemplars": report.exemplars,
        }
        for kind, count in written.items():
            response[f"X-Prometheus-Remote-Write-{kind}-Written"] = str(count)
        return response


_MESSAGES = {
    remote_write.CONTENT_TYPE: remote_write.parse,
    remote_write_v2.CONTENT_TYPE: remote_write_v2.parse,
}


class OtlpMetricsView(IngestView):
    """OTLP/HTTP metrics, in protobuf and JSON."""

    door = "otlp"

    def parse(self, request: Request) -> Batch:
        """Read the request in the encoding its content type names."""
        media, _ = content_type_of(request)
        if media not in {_PROTOBUF, _JSON}:
            raise UnsupportedError(f"OTLP metrics come as {_PROTOBUF} or {_JSON}")
        return otlp.parse(self.body(request), is_json=media == _JSON)

    def answer(self, report: IngestReport) -> HttpResponseBase:
        """Answer 200, with what was refused as partial success; 429 when nothing was stored."""
        if report.limited and not report.samples + report.histograms:
            return self.failure(429, report.sentence(), retry_after_s=RETRY_LIMITED_S)
        sentence = "" if report.is_complete else report.sentence()
        message = "; ".join([*filter(None, [sentence]), *report.warnings])
        rejected = report.refused + report.limited
        return self._said(200, encode_answer(rejected, message, is_json=self._is_json()))

    def failure(
        self, status: int, sentence: str, *, retry_after_s: float | None = None
    ) -> HttpResponseBase:
        """Answer a google.rpc.Status."""
        code = _STATUS_CODES.get(status, _STATUS_UNKNOWN)
        content = encode_status(code, sentence, is_json=self._is_json())
        return _with_retry(self._said(status, content), retry_after_s)

    def _is_json(self) -> bool:
        return content_type_of(self.request)[0] == _JSON

    def _said(self, status: int, content: bytes) -> HttpResponse:
        content_type = _JSON if self._is_json() else _PROTOBUF
        return HttpResponse(content, status=status, content_type=content_type)


_PROTOBUF, _JSON = "application/x-protobuf", "application/json"
_STATUS_UNKNOWN = 2
_STATUS_CODES = {400: 3, 401: 16, 403: 7, 404: 5, 405: 12, 413: 11, 415: 3, 429: 8, 503: 14}


class InfluxWriteView(IngestView):
    """Influx line protocol, versions 1 and 2; ``db``, ``org`` and ``bucket`` mean nothing here."""

    door = "influx"

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        """Understand the protocol's own way to send a key."""
        influx_authorization(request)
        return super().initialize_request(request, *args, **kwargs)

    def parse(self, request: Request) -> Batch:
        """Read lines; a line without a time is of now."""
        precision = influx_precision(request)
        return influx.parse(self.body(request), precision=precision, now_ms=to_ms(utc_now()))

    def answer(self, report: IngestReport) -> HttpResponseBase:
        """Answer 204; else what was refused, the rest being stored."""
        if report.is_complete:
            return HttpResponse(status=204)
        if report.limited:
            return self.failure(429, report.sentence(), retry_after_s=RETRY_LIMITED_S)
        return self.failure(400, f"partial write: {report.sentence()}")

    def failure(
        self, status: int, sentence: str, *, retry_after_s: float | None = None
    ) -> HttpResponseBase:
        """Answer the error object of version 2, with version 1's ``error`` beside it."""
        code = _INFLUX_CODES.get(status, "internal error")
        content = {"code": code, "message": sentence, "error": sentence}
        response = JsonResponse(content, status=status)
        response["X-Influxdb-Error"] = _header_text(sentence)
        return _with_retry(response, retry_after_s)


class InfluxPingView(InfluxWriteView):
    """What clients ask before they write: whether somebody is there."""

    http_method_names = ["get", "head", "options"]

    def get(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Answer members of the org."""
        return HttpResponse(status=204)

    head = get


_INFLUX_CODES = {
    400: "invalid",
    401: "unauthorized",
    403: "forbidden",
    404: "not found",
    405: "method not allowed",
    413: "request too large",
    415: "invalid",
    429: "too many requests",
    503: "unavailable",
}


def _header_text(sentence: str) -> str:
    """Return a sentence as a header can carry it."""
    return "".join(c if c.isascii() and c.isprintable() else "?" for c in sentence)[:500]


class TextImportView(IngestView):
    """Prometheus text, OpenMetrics or delimited protobuf; the path is VictoriaMetrics'."""

    door = "text"

    def parse(self, request: Request) -> Batch:
        """Read an exposition."""
        return exposition.parse(
            self.body(request),
            content_type=request.META.get("CONTENT_TYPE", ""),
            now_ms=to_ms(utc_now()),
        )

    def answer(self, report: IngestReport) -> HttpResponseBase:
        """Answer 204, or what was refused, the rest being stored."""
        if report.is_complete:
            return HttpResponse(status=204)
        if report.limited:
            return self.failure(429, report.sentence(), retry_after_s=RETRY_LIMITED_S)
        return self.failure(400, report.sentence())


class PushGroupView(TextImportView):
    """What clients send a Pushgateway, stored as samples of now.

    PUT and POST are the same: a metric that is not pushed again ends like any other, five minutes
    later. A group is not deleted: nothing of it is kept beside its samples.
    """

    door = "pushgateway"

    def put(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Take one group."""
        return self.post(request, *args, **kwargs)

    def parse(self, request: Request) -> Batch:
        """Read an exposition and the group of the address."""
        return exposition.parse_group(
            self.body(request),
            content_type=request.META.get("CONTENT_TYPE", ""),
            group=group_of(f"job{self.kwargs['encoding']}/{self.kwargs['group']}"),
            now_ms=to_ms(utc_now()),
        )

    def answer(self, report: IngestReport) -> HttpResponseBase:
        """Answer 200 as a Pushgateway does."""
        return HttpResponse(status=200) if report.is_complete else super().answer(report)
