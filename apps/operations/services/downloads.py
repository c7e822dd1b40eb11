"""Files of runs on their way to who may read the pipeline."""

from typing import Any

from django.http import FileResponse

from apps.operations.models import PipelineRun
from apps.operations.services.outputs import output_path


def file_answer(org: Any, run: PipelineRun, name: str) -> FileResponse:
    """Return a file to be saved; whatever it is, no browser runs it as a page of ours."""
    path = output_path(tenant=org.uid, run=run.uid, name=name)
    response = FileResponse(
        path.open("rb"), as_attachment=True, filename=name, content_type="application/octet-stream"
    )
    response.headers["Content-Security-Policy"] = "sandbox"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["Cache-Control"] = "no-store"
    return response
