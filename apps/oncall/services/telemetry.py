"""How escalations go, for ``/metrics``."""

from collections.abc import Iterator
from functools import partial

from django.db import transaction
from django.db.models import Count
from prometheus_client import Counter

from apps.oncall.enums import NoticeState, RunState
from apps.oncall.models import EscalationRun
from detectviz.observability.scrape import Reading, ScrapedMetric, scraped

_ACROSS = "the platform's own metrics are about all orgs"

started_total = Counter("detectviz_escalation_runs_started", "Escalations that began.")
steps_total = Counter(
    "detectviz_escalation_steps", "Steps of escalations that were taken, those of repeats too."
)
notices_total = Counter(
    "detectviz_escalation_notices",
    "People and contact points that a step was to tell, by outcome: sent, cancelled, unreachable.",
    ["outcome"],
)
turns_total = Counter(
    "detectviz_escalation_runs_turned",
    "Escalations that came to a state: acknowledged, paused, exhausted (nobody answered), "
    "resolved, replaced.",
    ["state"],
)
RUNS = ScrapedMetric(
    name="detectviz_escalation_runs",
    help="Escalations that are not over, by state.",
    labels=("state",),
)


def run_started() -> None:
    """Count an escalation once what it wrote is committed."""
    transaction.on_commit(started_total.inc)


def step_taken() -> None:
    """Count a step."""
    transaction.on_commit(steps_total.inc)


def run_turned(*, before: str, after: RunState) -> None:
    """Count that a run came to a state it was not in."""
    if before != after:
        transaction.on_commit(turns_total.labels(after.value).inc)


def notices_ended(*, outcome: NoticeState, count: int = 1) -> None:
    """Count what became of notices."""
    if count:
        transaction.on_commit(partial(notices_total.labels(outcome.value).inc, count))


@scraped("escalations", RUNS)
def escalations_read() -> Iterator[Reading]:
    """Measure the escalations of all orgs that are not over."""
    rows = EscalationRun.objects.across_orgs(reason=_ACROSS).filter(ended_at__isnull=True)
    found = dict(rows.order_by().values_list("state").annotate(count=Count("id")))
    for state in (RunState.RUNNING, RunState.ACKNOWLEDGED, RunState.PAUSED, RunState.EXHAUSTED):
        yield RUNS, (state.value,), float(found.get(state, 0))
