"""Monitors for tests, straight into the database, and results for them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from apps.monitors.models import Monitor, MonitorState
from apps.monitors.services.plans import planned_of
from apps.monitors.services.reports import CheckReport
from apps.monitors.services.schedule import schedule_renew
from apps.orgs.models import Org
from detectviz.clock import to_ms
from detectviz.contracts.collector import CheckResult
from detectviz.contracts.types import CheckState

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def make_monitor(org: Org, name: str = "home", *, now: datetime = START, **fields: Any) -> Monitor:
    """Return a monitor of a collector that need not exist, due at ``now``."""
    monitor: Monitor = Monitor.objects.create_for(org, name=name, **{"type": "probe", **fields})
    MonitorState.objects.create_for(org, monitor=monitor, since=now)
    schedule_renew(monitor=monitor, now=now)
    return monitor


def make_result(state: str = "up", **fields: Any) -> CheckResult:
    """Return a result with a plausible duration."""
    return CheckResult(
        state=CheckState(state), **{"message": f"is {state}", "duration_s": 0.02, **fields}
    )


def make_report(
    monitor: Monitor, result: CheckResult, *, at: datetime = START, **fields: Any
) -> CheckReport:
    """Return the report of a check that started at ``at`` in the monitor's current epoch."""
    monitor.schedule.refresh_from_db()
    values: Mapping[str, Any] = {
        "plan": planned_of(monitor).plan,
        "epoch": monitor.schedule.epoch,
        "slot_ms": to_ms(at),
        "started_at_ms": to_ms(at),
        "result": result,
    }
    return CheckReport(**{**values, **fields})
