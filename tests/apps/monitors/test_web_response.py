from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from apps.monitors.models import MonitorState, StateChange
from apps.monitors.web.views.response import response_chart
from apps.orgs.models import Org
from apps.series.services import series_store, series_store_use
from detectviz.clock import to_ms
from detectviz.tsdb.interface import Sample
from detectviz.tsdb.opening import open_store
from tests.factories.monitors import START, make_monitor
from tests.factories.orgs import make_org

pytestmark = [pytest.mark.django_db]


@pytest.fixture(autouse=True)
def own_store(tmp_path: Path) -> Iterator[None]:
    series_store_use(open_store("", data_dir=tmp_path))
    yield
    series_store_use(None)


@pytest.fixture
def acme() -> Org:
    return make_org("acme")


def append(org: Org, minute: int, **phases: float) -> None:
    at = to_ms(START - timedelta(hours=1) + timedelta(minutes=minute))
    labels = {"__name__": "probe_http_duration_seconds", "monitor": "home"}
    samples = [
        Sample(labels={**labels, "phase": phase}, timestamp_ms=at, value=value)
        for phase, value in phases.items()
    ]
    series_store().append(org.uid, samples)


def test_phases_are_stacked_in_the_order_they_happen_and_silence_is_a_gap(acme: Org) -> None:
    monitor = make_monitor(acme, "home", type="http", interval_s=60, degraded_above_s=0.4)
    monitor.created_at = START - timedelta(days=1)
    for minute in (10, 11, 40):
        append(acme, minute, transfer=0.3, connect=0.2, resolve=0.1)
    chart = response_chart(acme, monitor, range_name="1h", now=START)
    assert [each.label for each in chart.series] == ["DNS", "Connect", "Transfer"]
    assert chart.is_stacked
    assert list(chart.series[0].values) == [0.1, 0.1, None, 0.1]
    assert [each.value for each in chart.thresholds] == [0.4]


def test_times_down_are_tinted(acme: Org) -> None:
    monitor = make_monitor(acme, "home", type="http")
    monitor.created_at = START - timedelta(days=1)
    MonitorState.objects.for_org(acme).update(last_check_at=START)
    for minutes, previous, state in ((30, "up", "down"), (10, "down", "up")):
        StateChange.objects.create_for(
            acme,
            monitor=monitor,
            previous=previous,
            state=state,
            at=START - timedelta(minutes=minutes),
        )
    chart = response_chart(acme, monitor, range_name="1h", now=START)
    assert [(each.state, each.end - each.start) for each in chart.bands] == [("down", 1200.0)]


def test_the_chart_of_a_new_monitor_begins_with_it(acme: Org) -> None:
    monitor = make_monitor(acme)
    monitor.created_at = START - timedelta(minutes=20)
    chart = response_chart(acme, monitor, range_name="24h", now=START)
    assert chart.start == monitor.created_at.timestamp()
    monitor.created_at = START
    chart = response_chart(acme, monitor, range_name="24h", now=START)
    assert chart.start == (START - timedelta(minutes=5)).timestamp()
