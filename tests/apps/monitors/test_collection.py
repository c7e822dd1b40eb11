"""The whole way: a monitor is saved, claimed, run by the engine and stored."""

import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import transaction

from apps.monitors.api.serializers import MonitorSpecSerializer
from apps.monitors.enums import PingKind
from apps.monitors.models import Monitor, MonitorSchedule, MonitorState, StateChange
from apps.monitors.services.collection import CollectionHost
from apps.monitors.services.heartbeats import Ping, ping_record
from apps.monitors.services.monitors import draft_of, monitor_write
from apps.orgs.models import Org
from apps.series.selectors import chart_series
from apps.series.services import series_store_use
from detectviz.clock import utc_now
from detectviz.tsdb.embedded import EmbeddedStore
from tests.factories.orgs import make_org

pytestmark = pytest.mark.usefixtures("shared_database", "probe")


@pytest.fixture
def org() -> Org:
    return make_org()


@pytest.fixture(autouse=True)
def real_store(tmp_path: Path) -> Iterator[None]:
    series_store_use(EmbeddedStore(tmp_path / "series.sqlite"))
    yield
    series_store_use(None)


@pytest.fixture
def host(shared_database: str) -> Iterator[CollectionHost]:
    running = CollectionHost(owner="test", location="default")
    running.start()
    yield running
    running.stop(5)


def save(org: Org, name: str = "home", instance: Monitor | None = None, **spec: object) -> Monitor:
    serializer = MonitorSpecSerializer(
        data={"type": "probe", "config": {"host": "example.org"}, **spec}
    )
    serializer.is_valid(raise_exception=True)
    draft = draft_of(serializer.validated_data, name=name, labels={"team": "web"}, folder=None)
    with transaction.atomic():
        return monitor_write(org=org, draft=draft, instance=instance)


def state_of(monitor: Monitor) -> MonitorState:
    found: MonitorState = MonitorState.objects.for_org(monitor.org_id).get(monitor=monitor)
    return found


def wait_for(condition: Callable[[], bool], within_s: float = 5) -> float:
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < within_s, "waited in vain"
        time.sleep(0.01)
    return time.monotonic() - started


def test_the_first_result_is_there_within_a_second_of_saving(
    org: Org, host: CollectionHost
) -> None:
    monitor = save(org)
    host.wake()
    took_s = wait_for(lambda: state_of(monitor).state == "up")
    assert took_s < 3  # alone on a machine 0.6 s; the goal is 1 s
    now = utc_now()
    (line,) = chart_series(
        org,
        metric="probe_success",
        equal={"monitor": "home"},
        start=now - timedelta(minutes=1),
        end=now + timedelta(minutes=1),
    )
    assert line.labels == {
        "__name__": "probe_success",
        "monitor": "home",
        "type": "probe",
        "instance": "example.org:80",
        "location": "default",
        "team": "web",
    }
    assert line.values == [1.0]


def test_an_edit_is_seen_at_once_and_history_tells_it(org: Org, host: CollectionHost) -> None:
    monitor = save(org)
    host.wake()
    wait_for(lambda: state_of(monitor).state == "up")
    save(org, instance=monitor, config={"host": "example.org", "answer": "down"})
    host.wake()
    wait_for(lambda: state_of(monitor).state == "down")
    changes = StateChange.objects.for_org(org).order_by("at").values_list("state", flat=True)
    assert list(changes) == ["up", "down"]


def test_a_monitor_of_one_second_is_checked_every_second(org: Org, host: CollectionHost) -> None:
    monitor = save(org, interval="1s")
    host.wake()
    wait_for(lambda: len(state_of(monitor).recent) >= 9 * 4, within_s=8)
    schedule = MonitorSchedule.objects.for_org(org).get()
    assert schedule.slots_skipped == 0


def test_a_push_is_judged_at_once(org: Org, host: CollectionHost) -> None:
    monitor = save(org, type="push", config={"period": "1h"}, interval="1m")
    host.wake()
    wait_for(lambda: state_of(monitor).last_check_at is not None)
    token = monitor.heartbeat.token["token"]
    ping_record(org=org.name, token=token, ping=Ping(kind=PingKind.FAIL), now=utc_now())
    host.wake()
    wait_for(lambda: state_of(monitor).state == "down")


def test_a_plugin_that_is_gone_makes_its_monitors_unknown(org: Org, host: CollectionHost) -> None:
    with transaction.atomic():  # the host, which looks by itself too, sees both or neither
        monitor = save(org)
        Monitor.objects.for_org(org).update(type="gone")
    host.wake()
    wait_for(lambda: state_of(monitor).last_check_at is not None)
    assert state_of(monitor).state == "unknown"
    assert "gone" in state_of(monitor).message


def test_stopping_leaves_no_lease_behind(org: Org, shared_database: str) -> None:
    for number in range(20):
        save(org, f"m-{number}")
    running = CollectionHost(owner="test", location="default")
    running.start()
    wait_for(lambda: running.stats().submitted == 20)
    running.stop(5)
    assert not MonitorSchedule.objects.for_org(org).exclude(lease_owner="").exists()
    checked = MonitorState.objects.for_org(org).filter(last_check_at__isnull=False).count()
    due = MonitorSchedule.objects.for_org(org).filter(next_due_ms__lte=utc_now().timestamp() * 1000)
    assert checked + due.count() >= 20
