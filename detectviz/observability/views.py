"""Health and metrics over HTTP."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from detectviz.observability.health import health_report
from detectviz.observability.metrics import CONTENT_TYPE, metrics_text
from detectviz.observability.readers import reader_check


@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """Answer 200 while the process lives."""
    return HttpResponse("ok\n", content_type="text/plain")


@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """Answer 200 when database, tsdb, broker, scheduler and workers answer, else 503."""
    report = health_report()
    return HttpResponse(
        report.as_json(),
        status=200 if report.is_ready else 503,
        content_type="application/json",
    )


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Expose our own metrics to those who may read them."""
    refusal = reader_check(request)
    if refusal is not None:
        return refusal
    return HttpResponse(metrics_text(), content_type=CONTENT_TYPE)
