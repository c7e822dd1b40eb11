"""What monitors tell about themselves on /metrics."""

from datetime import timedelta

import pytest
from prometheus_client import REGISTRY

from apps.monitors.models import MonitorSchedule
from apps.monitors.services.results import StoredResults
from apps.monitors.services.telemetry import (
    COLLECTORS,
    error_type_of,
    flush_count,
    monitors_read,
)
from detectviz.clock import to_ms, utc_now
from detectviz.contracts.types import CheckState, PluginKind
from detectviz.observability.scrape import QUEUE_AGE, QUEUE_DEPTH
from tests.factories.monitors import make_monitor, make_report, make_result
from tests.factories.orgs import make_org


@pytest.mark.django_db
def test_monitors_are_counted_by_type_and_state_and_what_is_due_is_a_queue() -> None:
    org = make_org()
    home = make_monitor(org, "home")
    make_monitor(org, "shop", is_enabled=False)
    MonitorSchedule.objects.for_org(org).update(
        next_due_ms=to_ms(utc_now() - timedelta(seconds=30)), is_active=False
    )
    MonitorSchedule.objects.for_org(org).filter(monitor=home).update(is_active=True)

    read = {(metric, labels): value for metric, labels, value in monitors_read()}

    assert read[COLLECTORS, (home.type, "unknown")] == 1
    assert read[COLLECTORS, (home.type, "paused")] == 1
    assert read[QUEUE_DEPTH, ("checks",)] == 1
    assert 30 <= read[QUEUE_AGE, ("checks",)] < 60


@pytest.mark.parametrize(
    ("evidence", "label"),
    [
        ({"error": "CertificateError"}, "CertificateError"),
        ({"error": "a plugin's own words"}, "other"),
        ({"error": {"not": "a text"}}, "other"),
        ({"status": 500}, "verdict"),
    ],
)
def test_only_the_contracts_errors_become_labels(evidence: dict[str, object], label: str) -> None:
    assert error_type_of(make_result("down", evidence=evidence)) == label


@pytest.mark.django_db
def test_finished_checks_are_counted_by_collector() -> None:
    monitor = make_monitor(make_org())
    labels = {"kind": PluginKind.COLLECTOR.value, "plugin": monitor.type, "outcome": "failed"}

    def count() -> float:
        return REGISTRY.get_sample_value("detectviz_plugin_executions_total", labels) or 0.0

    before = count()
    report = make_report(monitor, make_result("down", duration_s=0.2))
    stored = StoredResults(stored=1, fenced=0, samples=0, transitions=())
    flush_count([], [report, report], stored, took_s=0.01)

    assert report.result.state is CheckState.DOWN
    assert count() == before + 2
