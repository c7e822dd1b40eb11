"""Counts and times of the requests we serve, by route and never by raw path."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from prometheus_client import Counter, Histogram

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
SIZE_BUCKETS = (256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576, 4_194_304)
DURATION_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)

requests_total = Counter(
    "detectviz_http_requests",
    "Requests served; path is the route's name.",
    ["method", "path", "status"],
)
request_duration = Histogram(
    "detectviz_http_request_duration_seconds",
    "Time to the answer, without sending its body.",
    ["method", "path"],
    buckets=DURATION_BUCKETS_S,
)
request_size = Histogram(
    "detectviz_http_request_size_bytes",
    "Size of the requests' bodies as announced.",
    ["method", "path"],
    buckets=SIZE_BUCKETS,
)
response_size = Histogram(
    "detectviz_http_response_size_bytes",
    "Size of the answers' bodies; streams whose length is not announced are left out.",
    ["method", "path"],
    buckets=SIZE_BUCKETS,
)


def request_count(request: HttpRequest, response: HttpResponseBase, took_s: float) -> None:
    """Count one answered request."""
    method = request.method if request.method in METHODS else "other"
    path = route_of(request)
    requests_total.labels(method, path, response.status_code).inc()
    request_duration.labels(method, path).observe(took_s)
    request_size.labels(method, path).observe(_announced(request.META.get("CONTENT_LENGTH")) or 0)
    size = _announced(response.headers.get("Content-Length"))
    if size is None and isinstance(response, HttpResponse):
        size = len(response.content)
    if size is not None:
        response_size.labels(method, path).observe(size)


def route_of(request: HttpRequest) -> str:
    """Return the name of the matched route, its pattern when it has none: a bounded set."""
    match = request.resolver_match
    if match is not None:
        return match.view_name if match.url_name else match.route
    return "static" if request.path.startswith(settings.STATIC_URL) else "unmatched"


def _announced(length: str | None) -> int | None:
    return int(length) if length and length.isdecimal() else None
