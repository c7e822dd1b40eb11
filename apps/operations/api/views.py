"""One run of a pipeline, and the files it made."""

from typing import Any

from django.http import FileResponse, HttpRequest, HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.operations.selectors import pipeline_get, run_get
from apps.operations.services.downloads import file_answer
from apps.operations.services.exposition import OPENMETRICS_TYPE, TEXT_TYPE, exposition_make
from apps.operations.services.outputs import output_list
from detectviz.resources.api.formats import JsonParser, JsonRenderer
from detectviz.tenancy.requests import org_access

TAGS = ["plugins/v1"]
READ = "pipelines:read"


def run_asked(request: HttpRequest | Request, org: str, name: str, uid: str) -> Any:
    """Return the org and one run that the caller may read."""
    owner, access = org_access(request, org)
    pipeline = pipeline_get(owner, access=access, name=name)
    access.require(READ, pipeline)
    return owner, run_get(pipeline, uid)


class AnyFormat(BaseContentNegotiation):
    """Whatever is asked for: the door has two formats of its own, refusals are JSON."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        """Return the only one."""
        return parsers[0]

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        """Return the only one."""
        return renderers[0], str(renderers[0].media_type)


class MetricsView(APIView):
    """``…/pipelines/{name}/metrics``."""

    renderer_classes = [JsonRenderer]
    parser_classes = [JsonParser]
    content_negotiation_class = AnyFormat

    @extend_schema(
        operation_id="pipelines_metrics_read",
        summary="The latest samples of the last run that ended well, for Prometheus to scrape",
        responses={(200, "text/plain"): str},
        tags=TAGS,
    )
    def get(self, request: Request, org: str, name: str) -> HttpResponse:
        """Show them as text, or as OpenMetrics to who asks for it."""
        owner, access = org_access(request, org)
        pipeline = pipeline_get(owner, access=access, name=name)
        access.require(READ, pipeline)
        wanted = "application/openmetrics-text" in request.headers.get("Accept", "")
        body = exposition_make(pipeline=pipeline, is_openmetrics=wanted)
        return HttpResponse(body, content_type=OPENMETRICS_TYPE if wanted else TEXT_TYPE)


class RunView(APIView):
    """``…/pipelines/{name}/runs/{id}``."""

    renderer_classes = [JsonRenderer]
    parser_classes = [JsonParser]

    @extend_schema(
        operation_id="pipelines_run_read",
        summary="One run with its stages, errors and files",
        responses=dict,
        tags=TAGS,
    )
    def get(self, request: Request, org: str, name: str, uid: str) -> Response:
        """Show it."""
        owner, run = run_asked(request, org, name, uid)
        files = output_list(tenant=owner.uid, run=run.uid)
        shown = [{"name": each.name, "size": each.size} for each in files]
        return Response({**run.as_json(is_whole=True), "files": shown})


class RunFileView(APIView):
    """``…/pipelines/{name}/runs/{id}/files/{file}``."""

    renderer_classes = [JsonRenderer]
    parser_classes = [JsonParser]

    @extend_schema(
        operation_id="pipelines_run_file",
        summary="A file that a run made",
        responses={(200, "application/octet-stream"): bytes},
        tags=TAGS,
    )
    def get(self, request: Request, org: str, name: str, uid: str, file: str) -> FileResponse:
        """Send it."""
        owner, run = run_asked(request, org, name, uid)
        return file_answer(owner, run, file)
