"""The measured half of ``bench_scheduler``: prints its result as JSON."""

import json
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import django

django.setup()

from apps.monitors.models import Monitor, MonitorSchedule, MonitorState  # noqa: E402 - after setup
from apps.monitors.services.plans import planned_of  # noqa: E402 - after setup
from apps.monitors.services.reports import CheckPlan, CheckReport  # noqa: E402 - after setup
from apps.monitors.services.results import results_store  # noqa: E402 - after setup
from apps.monitors.services.schedule import (  # noqa: E402 - after setup
    CLAIM_LIMIT,
    Claim,
    claim_due,
    phase_ms,
)
from apps.orgs.models import Org  # noqa: E402 - after setup
from detectviz.clock import to_ms  # noqa: E402 - after setup
from detectviz.contracts.collector import CheckResult, Metric  # noqa: E402 - after setup
from detectviz.contracts.types import CheckState  # noqa: E402 - after setup
from detectviz.tsdb.embedded import EmbeddedStore  # noqa: E402 - after setup

MONITORS = 3_000
INTERVAL_S = 60
METRICS = 6
START = datetime(2026, 1, 1, tzinfo=UTC)


def make_monitors() -> dict[int, CheckPlan]:
    """Write the monitors on their grid; return their plans by key."""
    org, interval_ms = Org.objects.create(name="bench"), INTERVAL_S * 1000
    config = {"url": "http://127.0.0.1:1/"}
    monitors = Monitor.objects.for_org(org).bulk_create(
        Monitor(org=org, name=f"m{n}", type="http", interval_s=INTERVAL_S, config=config)
        for n in range(MONITORS)
    )
    MonitorState.objects.for_org(org).bulk_create(
        MonitorState(org=org, monitor=monitor, since=START) for monitor in monitors
    )
    MonitorSchedule.objects.for_org(org).bulk_create(
        MonitorSchedule(
            org=org,
            monitor=monitor,
            interval_ms=interval_ms,
            timeout_ms=10_000,
            phase_ms=phase_ms(monitor.uid, interval_ms),
            next_due_ms=to_ms(START) + phase_ms(monitor.uid, interval_ms),
        )
        for monitor in monitors
    )
    return {monitor.pk: planned_of(monitor).plan for monitor in monitors}


def store_results(
    claims: Sequence[Claim], plans: Mapping[int, CheckPlan], store: EmbeddedStore
) -> None:
    """Store an ordinary result for each claim."""
    metrics = tuple(
        Metric(name="probe_http_duration_seconds", value=0.01 * n, labels={"phase": f"p{n}"})
        for n in range(METRICS)
    )
    result = CheckResult(state=CheckState.UP, message="200 OK", duration_s=0.02, metrics=metrics)
    reports = [
        CheckReport(
            plan=plans[claim.monitor_id],
            epoch=claim.epoch,
            slot_ms=claim.slot_ms,
            started_at_ms=claim.slot_ms,
            result=result,
        )
        for claim in claims
    ]
    stored = results_store(reports=reports, store=store).stored
    assert stored == len(reports), stored


def measure(folder: Path) -> dict[str, float]:
    """Return CPU seconds per 1,000 checks of the second simulated minute."""
    plans, store = make_monitors(), EmbeddedStore(folder / "series.sqlite")
    claiming = storing = 0.0
    for second in range(2 * INTERVAL_S):
        if second == INTERVAL_S:
            claiming = storing = 0.0
        is_more = True
        while is_more:
            began = time.process_time()
            now = START + timedelta(seconds=second)
            claims = claim_due(owner="bench", now=now, location="default", look_ahead_s=0)
            claimed = time.process_time()
            is_more = len(claims) == CLAIM_LIMIT
            if claims:
                store_results(claims, plans, store)
            claiming += claimed - began
            storing += time.process_time() - claimed
    store.close()
    return {"claim": claiming / MONITORS * 1000, "store": storing / MONITORS * 1000}


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as place:
        sys.stdout.write(json.dumps(measure(Path(place))))
