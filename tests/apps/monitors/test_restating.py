"""What stands is said again between the checks of slow monitors."""

from datetime import datetime, timedelta
from typing import Any, cast

import pytest
from pytest_django import DjangoAssertNumQueries

from apps.monitors.models import Monitor, MonitorSchedule
from apps.monitors.services import restating
from apps.monitors.services.restating import RESTATE_EVERY_S, Restater, standings_restate
from apps.monitors.services.results import results_store
from apps.monitors.services.schedule import claim_due
from apps.orgs.models import Org
from detectviz.clock import to_ms, utc_now
from detectviz.tsdb.interface import SeriesStore
from tests.factories.monitors import START, make_monitor, make_report, make_result
from tests.factories.orgs import make_org
from tests.factories.series import RecordingStore

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("probe")]
LATER = START + timedelta(minutes=2)


@pytest.fixture
def org() -> Org:
    return make_org()


@pytest.fixture
def store() -> RecordingStore:
    return RecordingStore()


def restate(store: RecordingStore, now: datetime = LATER) -> int:
    return standings_restate(store=cast("SeriesStore", store), now=now)


def checked(org: Org, state: str = "up", name: str = "home", **fields: Any) -> Monitor:
    """Return a monitor of one hour whose first check found ``state``."""
    defaults: dict[str, Any] = {"interval_s": 3600.0, "labels": {"team": "web"}}
    monitor = make_monitor(org, name, **{**defaults, **fields})
    report = make_report(monitor, make_result(state))
    results_store(reports=[report], store=cast("SeriesStore", RecordingStore()))
    return monitor


@pytest.mark.parametrize(
    ("state", "success", "code"), [("up", 1, 1), ("degraded", 1, 2), ("down", 0, 0)]
)
def test_a_slow_monitor_is_restated_as_its_check_would_write_it(
    org: Org, store: RecordingStore, state: str, success: int, code: int
) -> None:
    monitor = checked(org, state)
    assert restate(store) == 1
    labels = make_report(monitor, make_result()).plan.base_labels
    assert [(dict(s.labels), s.timestamp_ms, s.value) for s in store.samples[org.uid]] == [
        ({"__name__": "probe_success", **labels}, to_ms(LATER), success),
        ({"__name__": "probe_state", **labels}, to_ms(LATER), code),
    ]


def test_a_retrying_monitor_keeps_its_state_and_its_failed_check(
    org: Org, store: RecordingStore
) -> None:
    monitor = checked(org, "up", retries=2)
    at = START + timedelta(hours=1)
    failed = make_report(monitor, make_result("down"), at=at)
    results_store(reports=[failed], store=cast("SeriesStore", RecordingStore()))
    assert restate(store, at + timedelta(minutes=2)) == 1
    assert store.values(org.uid, "probe_state") == [1]
    assert store.values(org.uid, "probe_success") == [0]


def test_quick_paused_unknown_and_never_checked_monitors_are_left_alone(
    org: Org, store: RecordingStore
) -> None:
    checked(org, name="quick", interval_s=120.0)
    checked(org, name="unknown", state="unknown")
    make_monitor(org, "new", interval_s=3600.0)
    paused = checked(org, name="paused")
    Monitor.objects.for_org(org).filter(pk=paused.pk).update(is_enabled=False)
    asleep = make_org("asleep")
    checked(asleep)
    Org.objects.filter(pk=asleep.pk).update(is_active=False)
    deleted = checked(org, name="deleted")
    deleted.delete()
    assert restate(store) == 0
    assert store.samples == {}


def test_a_monitor_being_checked_is_left_to_its_check(org: Org, store: RecordingStore) -> None:
    checked(org)
    MonitorSchedule.objects.for_org(org).update(next_due_ms=to_ms(LATER))
    assert claim_due(owner="a", now=LATER, location="default")
    assert restate(store) == 0


def test_any_number_of_monitors_costs_one_query_and_an_append_an_org(
    org: Org, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    store = RecordingStore()
    for number in range(5):
        checked(org, name=f"m{number}")
    with django_assert_num_queries(1):
        assert restate(store) == 5


def test_of_two_processes_one_restates_and_the_other_follows_when_it_stops(
    org: Org, store: RecordingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restating, "series_store", lambda: store)
    checked(org)
    moment = [1000.0]
    monkeypatch.setattr(restating, "monotonic", lambda: moment[0])
    first, second = Restater(owner="first"), Restater(owner="second")
    living = [first, second]

    def tick(after_s: float = 0.0) -> int:
        moment[0] += after_s
        now = utc_now() + timedelta(seconds=moment[0])
        monkeypatch.setattr(restating, "utc_now", lambda: now)
        for restater in living:
            restater.tick()
        return len(store.values(org.uid, "probe_state"))

    assert tick() == 1
    assert tick(30) == 1
    assert tick(30) == 1
    assert tick(RESTATE_EVERY_S - 60) == 2
    first.stop()
    living.remove(first)
    assert tick(30) == 3


def test_a_failing_store_is_tried_again_at_the_next_look(
    org: Org, store: RecordingStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restating, "series_store", lambda: store)
    checked(org)
    moment = [1000.0]
    monkeypatch.setattr(restating, "monotonic", lambda: moment[0])
    restater = Restater(owner="only")
    store.fail = True
    restater.tick()
    assert store.samples == {}
    moment[0] += 30
    restater.tick()
    assert store.values(org.uid, "probe_state") == [1]
