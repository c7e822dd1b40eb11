"""How pipelines fare, for ``/metrics``."""

from collections.abc import Iterator

from django.db.models import Count, Min
from prometheus_client import Counter

from apps.operations.enums import RunState
from apps.operations.models import PipelineRun
from detectviz.clock import utc_now
from detectviz.observability.scrape import QUEUE_AGE, QUEUE_DEPTH, Reading, age_s, scraped

runs_total = Counter(
    "detectviz_pipeline_runs",
    "Runs of pipelines that ended, by how; skipped ones were due while another ran.",
    ["state"],
)
records_total = Counter(
    "detectviz_pipeline_records",
    "Records of pipelines, by what became of them: read, written or failed.",
    ["outcome"],
)


@scraped("pipelines", QUEUE_DEPTH, QUEUE_AGE)
def pipelines_read() -> Iterator[Reading]:
    """Measure the runs that wait for a worker."""
    rows = PipelineRun.objects.across_orgs(reason="the platform's own metrics are about all orgs")
    found = rows.filter(state=RunState.QUEUED).aggregate(n=Count("pk"), first=Min("created_at"))
    oldest_s = found["first"].timestamp() if found["first"] else None
    yield QUEUE_DEPTH, ("pipelines",), float(found["n"])
    yield QUEUE_AGE, ("pipelines",), age_s(oldest_s, utc_now().timestamp())
